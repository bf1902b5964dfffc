/* SPDX-License-Identifier: MIT */
/* Merging small pages into large ones. */
#include "ept/merge.h"
#include "ept/table.h"

#define FLAGS (EPT_ACCESSED | EPT_DIRTY)

/* True if the entries of a table of `level` - 1 translate what one leaf of `level` at gpa would: *leaf. */
static bool is_one_page(const struct ept *ept, const struct ept_entry *table, unsigned level, struct ept_entry *leaf)
{
    uint64_t step = ept_level_size(level - 1), flags = 0;
    struct ept_entry first = ept_load(&table[0]);
    uint64_t expected = first.raw & ~FLAGS;

    if (!ept_is_good_leaf(ept, level - 1, first) || (first.raw & EPT_SOFTWARE) != 0 ||
        (ept_entry_address(first) & (ept_level_size(level) - 1)) != 0)
        return false;
    for (unsigned n = 0; n < EPT_ENTRIES; n++, expected += step) {
        uint64_t raw = ept_load(&table[n]).raw;

        if ((raw & ~FLAGS) != expected)
            return false;
        flags |= raw & FLAGS;
    }
    leaf->raw = (first.raw & ~FLAGS) | flags | EPT_LARGE;
    return true;
}

/* True if the list has this very page there. Memory types need no look: 512 equal ones are one. */
static bool is_wanted(const struct ept *ept, uint64_t gpa, unsigned level, struct ept_entry leaf)
{
    const struct ept_region *region = ept_region_find(ept->regions, gpa);

    return region != NULL && gpa - region->gpa + ept_level_size(level) <= region->size &&
           region->hpa + (gpa - region->gpa) == ept_entry_address(leaf) && region->rights == ept_entry_rights(leaf) &&
           !(ept->no_executable_large && (leaf.raw & EPT_EXECUTE) != 0);
}

/* The cursor stands at a reference to a table. True if the large page has taken its place. */
static bool merge_one(struct ept *ept, uint64_t gpa, struct ept_cursor *cursor)
{
    struct ept_entry leaf;

    while (ept_is_table(ept, cursor->level, cursor->entry)) {
        const struct ept_entry *table = ept_table_at(ept, ept_entry_address(cursor->entry));

        if (table == NULL || !is_one_page(ept, table, cursor->level, &leaf) || !is_wanted(ept, gpa, cursor->level, leaf))
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
