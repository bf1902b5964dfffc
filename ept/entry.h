/* SPDX-License-Identifier: MIT */
/*
 * One entry of an EPT paging structure: 64 bits whose meaning depends on the level and on bit 7.
 * SDM vol. 3, "EPT Translation Mechanism", tables "Format of an EPT ... Entry". README.md draws them.
 */
#ifndef EPT_ENTRY_H
#define EPT_ENTRY_H

#include <stdbool.h>
#include <stdint.h>

/* The level of the structure that an entry stands in; a leaf of level 1, 2, 3 maps 4 KiB, 2 MiB, 1 GiB. */
#define EPT_LEVEL_PT   1u
#define EPT_LEVEL_PD   2u
#define EPT_LEVEL_PDPT 3u
#define EPT_LEVEL_PML4 4u
#define EPT_LEVEL_PML5 5u
#define EPT_LEVEL_MAX  EPT_LEVEL_PML5

#define EPT_ENTRIES      512u
#define EPT_PAGE_SIZE_4K UINT64_C(0x1000)
#define EPT_PAGE_SHIFT   12u /* bits of an address within a 4 KiB page */
#define EPT_INDEX_BITS   9u  /* bits that a level translates */

struct ept_entry {
    uint64_t raw;
};

#define EPT_BIT(n) (UINT64_C(1) << (n))

/* All levels. */
#define EPT_READ    EPT_BIT(0)
#define EPT_WRITE   EPT_BIT(1)
#define EPT_EXECUTE EPT_BIT(2) /* with mode-based execute control: for supervisor-mode linear addresses */
#define EPT_RIGHTS  (EPT_READ | EPT_WRITE | EPT_EXECUTE)

#define EPT_ACCESSED EPT_BIT(8) /* ignored unless the EPTP switches A/D flags on */
#define EPT_EXECUTE_USER                                                                                     \
    EPT_BIT(10) /* ignored without mode-based execute control, which Adept does not use */
#define EPT_ADDRESS UINT64_C(0x000ffffffffff000)

/* Entries that map a page (leaves). */
#define EPT_MEMORY_TYPE_SHIFT 3
#define EPT_MEMORY_TYPE       (UINT64_C(7) << EPT_MEMORY_TYPE_SHIFT)
#define EPT_IGNORE_PAT        EPT_BIT(6)
#define EPT_DIRTY             EPT_BIT(9)
#define EPT_VERIFY_PAGING     EPT_BIT(57) /* "verify guest paging" */
#define EPT_PAGING_WRITE      EPT_BIT(58) /* "paging-write access" */
#define EPT_SHADOW_STACK      EPT_BIT(60) /* "supervisor shadow stack" */
#define EPT_SUB_PAGE_WRITE    EPT_BIT(61) /* level 1 */
#define EPT_SUPPRESS_VE       EPT_BIT(63)

/* Bit 7: in a PDE and a PDPTE "maps a page"; reserved in a PML4E and PML5E; ignored in a PTE. */
#define EPT_LARGE EPT_BIT(7)

/* In an entry that references a table: reserved in all, and in a PML4E and PML5E bit 7 as well. */
#define EPT_TABLE_RESERVED     UINT64_C(0x78)
#define EPT_TABLE_RESERVED_TOP UINT64_C(0xf8)

/*
 * Bits of our own, among 56:52 which processors ignore in every entry (SDM vol. 3, same tables).
 * FROZEN: not present, and its table is no longer part of the hierarchy: whoever meets it starts again at the
 * root. PLANTED: stands in for an entry that referenced a table and was made not present by ept_plant().
 * TEMPORARY: a leaf of ept_map_one(), not backed by the region list.
 *
 * An entry that is not present has no address of memory in it: it is 0, a mark alone (FROZEN, PLANTED), or,
 * in entry 0 of a retired table, an inverted address (ept/zap.c). What ept_plant() spoils otherwise keeps its
 * address: the guest's own page, or a table of its EPT.
 */
#define EPT_SOFTWARE_FROZEN    EPT_BIT(52)
#define EPT_SOFTWARE_PLANTED   EPT_BIT(53)
#define EPT_SOFTWARE_TEMPORARY EPT_BIT(54)
#define EPT_SOFTWARE           (EPT_SOFTWARE_FROZEN | EPT_SOFTWARE_PLANTED | EPT_SOFTWARE_TEMPORARY)

