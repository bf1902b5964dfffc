/* SPDX-License-Identifier: MIT */
/* Harvesting accessed and dirty flags. SDM vol. 3, "Accessed and Dirty Flags for EPT". */
#include "ept/harvest.h"
#include "ept/dirty.h"
#include "ept/leaves.h"

#define PAGE_SHIFT 12

struct harvest {
    struct ept_harvest result;
    uint64_t start, end, flags;
    ept_harvest_page *page;
    void *context;
};

static void report(struct harvest *harvest, uint64_t gpa, uint64_t size, uint64_t flags)
{
    if ((flags & EPT_ACCESSED) != 0)
        harvest->result.accessed += size >> PAGE_SHIFT;
    if ((flags & EPT_DIRTY) != 0)
        harvest->result.dirty += size >> PAGE_SHIFT;
    if (harvest->page != NULL)
        harvest->page(harvest->context, gpa, size, flags);
}

static void harvest_slot(struct ept *ept, struct harvest *harvest, struct ept_entry *slot, unsigned level,
                         uint64_t gpa)
{
    uint64_t size = ept_level_size(level);
    uint64_t from = gpa > harvest->start ? gpa : harvest->start;
    uint64_t to = gpa + size < harvest->end ? gpa + size : harvest->end;
    uint64_t flags;

    if (to - from == size) {
        flags = ept_clear_in_leaf(slot, level, harvest->flags);
        if (flags != 0)
            harvest->result.flush = EPT_FLUSH_CONTEXT;
        if ((flags & EPT_DIRTY) != 0)
            ept_dirty_flag_lost(ept, gpa, level, (struct ept_entry){flags | EPT_READ | EPT_LARGE});
    } else {
        struct ept_entry entry = ept_load(slot);

        flags = ept_is_good_leaf(ept, level, entry) ? entry.raw & harvest->flags : 0;
    }
    if (flags != 0)
        report(harvest, from, to - from, flags);
}

static void harvest_run(struct ept *ept, const struct ept_run *run, void *context)
{
    uint64_t size = ept_level_size(run->level);

    for (unsigned n = 0; n < run->count; n++) {
        if (ept_load(&run->slots[n]).raw != 0)
            harvest_slot(ept, context, &run->slots[n], run->level, run->gpa + n * size);
    }
}

struct ept_harvest ept_harvest(struct ept *ept, uint64_t gpa, uint64_t size, uint64_t flags,
                               ept_harvest_page *page, void *context)
{
    uint64_t limit = UINT64_C(1) << ept->caps.guest_width;
    struct harvest harvest = {.start = gpa,
                              .end = size < limit && gpa < limit - size ? gpa + size : limit,
                              .flags = flags & (EPT_ACCESSED | EPT_DIRTY),
                              .page = page,
                              .context = context};

    if (size == 0 || ((gpa | size) & (EPT_PAGE_SIZE_4K - 1)) != 0)
        harvest.result.status = EPT_UNALIGNED;
    else if (!ept->caps.accessed_dirty)
        harvest.result.status = EPT_UNSUPPORTED;
    else
        ept_for_each_run(ept, gpa, harvest.end, harvest_run, &harvest);
    return harvest.result;
}

struct idle {
    uint64_t base;
    uint64_t *bitmap;
};

/* Whole words at a time: a large page has hundreds of bits. */
static void not_idle(void *context, uint64_t gpa, uint64_t size, uint64_t flags)
{
    const struct idle *idle = context;
    uint64_t page = (gpa - idle->base) >> PAGE_SHIFT;
    uint64_t end = page + (size >> PAGE_SHIFT);

    (void)flags;
    while (page < end) {
        if (page % 64 == 0 && end - page >= 64) {
            idle->bitmap[page / 64] = 0;
            page += 64;
        } else {
            idle->bitmap[page / 64] &= ~(UINT64_C(1) << page % 64);
            page++;
        }
    }
}

struct ept_harvest ept_harvest_idle_part(struct ept *ept, uint64_t base, uint64_t gpa, uint64_t size,
                                         uint64_t *bitmap)
{
    struct idle idle = {base, bitmap};
    uint64_t page = (gpa - base) >> PAGE_SHIFT, end = page + (size >> PAGE_SHIFT);

    while (page < end) {
        uint64_t next = (page | 63) + 1 < end ? (page | 63) + 1 : end;
        uint64_t below = page % 64 != 0 ? bitmap[page / 64] & ((UINT64_C(1) << page % 64) - 1) : 0;

        bitmap[page / 64] = below | UINT64_MAX >> (64 - (next - page)) << page % 64;
        for (page = next; page % 64 == 0 && end - page >= 64; page += 64)
            bitmap[page / 64] = UINT64_MAX;
    }
    return ept_harvest(ept, gpa, size, EPT_ACCESSED, not_idle, &idle);
}

struct ept_harvest ept_harvest_idle(struct ept *ept, uint64_t gpa, uint64_t size, uint64_t *bitmap)
{
    return ept_harvest_idle_part(ept, gpa, gpa, size, bitmap);
}
