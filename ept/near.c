/* SPDX-License-Identifier: MIT */
/* What holds for the pages around one that was just mapped. */
#include "ept/near.h"
#include "ept/target.h"

/* [*start, *end), which holds gpa, becomes the part of it where the MTRRs say one type, as far as they tell
 * at once. */
static void one_type(const struct mtrr_snapshot *mtrr, uint64_t offset, uint64_t gpa, uint64_t *start,
                     uint64_t *end)
{
    struct memory_type_stretch stretch = mtrr_stretch_at(mtrr, gpa + offset);

    if (stretch.start > *start + offset)
        *start = stretch.start - offset;
    if (stretch.end < *end + offset)
        *end = stretch.end - offset;
}

void ept_near_learn(struct ept *ept, struct ept_near *near, uint64_t gpa, unsigned level)
{
    uint64_t shape = __atomic_load_n(&ept->shape, __ATOMIC_ACQUIRE);
    uint64_t page = ept_level_size(level), reach = page * EPT_ENTRIES;
    uint64_t start = gpa & ~(reach - 1), end = start + reach, offset;
    const struct ept_region *region;
    struct ept_cursor cursor = {.flush = EPT_FLUSH_NONE};
    struct ept_target target;
    struct ept_entry leaf;
    bool again = near->asked == start + level;

    near->asked = start + level;
    if (!again || (gpa - near->first < near->size && near->shape == shape))
        return;
    near->size = 0;
    region = ept_region_find(ept->regions, gpa);
    if (region == NULL || __atomic_load_n(&ept->dirty, __ATOMIC_ACQUIRE) != NULL)
        return;
    ept_target_choose(ept, region, gpa, 0, &target);
    if (target.largest != level)
        return;
    ept_cursor_start(ept, gpa, &cursor);
    while (cursor.level > level)
        if (!ept_cursor_down(ept, gpa, &cursor))
            return;
    if (start < region->gpa)
        start = region->gpa;
    if (end > region->gpa + region->size)
        end = region->gpa + region->size;
    offset = region->hpa - region->gpa;
    if (region->type_from_mtrr && ept->mtrr != NULL)
        one_type(ept->mtrr, offset, gpa, &start, &end);
    if (ept->guest_types_end != 0)
        one_type(&ept->guest_mtrr, 0, gpa, &start, &end);
    start = (start + page - 1) & ~(page - 1);
    end &= ~(page - 1);
    if (gpa - start >= end - start)
        return;
    near->table = cursor.slot - ept_index(gpa, level);
    leaf = ept_target_leaf(&target, gpa, level);
    near->leaf = leaf.raw - (gpa & ~(page - 1));
    near->rights = ept_entry_rights(leaf);
    near->level = (uint8_t)level;
    near->memory_type = (uint8_t)ept_entry_memory_type(leaf);
    near->shift = EPT_PAGE_SHIFT + EPT_INDEX_BITS * (level - 1);
    near->shape = shape;
    near->first = start;
    near->size = end - start;
}
