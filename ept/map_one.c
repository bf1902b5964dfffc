/* SPDX-License-Identifier: MIT */
/* ept_map_one() of map.h: one page for a moment, whatever the region list says. */
#include "ept/map.h"
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
            status = ept_split_leaf(ept, cursor, 0);
        if (status != EPT_OK)
            return status;
    }
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
    leaf.raw |= EPT_SOFTWARE_TEMPORARY;
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
            change.flush =
                ept_flush_both(cursor.flush, ept_flush_for_change(&ept->caps, EPT_LEVEL_PT, old, leaf));
            return change;
        }
    }
}
