/* SPDX-License-Identifier: MIT */
/*
 * The memory type range registers that a guest sees as its own. Their values say which memory types its EPT
 * carries (ept/page_type.h). SDM vol. 3, "Memory Type Range Registers (MTRRs)". Pure.
 */
#ifndef VMM_VM_MTRR_H
#define VMM_VM_MTRR_H

#include "ept/memtype.h"
#include <stdbool.h>
#include <stdint.h>

#define GUEST_MTRR_VARIABLE 8 /* pairs IA32_MTRR_PHYSBASEn, PHYSMASKn */

/* As a PC's firmware leaves them: all WB, but 0xa0000 to 0xbffff (video memory) UC. physical_width: the
 * guest's MAXPHYADDR. */
void guest_mtrr_reset(struct mtrr_snapshot *mtrr, unsigned physical_width);

/* False: `msr` is none of them, and the read raises #GP. */
bool guest_mtrr_read(const struct mtrr_snapshot *mtrr, uint32_t msr, uint64_t *value);

enum guest_mtrr_write {
    GUEST_MTRR_NOT_ONE, /* `msr` is no MTRR */
    GUEST_MTRR_INVALID, /* a reserved bit or type, or IA32_MTRRCAP: #GP */
    GUEST_MTRR_SAME,    /* written, and no type can have changed by it */
    GUEST_MTRR_CHANGED,
};
enum guest_mtrr_write guest_mtrr_write(struct mtrr_snapshot *mtrr, uint32_t msr, uint64_t value);

#endif
