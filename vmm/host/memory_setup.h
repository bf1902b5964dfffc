/* SPDX-License-Identifier: MIT */
/* From the boot memory map to the final page tables and the frame pool. Boot CPU, once. */
#ifndef VMM_HOST_MEMORY_SETUP_H
#define VMM_HOST_MEMORY_SETUP_H

#include <stdint.h>

#include "arch/x86/compiler.h"
#include "arch/x86/mtrr.h"
#include "boot/boot_info.h"

/* The image's physical range. */
struct image_range {
    uint64_t base, length;
};

/*
 * Moves modules up that lie low (boot/boot_modules.c), builds the final page tables and switches to them,
 * then sets up the frame pool with the image and the modules claimed. Panics if there is no memory for that.
 */
void memory_setup(struct boot_info *boot, const struct image_range *image, const struct mtrr_raw *mtrr);

/* A frame for the hypervisor, FRAME_ALLOC_FAILED if there is none: what page tables grow from. */
uint64_t memory_host_frame(void);

/* Claims the AP trampoline's page below 1 MiB for good; FRAME_ALLOC_FAILED if there is no free one. */
must_check uint64_t memory_claim_trampoline(void);

#endif
