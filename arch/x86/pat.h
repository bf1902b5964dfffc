/* SPDX-License-Identifier: MIT */
/* The page attribute table: the first four entries are those of a reset, then WP and WC. SDM vol. 3, "Page
 * Attribute Table (PAT)". */
#ifndef ARCH_X86_PAT_H
#define ARCH_X86_PAT_H

#include <stdint.h>

#include "arch/x86/msr.h"

/* PA7..PA0 = UC, UC-, WC, WP, UC, UC-, WT, WB. */
#define PAT_VALUE UINT64_C(0x0007010500070406)

/* Which entry a page asks for by its PAT, PCD and PWT bits. */
enum pat_index { PAT_WB = 0, PAT_WT = 1, PAT_UC_MINUS = 2, PAT_UC = 3, PAT_WP = 4, PAT_WC = 5 };

/* Sets this CPU's PAT. Entries in use before (0 and 3, those of a reset) do not change their meaning. */
static inline void pat_set(void)
{
    msr_write(MSR_IA32_PAT, PAT_VALUE);
}

#endif
