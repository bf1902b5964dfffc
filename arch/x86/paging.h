/* SPDX-License-Identifier: MIT */
/*
 * The host's own page tables, the same for all CPUs: all physical memory at DIRECT_MAP_BASE, the image write
 * xor execute, the stacks with an unmapped page below each. Nothing is mapped in the lower half. SDM vol. 3,
 * "4-Level Paging".
 *
 * The tables grow only on the boot CPU before the others start, or under the caller's lock; nothing mapped is
 * ever unmapped.
 */
#ifndef ARCH_X86_PAGING_H
#define ARCH_X86_PAGING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/compiler.h"
#include "arch/x86/mtrr.h"
#include "arch/x86/pat.h"

#define PAGING_NO_FRAME UINT64_MAX

/* A page frame for a table, or PAGING_NO_FRAME; need not be zeroed, must be reachable through the direct map.
 */
typedef uint64_t (*paging_alloc)(void);

/* A piece of physical memory: base and length are multiples of 4 KiB; ram: write-back, else uncached. */
struct paging_range {
    uint64_t base, length;
    bool ram;
};

/* What paging_init() needs to know; ranges are sorted and disjoint. */
struct paging_layout {
    const struct paging_range *ranges;
    unsigned range_count;
    uint64_t image_physical; /* where the image begins */
    const struct mtrr_raw *mtrr;
    paging_alloc alloc;
};

/* Builds the final tables and loads CR3. The caller runs on them afterwards. False: out of frames. */
must_check bool paging_init(const struct paging_layout *layout);
/* From now on tables come from here. */
void paging_set_alloc(paging_alloc alloc);
/* Physical address of the top-level table: CR3 of every CPU and HOST_CR3. */
uint64_t paging_root(void);

/* Whether all of [physical, physical + length) is in the direct map. */
must_check bool paging_is_mapped(uint64_t physical, uint64_t length);

/*
 * Makes [physical, physical + size) reachable through the direct map with that memory type and returns its
 * address, NULL if out of frames or beyond the direct map. For device memory: PAT_UC or, for a framebuffer,
 * PAT_WC.
 */
must_check void *paging_map_mmio(uint64_t physical, uint64_t size, enum pat_index type);

struct cpu_stacks;
/*
 * Maps the stacks of CPU `index` in the stack area; each has an unmapped page below it. Frames come from
 * `alloc`. False: out of frames.
 */
must_check bool paging_map_stacks(uint32_t index, paging_alloc alloc, struct cpu_stacks *out);
/* Says whether an address lies in an unmapped page below a stack of that CPU. */
must_check bool paging_is_guard(uint64_t address);
/* Whether reading 8 bytes there would not fault (walks the tables). For stack traces. */
must_check bool paging_is_readable(uint64_t address);

#endif
