/* SPDX-License-Identifier: MIT */
/*
 * The memory of the conformance tester: the EPT tables, the guest's paging structures, its code and its
 * pages, and what each of them must hold before a case, after it, and between cases. Pure: it is told where
 * the frames can be reached.
 *
 * The guest runs in 64-bit mode. It has two pages: its code, and the page that it accesses. What a case
 * tests, the probe, is either that second page or one of the paging structures on the way to it.
 */
#ifndef VMM_CHECK_CONFORMANCE_MEMORY_H
#define VMM_CHECK_CONFORMANCE_MEMORY_H

#include "ept/entry.h"
#include "vmm/check/conformance/case.h"

/* RAM of the VM: room for scratch memory, aligned, and the pages that are not tested. A multiple of 2 MiB. */
#define CONFORMANCE_RAM_SIZE (2 * CONFORMANCE_SCRATCH_SIZE)

/* Pages that are not tested, in this order from fixed_gpa on. */
enum conformance_page {
    CONFORMANCE_PAGE_PML4,
    CONFORMANCE_PAGE_CODE_PDPT,
    CONFORMANCE_PAGE_CODE_PD,
    CONFORMANCE_PAGE_CODE_PT,
    CONFORMANCE_PAGE_CODE,
    CONFORMANCE_PAGE_PDPT,
    CONFORMANCE_PAGE_PD,
    CONFORMANCE_PAGE_PT,
    CONFORMANCE_PAGE_DATA,
    CONFORMANCE_PAGES,
};

/* The references that lead to the fixed pages' entries, from the root on; then those entries. */
#define CONFORMANCE_FIXED_REFERENCES 3
#define CONFORMANCE_FIXED_ENTRIES    (CONFORMANCE_FIXED_REFERENCES + CONFORMANCE_PAGES)
/* Entries that a processor may use: the probe's and these. */
#define CONFORMANCE_WATCHED (CONFORMANCE_LEVELS + CONFORMANCE_FIXED_ENTRIES)

struct conformance_memory {
    struct conformance_layout layout;
    uint64_t *tables;                               /* CONFORMANCE_TABLES frames at layout.tables */
    uint8_t *ram;                                   /* CONFORMANCE_RAM_SIZE bytes at ram_hpa */
    uint64_t ram_hpa, fixed_hpa;                    /* fixed_hpa: of the CONFORMANCE_PAGES */
    uint64_t fixed_slot[CONFORMANCE_FIXED_ENTRIES]; /* host-physical addresses of their entries */
    uint64_t watched[CONFORMANCE_WATCHED];          /* the probe's and those, each once */
    unsigned watched_count;
    uint8_t watched_number[CONFORMANCE_TABLES * EPT_ENTRIES]; /* by entry: place in watched[] + 1; 0: none */
    /*
     * The code's translation, where it shares no entry with the probe, is the same in every case:
     * vmm/check/conformance/predict.c makes it once. The flags that it sets in watched entries.
     */
    bool code_known;
    uint64_t code_flags[CONFORMANCE_WATCHED];
};

/* Linear addresses: of the instruction that makes an access, and of what it accesses. */
uint64_t conformance_code_address(enum conformance_access access, enum conformance_instruction instruction);
uint64_t conformance_data_address(void);
/* Of the VMCALL behind the instruction. */
uint64_t conformance_end_address(enum conformance_access access, enum conformance_instruction instruction);
/* CR3. */
uint64_t conformance_root_gpa(const struct conformance_memory *memory);

/* RAM at any multiple of 2 MiB. tables as conformance_layout_init() wants them. Fills all of it. */
void conformance_memory_init(struct conformance_memory *memory, const struct ept_caps *caps,
                             uint64_t tables_hpa, uint64_t *tables, uint64_t ram_hpa, uint8_t *ram);

/* Writes a case's entries, and every flag as it was. */
void conformance_memory_arm(struct conformance_memory *memory, const struct conformance_case *test);

/* Takes away what a case can have left. */
void conformance_memory_restore(struct conformance_memory *memory, const struct conformance_case *test);

/* Between a restore and the next arm: the address of the first 8 bytes of RAM or tables that are not as they
 * were made, the watched entries excepted; 0: none. */
uint64_t conformance_memory_verify(const struct conformance_memory *memory);

/* The place in watched[] of an entry at that host-physical address, watched_count if it is not in it. */
static inline unsigned conformance_watched(const struct conformance_memory *memory, uint64_t hpa)
{
    unsigned number = memory->watched_number[(hpa - memory->layout.tables) / sizeof(uint64_t)];

    return number == 0 ? memory->watched_count : number - 1;
}

/* What 8 bytes of the guest's data hold before an access at that host-physical address: code that loads EAX
 * with a number of that page's own and executes VMCALL. */
uint64_t conformance_data_value(uint64_t hpa);
/* 8 bytes of a table, of RAM. */
static inline uint64_t conformance_memory_entry(const struct conformance_memory *memory, uint64_t hpa)
{
    return memory->tables[(hpa - memory->layout.tables) / sizeof(uint64_t)];
}

static inline uint64_t conformance_memory_read(const struct conformance_memory *memory, uint64_t hpa)
{
    return *(const uint64_t *)(const void *)(memory->ram + (hpa - memory->ram_hpa));
}

/* The guest's entry of that level (1..4) on the way to the data; 0 if the case has no frame for it. */
uint64_t conformance_guest_entry(const struct conformance_memory *memory, const struct conformance_case *test,
                                 unsigned level);

#endif
