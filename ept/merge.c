/* SPDX-License-Identifier: MIT */
/* Merging small pages into large ones. */
#include "ept/merge.h"
#include "ept/page_type.h"
#include "ept/table.h"

#define FLAGS (EPT_ACCESSED | EPT_DIRTY)

/*
 * True if the entries of a table of `level` - 1 translate what one leaf of `level` would: *leaf. Entries that
 * are empty are no objection, for the list has their pages too (is_wanted()); but one must be there.
 */
static bool is_one_page(const struct ept *ept, const struct ept_entry *table, unsigned level,
                        struct ept_entry *leaf)
{
    uint64_t step = ept_level_size(level - 1), flags = 0, first = 0;

    for (unsigned n = 0; n < EPT_ENTRIES; n++) {
        struct ept_entry entry = ept_load(&table[n]);

        if (entry.raw == 0)
            continue;
        if (first == 0) {
            if (!ept_is_good_leaf(ept, level - 1, entry) || (entry.raw & EPT_SOFTWARE) != 0 ||
                ept_entry_address(entry) < n * step)
                return false;
            first = (entry.raw & ~FLAGS) - n * step;
        }
        if ((entry.raw & ~FLAGS) != first + n * step)
            return false;
        flags |= entry.raw & FLAGS;
    }
    leaf->raw = first | flags | EPT_LARGE;
    return first != 0 && (first & EPT_ADDRESS & (ept_level_size(level) - 1)) == 0;
}

/* True if the list has this very page there, all of one memory type. */
static bool is_wanted(const struct ept *ept, uint64_t gpa, unsigned level, struct ept_entry leaf)
{
    const struct ept_region *region = ept_region_find(ept->regions, gpa);
    uint64_t size = ept_level_size(level);
    enum memory_type type;

    if (region == NULL || gpa - region->gpa + size > region->size ||
        region->rights != ept_entry_rights(leaf) ||
        region->hpa + (gpa - region->gpa) != ept_entry_address(leaf))
        return false;
    if (!ept_page_type(ept, region, gpa, size, &type))
        return false;
    return type == ept_entry_memory_type(leaf) &&
           !(ept->no_executable_large && (leaf.raw & EPT_EXECUTE) != 0);
}

/* The cursor stands at a reference to a table. True if the large page has taken its place. */
static bool merge_one(struct ept *ept, uint64_t gpa, struct ept_cursor *cursor)
{
    struct ept_entry leaf;

    while (ept_is_table(ept, cursor->level, cursor->entry)) {
        const struct ept_entry *table = ept_table_at(ept, ept_entry_address(cursor->entry));

        if (table == NULL || !is_one_page(ept, table, cursor->level, &leaf) ||
            !is_wanted(ept, gpa, cursor->level, leaf))
            return false;
        if (ept_replace(cursor->slot, cursor->entry, leaf))
            return true;
        ept_cursor_read(cursor); /* a processor has set its accessed flag */
    }
    return false;
}

uint64_t ept_merge(struct ept *ept, uint64_t gpa, uint64_t end, unsigned level, struct ept_merge_batch *batch,
                   enum ept_flush *flush)
{
    uint64_t limit = UINT64_C(1) << ept->caps.guest_width;

    *flush = EPT_FLUSH_NONE;
    if (end > limit)
        end = limit;
    if (ept->dirty != NULL || level < EPT_LEVEL_PD || !ept_caps_leaf(&ept->caps, level))
        return end;
    gpa &= ~(ept_level_size(level) - 1);
    while (gpa < end && batch->count < EPT_MERGE_MAX) {
        struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};

        ept_cursor_start(ept, gpa, &cursor);
        while (cursor.level > level && ept_cursor_down(ept, gpa, &cursor)) {
        }
        if (cursor.level == level && merge_one(ept, gpa, &cursor)) {
            batch->merged[batch->count].gpa = gpa;
            batch->merged[batch->count].table = ept_entry_address(cursor.entry);
            batch->merged[batch->count++].level = (uint8_t)level;
            *flush = EPT_FLUSH_CONTEXT; /* bit 7 of an entry has changed */
        }
        gpa = (gpa | (ept_level_size(cursor.level) - 1)) + 1;
    }
    return gpa;
}

/* The flags of a table that no processor walks any more. */
static uint64_t flags_of(const struct ept *ept, uint64_t table_hpa)
{
    const struct ept_entry *table = ept_table_at(ept, table_hpa);
    uint64_t flags = 0;

    for (unsigned n = 0; table != NULL && n < EPT_ENTRIES; n++)
        flags |= ept_load(&table[n]).raw & FLAGS;
    return flags;
}

static void add_flags(struct ept *ept, uint64_t gpa, unsigned level, uint64_t flags)
{
    struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};

    ept_cursor_start(ept, gpa, &cursor);
    while (cursor.level > level && ept_cursor_down(ept, gpa, &cursor)) {
    }
    while (cursor.level == level && ept_is_good_leaf(ept, level, cursor.entry) &&
           !ept_replace(cursor.slot, cursor.entry, (struct ept_entry){cursor.entry.raw | flags}))
        ept_cursor_read(&cursor);
}

void ept_merge_finish(struct ept *ept, struct ept_merge_batch *batch)
{
    while (batch->count > 0) {
        unsigned n = --batch->count;
        uint64_t gpa = batch->merged[n].gpa, table = batch->merged[n].table;
        unsigned level = batch->merged[n].level;

        add_flags(ept, gpa, level, flags_of(ept, table));
        ept_retire(ept, table, level - 1, gpa);
    }
}
