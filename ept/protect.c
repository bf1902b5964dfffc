/* SPDX-License-Identifier: MIT */
/* The region list changes, and what the EPT holds of it follows in place. */
#include "ept/protect.h"
#include "ept/dirty.h"
#include "ept/leaves.h"
#include "ept/table.h"
#include "ept/target.h"
#include "ept/zap.h"
#include <stddef.h>

/*
 * Makes an address a border between leaves, by splitting what reaches across it. Without a table frame the
 * leaf stays: then it goes whole, when what is on one side of the border is put right.
 */
static void split_at(struct ept *ept, uint64_t gpa, enum ept_flush *flush)
{
    struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};

    if (gpa >> ept->caps.guest_width != 0)
        return;
    ept_cursor_start(ept, gpa, &cursor);
    for (;;) {
        ept_cursor_descend(ept, gpa, EPT_LEVEL_PT, &cursor);
        if (cursor.level == EPT_LEVEL_PT || cursor.entry.raw == 0 ||
            (gpa & (ept_level_size(cursor.level) - 1)) == 0 || ept_split_leaf(ept, gpa, &cursor, 0) != EPT_OK)
            break;
    }
    *flush = ept_flush_both(*flush, cursor.flush);
}

enum ept_flush ept_split_borders(struct ept *ept, uint64_t gpa, uint64_t size)
{
    enum ept_flush flush = EPT_FLUSH_NONE;

    ept_shape_changes(ept);
    split_at(ept, gpa, &flush);
    split_at(ept, gpa + size, &flush);
    return flush;
}

/* A part of the range that changed which lies in one region. */
struct follow {
    const struct ept_region *region;
    uint64_t start, end;
    enum ept_flush flush;
};

/* The leaf that the list wants in place of a good one, with the flags that stay true; empty: none. */
static struct ept_entry wanted_leaf(struct ept *ept, const struct ept_region *region, uint64_t gpa,
                                    unsigned level, struct ept_entry old)
{
    struct ept_target target;
    struct ept_entry leaf;

    if (region->rights == 0 || gpa < region->gpa)
        return (struct ept_entry){0};
    ept_target_choose(ept, region, gpa, 0, &target);
    ept_target_for_log(ept, gpa, 0, &target);
    if (level > target.fits)
        return (struct ept_entry){0};
    leaf = ept_target_leaf(&target, gpa, level);
    if (!ept_entry_present(leaf))
        return leaf;
    if (target.log != NULL)
        leaf.raw |= old.raw & EPT_WRITE; /* what the log has let be written stays so until it is collected */
    if (ept_entry_address(old) == ept_entry_address(leaf))
        leaf.raw |= old.raw & (EPT_ACCESSED | EPT_DIRTY);
    return leaf;
}

/* One exchange: a processor has the old leaf or the new one. Bad entries are left to the fault they cause. */
static void follow_slot(struct ept *ept, struct ept_entry *slot, unsigned level, uint64_t gpa,
                        struct follow *follow)
{
    for (;;) {
        struct ept_entry old = ept_load(slot), leaf;

        if (old.raw == 0 || !ept_is_good_leaf(ept, level, old))
            return;
        leaf = wanted_leaf(ept, follow->region, gpa, level, old);
        if (leaf.raw == old.raw)
            return;
        if (!ept_replace(slot, old, leaf))
            continue;
        follow->flush = ept_flush_both(follow->flush, ept_flush_for_change(&ept->caps, level, old, leaf));
        if ((leaf.raw & EPT_DIRTY) == 0)
            ept_dirty_flag_lost(ept, gpa, level, old);
        return;
    }
}

static void follow_run(struct ept *ept, const struct ept_run *run, void *context)
{
    for (unsigned n = 0; n < run->count; n++)
        follow_slot(ept, &run->slots[n], run->level, run->gpa + n * ept_level_size(run->level), context);
}

/* True if the list does not run on across an address. */
static bool is_border(const struct ept *ept, uint64_t gpa)
{
    const struct ept_region *region = ept_region_find(ept->regions, gpa);

    return region == NULL || region->gpa == gpa;
}

/*
 * Brings every leaf of a range, whose pages are all listed, to what the list says now. First the split, which
 * changes no translation, then the change of each leaf: so what is beside the range is never missing.
 */
static enum ept_flush follow_list(struct ept *ept, uint64_t gpa, uint64_t size)
{
    struct follow follow = {.flush = EPT_FLUSH_NONE};
    uint64_t end = gpa + size;

    if (is_border(ept, gpa))
        split_at(ept, gpa, &follow.flush);
    if (is_border(ept, end))
        split_at(ept, end, &follow.flush);
    while (gpa < end) {
        const struct ept_region *region = ept_region_find(ept->regions, gpa);
        uint64_t next = region->gpa + region->size;

        follow.region = region;
        next = next < end ? next : end;
        ept_for_each_run(ept, gpa, next, follow_run, &follow);
        gpa = next;
    }
    return follow.flush;
}

static struct ept_change followed(struct ept *ept, enum ept_status status, uint64_t gpa, uint64_t size)
{
    ept_shape_changes(ept);
    return (struct ept_change){status, status == EPT_OK ? follow_list(ept, gpa, size) : EPT_FLUSH_NONE};
}

struct ept_change ept_remove(struct ept *ept, uint64_t gpa, uint64_t size)
{
    struct ept_change change = {ept_region_remove(ept->regions, gpa, size), EPT_FLUSH_NONE};

    if (change.status != EPT_OK)
        return change;
    ept_shape_changes(ept);
    split_at(ept, gpa, &change.flush);
    split_at(ept, gpa + size, &change.flush);
    change.flush = ept_flush_both(change.flush, ept_zap(ept, gpa, size));
    return change;
}

struct ept_change ept_set_rights(struct ept *ept, uint64_t gpa, uint64_t size, unsigned rights)
{
    return followed(ept, ept_region_set_rights(ept->regions, gpa, size, rights), gpa, size);
}

struct ept_change ept_set_type(struct ept *ept, uint64_t gpa, uint64_t size, enum memory_type type,
                               bool ignore_pat)
{
    return followed(ept, ept_region_set_type(ept->regions, gpa, size, type, ignore_pat), gpa, size);
}

struct ept_change ept_set_type_from_mtrr(struct ept *ept, uint64_t gpa, uint64_t size, bool ignore_pat)
{
    return followed(ept, ept_region_set_type_from_mtrr(ept->regions, gpa, size, ignore_pat), gpa, size);
}
