/* SPDX-License-Identifier: MIT */
/* Steps that every operation is made of: taking frames, going down a level, correcting, linking and splitting
 * an entry. */
#include "ept/table.h"
#include "ept/dirty.h"
#include "ept/misconfig.h"
#include "ept/planted.h"

uint64_t ept_table_alloc(struct ept *ept)
{
    uint64_t hpa = ept->memory.alloc_table(ept->memory.context);

    if (hpa != EPT_NO_FRAME)
        __atomic_fetch_add(&ept->table_count, 1, __ATOMIC_RELAXED);
    return hpa;
}

void ept_table_free(struct ept *ept, uint64_t hpa)
{
    __atomic_fetch_sub(&ept->table_count, 1, __ATOMIC_RELAXED);
    ept->memory.free_table(ept->memory.context, hpa);
}

bool ept_is_good_leaf(const struct ept *ept, unsigned level, struct ept_entry entry)
{
    uint64_t offending;

    return ept_entry_present(entry) && ept_entry_maps_page(entry, level) &&
           (entry.raw & EPT_SOFTWARE_FROZEN) == 0 &&
           ept_misconfig_reasons(&ept->caps, level, entry, &offending) == 0;
}

void ept_cursor_start(const struct ept *ept, uint64_t gpa, struct ept_cursor *cursor)
{
    cursor->level = ept->caps.levels;
    cursor->slot = &ept->root_table[ept_index(gpa, cursor->level)];
    cursor->slot_hpa = ept_slot_hpa(ept->root, gpa, cursor->level);
    ept_cursor_read(cursor);
}

bool ept_cursor_down(const struct ept *ept, uint64_t gpa, struct ept_cursor *cursor)
{
    struct ept_entry *table;
    uint64_t hpa;

    if (!ept_is_table(ept, cursor->level, cursor->entry))
        return false;
    hpa = ept_entry_address(cursor->entry);
    table = ept_table_at(ept, hpa);
    if (table == NULL)
        return false;
    cursor->level--;
    cursor->slot = &table[ept_index(gpa, cursor->level)];
    cursor->slot_hpa = ept_slot_hpa(hpa, gpa, cursor->level);
    ept_cursor_read(cursor);
    return true;
}

void ept_correct(struct ept *ept, uint64_t gpa, struct ept_cursor *cursor)
{
    struct ept_entry bad = cursor->entry;
    struct ept_entry now;
    enum ept_settled settled;

    /*
     * A table is unlinked before it is frozen, and its frame is not used again while we are in here: so a
     * walk that begins anew cannot meet the same frozen slot again, unless the entry is not the engine's
     * doing.
     */
    if (ept_is_frozen(bad) && cursor->frozen_hpa != cursor->slot_hpa) {
        cursor->frozen_hpa = cursor->slot_hpa;
        ept_cursor_start(ept, gpa, cursor);
        return;
    }
    ept_shape_changes(ept);
    settled = ept_planted_settle(ept, cursor->slot, cursor->slot_hpa, bad, &now);
    if (settled != EPT_SETTLED_NOT) {
        if (cursor->level > cursor->repaired_level)
            cursor->repaired_level = cursor->level;
        ept_dirty_flag_lost(ept, gpa, cursor->level, bad);
        /* Unless it is a spoilt leaf it may once have referenced a table, whose translations processors may
         * still have cached. */
        if (settled == EPT_SETTLED_CLEARED && cursor->level > EPT_LEVEL_PT &&
            !ept_is_planted_leaf(cursor->level, bad))
            cursor->flush = EPT_FLUSH_CONTEXT;
        else
            cursor->flush =
                ept_flush_both(cursor->flush, ept_flush_for_change(&ept->caps, cursor->level, bad, now));
    }
    ept_cursor_read(cursor);
}

enum ept_status ept_link_table(struct ept *ept, struct ept_cursor *cursor, bool *added)
{
    uint64_t hpa = ept_table_alloc(ept);

    *added = false;
    if (hpa == EPT_NO_FRAME)
        return EPT_NO_FRAME_LEFT;
    if (ept_replace(cursor->slot, (struct ept_entry){0}, ept_entry_table(hpa)))
        *added = true;
    else
        ept_table_free(ept, hpa);
    ept_cursor_read(cursor);
    return EPT_OK;
}

enum ept_status ept_link_leaf(struct ept *ept, uint64_t gpa, struct ept_entry *slot, unsigned level,
                              struct ept_entry leaf, unsigned leaf_level, unsigned *added)
{
    uint64_t tables[EPT_LEVEL_MAX];
    struct ept_entry entry = leaf;
    unsigned count = 0;
    enum ept_status status = EPT_OK;

    *added = 0;
    for (unsigned below = leaf_level; below < level && status == EPT_OK; below++) {
        struct ept_entry *table = NULL;

        tables[count] = ept_table_alloc(ept);
        if (tables[count] != EPT_NO_FRAME)
            table = ept_table_at(ept, tables[count++]);
        if (table == NULL) {
            status = EPT_NO_FRAME_LEFT;
        } else {
            table[ept_index(gpa, below)] = entry;
            entry = ept_entry_table(tables[count - 1]);
        }
    }
    if (status == EPT_OK && ept_replace(slot, (struct ept_entry){0}, entry)) {
        *added = count;
        return EPT_OK;
    }
    while (count > 0)
        ept_table_free(ept, tables[--count]);
    return status;
}

/* Entries that run on, four at a time: what a split costs by the page. */
static void fill_table(struct ept_entry *table, uint64_t first, uint64_t size)
{
    for (unsigned n = 0; n < EPT_ENTRIES; n += 4, first += 4 * size) {
        table[n].raw = first;
        table[n + 1].raw = first + size;
        table[n + 2].raw = first + 2 * size;
        table[n + 3].raw = first + 3 * size;
    }
}

enum ept_status ept_split_leaf(struct ept *ept, uint64_t gpa, struct ept_cursor *cursor, unsigned grant)
{
    struct ept_entry old = cursor->entry;
    unsigned child_level = cursor->level - 1;
    uint64_t child = (old.raw & ~EPT_LARGE) | grant | (child_level > EPT_LEVEL_PT ? EPT_LARGE : 0);
    uint64_t hpa = ept_table_alloc(ept);
    struct ept_entry *table;

    if (hpa == EPT_NO_FRAME)
        return EPT_NO_FRAME_LEFT;
    table = ept_table_at(ept, hpa);
    if (table == NULL) {
        ept_table_free(ept, hpa);
        return EPT_NO_FRAME_LEFT;
    }
    fill_table(table, child, ept_level_size(child_level));
    /* The processor may set A or D in the large page until it is replaced: then the exchange fails and the
     * caller looks again. */
    if (ept_replace(cursor->slot, old, ept_entry_table(hpa))) {
        cursor->flush = EPT_FLUSH_CONTEXT;
        ept_dirty_flag_lost(ept, gpa, cursor->level,
                            old); /* its parts have it, but no log of the processor's */
    } else {
        ept_table_free(ept, hpa);
    }
    ept_cursor_read(cursor);
    return EPT_OK;
}

void ept_cursor_descend(struct ept *ept, uint64_t gpa, unsigned level, struct ept_cursor *cursor)
{
    while (cursor->level > level) {
        if (ept_cursor_down(ept, gpa, cursor))
            continue;
        if (cursor->entry.raw == 0 || ept_is_good_leaf(ept, cursor->level, cursor->entry))
            return;
        ept_correct(ept, gpa, cursor);
    }
}
