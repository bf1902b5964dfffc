/* SPDX-License-Identifier: MIT */
/* The region list changes, and what the EPT holds of it goes. */
#include "ept/protect.h"
#include "ept/zap.h"
#include <stddef.h>

/* How a change of the list affects a region: true if its pages may not stay mapped as they are. */
struct change {
    enum { CHANGE_RIGHTS, CHANGE_TYPE } what;
    unsigned rights;
    enum memory_type type;
    bool ignore_pat;
};

static bool affects(const struct change *change, const struct ept_region *region)
{
    if (region->rights == 0)
        return false; /* nothing of it is mapped */
    if (change->what == CHANGE_RIGHTS)
        return (region->rights & ~change->rights) != 0;
    return region->type_from_mtrr || region->memory_type != (uint8_t)change->type ||
           region->ignore_pat != change->ignore_pat;
}

/*
 * Zaps what of the range is in regions that the change affects, before it is made. Nobody faults between this
 * and the change of the list, so the order does not matter; and should the change fail, the pages come back
 * by themselves.
 */
static enum ept_flush zap_affected(struct ept *ept, uint64_t gpa, uint64_t size, const struct change *change)
{
    const struct ept_region *end = ept->regions->regions + ept->regions->count;
    const struct ept_region *region = ept_region_next(ept->regions, gpa);
    enum ept_flush flush = EPT_FLUSH_NONE;

    for (; region != NULL && region < end && region->gpa < gpa + size; region++) {
        uint64_t from = region->gpa > gpa ? region->gpa : gpa;
        uint64_t to = region->gpa + region->size < gpa + size ? region->gpa + region->size : gpa + size;

        if (affects(change, region))
            flush = ept_flush_both(flush, ept_zap(ept, from, to - from));
    }
    return flush;
}

struct ept_change ept_remove(struct ept *ept, uint64_t gpa, uint64_t size)
{
    struct ept_change change = {ept_region_remove(ept->regions, gpa, size), EPT_FLUSH_NONE};

    if (change.status == EPT_OK)
        change.flush = ept_zap(ept, gpa, size);
    return change;
}

struct ept_change ept_set_rights(struct ept *ept, uint64_t gpa, uint64_t size, unsigned rights)
{
    struct change what = {.what = CHANGE_RIGHTS, .rights = rights};
    struct ept_change change = {EPT_OK, EPT_FLUSH_NONE};
    enum ept_flush flush = zap_affected(ept, gpa, size, &what);

    change.status = ept_region_set_rights(ept->regions, gpa, size, rights);
    change.flush = flush;
    return change;
}

struct ept_change ept_set_type(struct ept *ept, uint64_t gpa, uint64_t size, enum memory_type type,
                               bool ignore_pat)
{
    struct change what = {.what = CHANGE_TYPE, .type = type, .ignore_pat = ignore_pat};
    struct ept_change change = {EPT_OK, EPT_FLUSH_NONE};
    enum ept_flush flush = zap_affected(ept, gpa, size, &what);

    change.status = ept_region_set_type(ept->regions, gpa, size, type, ignore_pat);
    change.flush = flush;
    return change;
}
