/* SPDX-License-Identifier: MIT */
/* The microcode revision. */
#ifndef ARCH_X86_MICROCODE_H
#define ARCH_X86_MICROCODE_H

#include <stdint.h>

/* The calling CPU's, 0 if it has none or does not say. SDM vol. 3, "Determining the Signature". */
uint64_t microcode_revision(void);

#endif
