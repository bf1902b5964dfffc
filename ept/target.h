/* SPDX-License-Identifier: MIT */
/*
 * Inside the engine: what the region list wants at an address, as a leaf of any level. In a header because
 * every EPT violation goes through it.
 */
#ifndef EPT_TARGET_H
#define EPT_TARGET_H

#include "ept/dirty.h"
#include "ept/map.h"
#include "ept/page_type.h"

/* What the list wants at an address: a leaf of any level is built from this. */
struct ept_target {
    uint64_t attributes;             /* rights, type, IPAT of a 4 KiB leaf */
    uint64_t large_without;          /* of these, what a large page must not have */
    uint64_t offset;                 /* hpa - gpa */
    const struct ept_dirty_log *log; /* that the page is under, or NULL */
    unsigned write_level;            /* the highest level at which a page gets W */
    unsigned split_grant;            /* rights that a 2 MiB page lacked and its parts get when it is split */
    unsigned largest;                /* level of the page to install */
    unsigned fits;                   /* highest level at which one page would be right */
};

/* The leaf of a level (up to `fits`) that translates gpa, without accessed and dirty flags. */
static inline struct ept_entry ept_target_leaf(const struct ept_target *target, uint64_t gpa, unsigned level)
{
    uint64_t raw = ((gpa & ~(ept_level_size(level) - 1)) + target->offset) | target->attributes;

    if (level > target->write_level)
        raw &= ~EPT_WRITE;
    if (level > EPT_LEVEL_PT)
        raw = (raw & ~target->large_without) | EPT_LARGE;
    return (struct ept_entry){raw};
}

/* For an address that the region holds, and an access (0: none in mind). Without a dirty log in mind. */
static inline void ept_target_choose(const struct ept *ept, const struct ept_region *region, uint64_t gpa,
                                     unsigned access, struct ept_target *target)
{
    enum memory_type type;
    uint64_t offset = region->hpa - region->gpa;
    unsigned level = EPT_LEVEL_PT;

    for (unsigned larger = EPT_LEVEL_PD; larger <= EPT_LEVEL_PDPT && ept_caps_leaf(&ept->caps, larger);
         larger++) {
        uint64_t size = ept_level_size(larger);
        uint64_t start = gpa & ~(size - 1);

        if ((offset & (size - 1)) != 0 || start < region->gpa || start + size > region->gpa + region->size)
            break;
        level = larger;
    }
    while (!ept_page_type(ept, region, gpa & ~(ept_level_size(level) - 1), ept_level_size(level), &type))
        level--; /* 4 KiB always have one type */
    target->attributes = region->rights | (uint64_t)type << EPT_MEMORY_TYPE_SHIFT;
    if (region->ignore_pat)
        target->attributes |= EPT_IGNORE_PAT;
    target->large_without = 0;
    target->split_grant = 0;
    target->log = NULL;
    target->write_level = EPT_LEVEL_MAX;
    target->offset = offset;
    target->fits = target->largest = level;
    if (ept->no_executable_large && (region->rights & EPT_EXECUTE) != 0) {
        /* Without X a page needs R, so an execute-only region gets small pages at once. */
        target->large_without = target->split_grant = EPT_EXECUTE;
        if ((access & EPT_EXECUTE) != 0 || region->rights == EPT_EXECUTE)
            target->largest = EPT_LEVEL_PT;
    }
}

/* After ept_target_choose(). If a dirty log runs and covers the page: W only where the log allows it, so that
 * no write escapes. */
static inline void ept_target_for_log(struct ept *ept, uint64_t gpa, unsigned access,
                                      struct ept_target *target)
{
    const struct ept_dirty_log *log = __atomic_load_n(&ept->dirty, __ATOMIC_ACQUIRE);
    bool write = (access & EPT_WRITE) != 0;

    if (log == NULL || (target->attributes & EPT_WRITE) == 0 ||
        (gpa & ~(ept_level_size(target->fits) - 1)) / EPT_PAGE_SIZE_4K >= log->pages)
        return;
    target->log = log;
    target->write_level = log->source != EPT_DIRTY_WRITE_PROTECTION || write ? log->granularity : 0;
    if (write && target->largest > log->granularity)
        target->largest = log->granularity;
    if (log->source != EPT_DIRTY_WRITE_PROTECTION && log->granularity == EPT_LEVEL_PT)
        target->split_grant |= EPT_WRITE;
}

#endif
