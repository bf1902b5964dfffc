/* SPDX-License-Identifier: MIT */
/* Splitting on demand; the replacement of one leaf is ept_split_leaf() of table.c. */
#include "ept/split.h"
#include "ept/table.h"

struct ept_change ept_split(struct ept *ept, uint64_t gpa, unsigned level)
{
    struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};
    struct ept_change change = {EPT_OK, EPT_FLUSH_NONE};

    if (gpa >> ept->caps.guest_width != 0)
        return (struct ept_change){EPT_BEYOND_WIDTH, EPT_FLUSH_NONE};
    if (level != EPT_LEVEL_PT && level != EPT_LEVEL_PD)
        return (struct ept_change){EPT_UNSUPPORTED, EPT_FLUSH_NONE};
    if (!ept_caps_leaf(&ept->caps, level))
        level = EPT_LEVEL_PT;
    ept_cursor_start(ept, gpa, &cursor);
    for (;;) {
        ept_cursor_descend(ept, gpa, EPT_LEVEL_PT, &cursor);
        if (cursor.entry.raw == 0)
            change.status = EPT_NOT_LISTED;
        else if (!ept_is_good_leaf(ept, cursor.level, cursor.entry))
            ept_correct(ept, gpa, &cursor);
        else if (cursor.level > level)
            change.status = ept_split_leaf(ept, gpa, &cursor, 0);
        else
            break;
        if (change.status != EPT_OK)
            break;
    }
    change.flush = cursor.flush;
    return change;
}
