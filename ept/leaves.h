/* SPDX-License-Identifier: MIT */
/* Inside the engine: every leaf of a range of guest-physical addresses, by way of the tables that are linked
 * alone. */
#ifndef EPT_LEAVES_H
#define EPT_LEAVES_H

#include "ept/table.h"

/*
 * A run of neighbouring slots of one table. Level 1: whatever is in them. Above it: one slot, which held a
 * good leaf when it was looked at. Other CPUs and processors change entries meanwhile, so a visitor works by
 * ept_load() and ept_replace().
 */
struct ept_run {
    struct ept_entry *slots;
    uint64_t gpa; /* that the first slot translates: a multiple of the level's size */
    unsigned level, count;
};

typedef void ept_run_visitor(struct ept *ept, const struct ept_run *run, void *context);

/*
 * Calls `visit` for the runs that translate a part of [start, end), in ascending order. It costs by the
 * tables that are there, not by the size of the range. Entries that are neither a table nor a good leaf are
 * passed over, except that tables behind planted references are visited. Any CPU, beside faults and zaps.
 */
void ept_for_each_run(struct ept *ept, uint64_t start, uint64_t end, ept_run_visitor *visit, void *context);

/* The slots of the level-1 table that translates gpa's 2 MiB, or the one slot of a larger good leaf. False:
 * neither. */
EPT_MUST_CHECK bool ept_find_run(struct ept *ept, uint64_t gpa, struct ept_run *run);

/*
 * Where a part of [start, end) ends that is little work: at a multiple of so many pages in a level-1 table, a
 * power of two up to EPT_ENTRIES, or behind some slots without one, or at `end`. It divides no leaf. start <
 * end, and no address is beyond the guest-physical width.
 */
#define EPT_PORTION_PAGES 128 /* most work on a page is done so often in half the time of an exit */
uint64_t ept_portion(struct ept *ept, uint64_t start, uint64_t end, unsigned pages);

/* True for an entry that a visitor may take for a page of the guest's: no temporary one, no frozen one. */
static inline bool ept_is_guest_page(struct ept_entry entry)
{
    return ept_entry_present(entry) && (entry.raw & (EPT_SOFTWARE_FROZEN | EPT_SOFTWARE_TEMPORARY)) == 0;
}

/*
 * Clears `flags` in a slot that translates a guest page of `level`, and returns which of them were set. 0
 * also when another CPU has put something else there. W without R is left alone: no processor writes by such
 * an entry, which ept_plant() has made, and without W it would be no fault of that kind any more.
 */
static inline uint64_t ept_clear_in_leaf(struct ept_entry *slot, unsigned level, uint64_t flags)
{
    for (;;) {
        struct ept_entry entry = ept_load(slot);

        if ((entry.raw & EPT_READ) == 0)
            flags &= ~EPT_WRITE;
        if ((entry.raw & flags) == 0 || !ept_is_guest_page(entry) || !ept_entry_maps_page(entry, level))
            return 0;
        if (ept_replace(slot, entry, (struct ept_entry){entry.raw & ~flags}))
            return entry.raw & flags;
    }
}

#endif
