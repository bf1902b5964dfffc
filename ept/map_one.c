/* SPDX-License-Identifier: MIT */
/* ept_map_one() of map.h: one page for a moment, whatever the region list says. */
#include "ept/map.h"
#include "ept/dirty.h"
#include "ept/misconfig.h"
#include "ept/table.h"

/* Down to level 1 for a page that the list does not know, through tables that are made and large pages that
 * are split. */
static enum ept_status reach_page(struct ept *ept, uint64_t gpa, struct ept_cursor *cursor)
{
    enum ept_status status = EPT_OK;
    bool added;

    ept_cursor_start(ept, gpa, cursor);
    for (;;) {
        ept_cursor_descend(ept, gpa, EPT_LEVEL_PT, cursor);
        if (cursor->level == EPT_LEVEL_PT)
            return EPT_OK;
        if (cursor->entry.raw == 0)
            status = ept_link_table(ept, cursor, &added);
        else
            status = ept_split_leaf(ept, gpa, cursor, 0);
        if (status != EPT_OK)
            return status;
    }
}

/* True if hpa is what the list has at gpa, and it may be written: then what is written there is the guest's
 * page. */
static bool is_own_page(const struct ept *ept, uint64_t gpa, uint64_t hpa)
{
    const struct ept_region *region = ept_region_find(ept->regions, gpa);

    return region != NULL && (region->rights & EPT_WRITE) != 0 && region->hpa + (gpa - region->gpa) == hpa;
}

struct ept_change ept_map_one(struct ept *ept, uint64_t gpa, uint64_t hpa, unsigned rights,
                              enum memory_type type)
{
    struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};
    struct ept_change change = {EPT_OK, EPT_FLUSH_NONE};
    struct ept_entry leaf;
    uint64_t offending;

    if (((gpa | hpa) & (EPT_PAGE_SIZE_4K - 1)) != 0)
        change.status = EPT_UNALIGNED;
    else if (gpa >> ept->caps.guest_width != 0 || hpa >> ept->caps.physical_width != 0)
        change.status = EPT_BEYOND_WIDTH;
    else if (!memory_type_valid(type))
        change.status = EPT_BAD_TYPE;
    else if (rights == 0 || (rights & ~(unsigned)EPT_RIGHTS) != 0)
        change.status = EPT_BAD_RIGHTS;
    if (change.status != EPT_OK)
        return change;
    leaf = ept_entry_leaf(hpa, EPT_LEVEL_PT, rights, type, false);
    /* Dirty from the start: what is written to the stand-in is no business of a dirty log. */
    leaf.raw |= EPT_SOFTWARE_TEMPORARY | EPT_DIRTY;
    if (ept_misconfig_reasons(&ept->caps, EPT_LEVEL_PT, leaf, &offending) != 0)
        return (struct ept_change){EPT_BAD_RIGHTS, EPT_FLUSH_NONE};

    for (;;) {
        struct ept_entry old;

        change.status = reach_page(ept, gpa, &cursor);
        change.flush = cursor.flush;
        if (change.status != EPT_OK)
            return change;
        old = cursor.entry;
        /* A frozen slot belongs to a table that is gone. */
        if (ept_is_frozen(old)) {
            ept_correct(ept, gpa, &cursor);
        } else if (ept_replace(cursor.slot, old, leaf)) {
            ept_dirty_flag_lost(ept, gpa, EPT_LEVEL_PT, old);
            if ((rights & EPT_WRITE) != 0 && is_own_page(ept, gpa, hpa))
                ept_dirty_mark(ept, gpa, EPT_PAGE_SIZE_4K);
            change.flush =
                ept_flush_both(cursor.flush, ept_flush_for_change(&ept->caps, EPT_LEVEL_PT, old, leaf));
            return change;
        }
    }
}