_Static_assert(sizeof(struct ept_entry) == 8, "an entry is 64 bits");
_Static_assert(sizeof(struct ept_entry) * EPT_ENTRIES == EPT_PAGE_SIZE_4K, "a table is a frame");
_Static_assert((EPT_SOFTWARE &
                (EPT_RIGHTS | EPT_MEMORY_TYPE | EPT_IGNORE_PAT | EPT_LARGE | EPT_ACCESSED | EPT_DIRTY |
                 EPT_EXECUTE_USER | EPT_ADDRESS | EPT_VERIFY_PAGING | EPT_PAGING_WRITE | EPT_SHADOW_STACK |
                 EPT_SUB_PAGE_WRITE | EPT_SUPPRESS_VE)) == 0,
               "software bits are disjoint from all that a processor looks at");
_Static_assert((EPT_SOFTWARE & ~(UINT64_C(0x1f) << 52)) == 0, "software bits are within 56:52");
_Static_assert((EPT_SOFTWARE_FROZEN & EPT_SOFTWARE_PLANTED) == 0 &&
                   (EPT_SOFTWARE_FROZEN & EPT_SOFTWARE_TEMPORARY) == 0 &&
                   (EPT_SOFTWARE_PLANTED & EPT_SOFTWARE_TEMPORARY) == 0,
               "software bits are disjoint from each other");
_Static_assert((EPT_TABLE_RESERVED & EPT_LARGE) == 0 &&
                   EPT_TABLE_RESERVED_TOP == (EPT_TABLE_RESERVED | EPT_LARGE),
               "bit 7 tells a leaf from a reference only at levels 2 and 3");

/* Bytes that one entry of a level translates. */
static inline uint64_t ept_level_size(unsigned level)
{
    return EPT_PAGE_SIZE_4K << (EPT_INDEX_BITS * (level - 1));
}

/* The index, 0..511, of a guest-physical address in the table of a level. */
static inline unsigned ept_index(uint64_t gpa, unsigned level)
{
    return (unsigned)(gpa >> (EPT_PAGE_SHIFT + EPT_INDEX_BITS * (level - 1))) & (EPT_ENTRIES - 1);
}

/* False: the processor stops here with an EPT violation, whatever the other bits are. */
static inline bool ept_entry_present(struct ept_entry entry)
{
    return (entry.raw & EPT_RIGHTS) != 0;
}

/* True if a present entry of that level maps a page (if it is well-formed). */
static inline bool ept_entry_maps_page(struct ept_entry entry, unsigned level)
{
    return level == EPT_LEVEL_PT || (level <= EPT_LEVEL_PDPT && (entry.raw & EPT_LARGE) != 0);
}

static inline uint64_t ept_entry_address(struct ept_entry entry)
{
    return entry.raw & EPT_ADDRESS;
}

static inline unsigned ept_entry_rights(struct ept_entry entry)
{
    return (unsigned)(entry.raw & EPT_RIGHTS);
}

/* Bits 5:3 of a leaf, 0..7: enum memory_type, or a reserved value. */
static inline unsigned ept_entry_memory_type(struct ept_entry entry)
{
    return (unsigned)((entry.raw & EPT_MEMORY_TYPE) >> EPT_MEMORY_TYPE_SHIFT);
}

/* An entry that references the table at `hpa`, with all rights: leaves alone restrict. */
static inline struct ept_entry ept_entry_table(uint64_t hpa)
{
    return (struct ept_entry){hpa | EPT_RIGHTS};
}

/* A leaf of a level. hpa: a multiple of the level's size; rights: EPT_READ...; type: enum memory_type. */
static inline struct ept_entry ept_entry_leaf(uint64_t hpa, unsigned level, unsigned rights, unsigned type,
                                              bool ignore_pat)
{
    return (struct ept_entry){hpa | rights | (uint64_t)type << EPT_MEMORY_TYPE_SHIFT |
                              (ignore_pat ? EPT_IGNORE_PAT : 0) | (level > EPT_LEVEL_PT ? EPT_LARGE : 0)};
}

#endif
