/* SPDX-License-Identifier: MIT */
/* The MSR bitmap of a guest. */
#ifndef VMM_EXIT_MSR_H
#define VMM_EXIT_MSR_H

#include "vmm/quick/quick.h"

/* Fills a 4 KiB page: a clear bit lets the guest reach that MSR itself. Any CPU, once all CPUs are up. */
void msr_bitmap_fill(void *bitmap);

/* The MSRs that always read the same, into a table of QUICK_MSRS. */
void msr_constants_fill(struct quick_msr *table);

#endif
