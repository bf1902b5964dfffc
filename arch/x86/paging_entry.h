/* SPDX-License-Identifier: MIT */
/* Bits of the host's page-table entries, and what paging.c and paging_layout.c share. SDM vol. 3, "4-Level
 * Paging". */
#ifndef ARCH_X86_PAGING_ENTRY_H
#define ARCH_X86_PAGING_ENTRY_H

#include <stdint.h>

#include "arch/x86/compiler.h"
#include "arch/x86/pat.h"

#define PAGE_PRESENT    (UINT64_C(1) << 0)
#define PAGE_WRITE      (UINT64_C(1) << 1)
#define PAGE_PWT        (UINT64_C(1) << 3)
#define PAGE_PCD        (UINT64_C(1) << 4)
#define PAGE_ACCESSED   (UINT64_C(1) << 5)
#define PAGE_DIRTY      (UINT64_C(1) << 6)
#define PAGE_LARGE      (UINT64_C(1) << 7) /* PDE, PDPTE */
#define PAGE_PAT_4K     (UINT64_C(1) << 7) /* PTE */
#define PAGE_GLOBAL     (UINT64_C(1) << 8)
#define PAGE_PAT_LARGE  (UINT64_C(1) << 12)
#define PAGE_NO_EXECUTE (UINT64_C(1) << 63)
#define PAGE_ADDRESS    UINT64_C(0x000ffffffffff000)

/* Levels: 1 PTE (4 KiB), 2 PDE (2 MiB), 3 PDPTE (1 GiB), 4 PML4E. */
uint64_t paging_level_size(unsigned level);
/* A leaf entry; rights is PAGE_WRITE and PAGE_NO_EXECUTE as wanted. */
uint64_t paging_leaf(uint64_t physical, unsigned level, uint64_t rights, enum pat_index type);
/* The entry of that level for a linear address; tables above are made and large pages split as needed. NULL:
 * out of frames. */
must_check uint64_t *paging_entry(uint64_t address, unsigned level);
void paging_set_root(uint64_t table);

#endif
