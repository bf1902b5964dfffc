/* SPDX-License-Identifier: MIT */
/* The type of a leaf, from both sides' MTRRs. */
#include "ept/page_type.h"
#include "ept/leaves.h"
#include "ept/table.h"
#include "ept/zap.h"
#include <stddef.h>

/* Stretches of one type that a part of a change of the guest's MTRRs is compared by before the part goes as a
 * whole. */
#define STRETCHES_MAX 16

enum memory_type ept_combine_types(enum memory_type machine, enum memory_type guest)
{
    if (machine == guest || guest == MEMORY_TYPE_WB)
        return machine;
    return machine == MEMORY_TYPE_WB ? guest : MEMORY_TYPE_UC;
}

bool ept_page_type_mixed(const struct ept *ept, const struct ept_region *region, uint64_t gpa, uint64_t size,
                         enum memory_type *type)
{
    enum memory_type machine = (enum memory_type)region->memory_type, guest = MEMORY_TYPE_WB;
    unsigned n;

    if (region->type_from_mtrr &&
        !mtrr_type_uniform(ept->mtrr, region->hpa + (gpa - region->gpa), size, &machine))
        return false;
    n = mtrr_stretch_of(&ept->guest_mtrr, gpa);
    if (n < ept->guest_mtrr.stretch_count) {
        guest = (enum memory_type)ept->guest_mtrr.stretch_type[n];
        if (ept->guest_mtrr.stretch_end[n] - gpa < size)
            return false;
    } else if (size > EPT_PAGE_SIZE_4K || !mtrr_type_uniform_slow(&ept->guest_mtrr, gpa, size, &guest)) {
        return false; /* a guest may have made very many pieces: one look, and small pages */
    }
    *type = ept_combine_types(machine, guest);
    return true;
}

/* Where WB begins that lasts to the end of guest-physical memory; all of it, if the registers make more
 * stretches than are worked out. */
static uint64_t end_of_types(const struct mtrr_snapshot *mtrr)
{
    unsigned n = mtrr->stretch_count;

    if (n == 0 || mtrr->stretch_end[n - 1] != UINT64_MAX || mtrr->stretch_type[n - 1] != MEMORY_TYPE_WB)
        return UINT64_MAX;
    return n > 1 ? mtrr->stretch_end[n - 2] : 0;
}

static enum memory_type guest_type(const struct mtrr_snapshot *mtrr, bool known, uint64_t gpa, uint64_t *end)
{
    struct memory_type_range range = {.type = MEMORY_TYPE_WB, .end = UINT64_MAX};

    if (known)
        range = mtrr_type_at(mtrr, gpa);
    if (range.end < *end)
        *end = range.end;
    return range.type;
}

/* Zaps what of [start, end), which lies in one region, was mapped with another type. */
static enum ept_flush zap_other_types(struct ept *ept, uint64_t start, uint64_t end)
{
    enum ept_flush flush = EPT_FLUSH_NONE;
    uint64_t at = start;

    for (unsigned stretches = 0; at < end; stretches++) {
        uint64_t next = end;
        enum memory_type old = guest_type(&ept->old_guest_mtrr, ept->old_types_end != 0, at, &next);
        bool differs = guest_type(&ept->guest_mtrr, ept->guest_types_end != 0, at, &next) != old;

        if (stretches == STRETCHES_MAX) /* a whole table is less work than the pages in it */
            return ept_flush_both(flush, ept_zap(ept, start, end - start));
        if (differs)
            flush = ept_flush_both(flush, ept_zap(ept, at, next - at));
        at = next;
    }
    return flush;
}

void ept_guest_mtrr_begin(struct ept *ept, const struct mtrr_snapshot *mtrr)
{
    ept->old_guest_mtrr = ept->guest_mtrr;
    ept->old_types_end = ept->guest_types_end;
    ept->old_types_from = 0;
    ept->guest_types_end = 0;
    if (mtrr != NULL) {
        ept->guest_mtrr = *mtrr;
        mtrr_work_out(&ept->guest_mtrr);
        ept->guest_types_end = end_of_types(&ept->guest_mtrr);
    }
    ept_shape_changes(ept);
}

bool ept_guest_mtrr_step(struct ept *ept, struct ept_retyped *part)
{
    uint64_t from = ept->old_types_from;
    const struct ept_region *region = from != UINT64_MAX ? ept_region_next(ept->regions, from) : NULL;

    if (region == NULL || region == ept->regions->regions + ept->regions->count) {
        ept->old_types_from = UINT64_MAX;
        return false;
    }
    part->start = region->gpa > from ? region->gpa : from;
    part->end = region->gpa + region->size;
    part->flush = EPT_FLUSH_NONE;
    if (region->rights != 0) {
        part->end = ept_portion(ept, part->start, part->end, EPT_ENTRIES);
        part->flush = zap_other_types(ept, part->start, part->end);
    }
    ept->old_types_from = part->end;
    return true;
}

enum ept_flush ept_set_guest_mtrr(struct ept *ept, const struct mtrr_snapshot *mtrr)
{
    enum ept_flush flush = EPT_FLUSH_NONE;
    struct ept_retyped part;

    ept_guest_mtrr_begin(ept, mtrr);
    while (ept_guest_mtrr_step(ept, &part))
        flush = ept_flush_both(flush, part.flush);
    return flush;
}
