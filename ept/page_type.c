/* SPDX-License-Identifier: MIT */
/* The type of a leaf, from both sides' MTRRs. */
#include "ept/page_type.h"
#include "ept/table.h"
#include "ept/zap.h"
#include <stddef.h>

/* Stretches of one type that a change of the guest's MTRRs is compared by before the rest goes as a whole. */
#define STRETCHES_MAX 4096

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

    if (region->type_from_mtrr &&
        !mtrr_type_uniform(ept->mtrr, region->hpa + (gpa - region->gpa), size, &machine))
        return false;
    if (!mtrr_type_uniform(&ept->guest_mtrr, gpa, size, &guest))
        return false;
    *type = ept_combine_types(machine, guest);
    return true;
}

/* Where WB begins that lasts to the end of guest-physical memory, as far as that can be told in few steps. */
static uint64_t end_of_types(const struct mtrr_snapshot *mtrr)
{
    uint64_t at = 0, end = 0;

    for (unsigned n = 0; n < STRETCHES_MAX; n++) {
        struct memory_type_range range = mtrr_type_at(mtrr, at);

        if (range.type != MEMORY_TYPE_WB)
            end = range.end;
        if (range.end == UINT64_MAX)
            return end;
        at = range.end;
    }
    return UINT64_MAX;
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

enum ept_flush ept_set_guest_mtrr(struct ept *ept, const struct mtrr_snapshot *mtrr)
{
    const struct ept_region *region = ept_region_next(ept->regions, 0);
    const struct ept_region *last = ept->regions->regions + ept->regions->count;
    bool known = ept->guest_types_end != 0;
    enum ept_flush flush = EPT_FLUSH_NONE;
    unsigned stretches = 0;

    for (; region != NULL && region < last; region++) {
        uint64_t at = region->gpa, region_end = region->gpa + region->size;

        while (at < region_end && region->rights != 0) {
            uint64_t end = region_end;
            enum memory_type old = guest_type(&ept->guest_mtrr, known, at, &end);
            bool differs = guest_type(mtrr, mtrr != NULL, at, &end) != old;

            if (++stretches > STRETCHES_MAX) {
                differs = true;
                end = region_end;
            }
            if (differs)
                flush = ept_flush_both(flush, ept_zap(ept, at, end - at));
            at = end;
        }
    }
    ept->guest_types_end = mtrr == NULL ? 0 : end_of_types(mtrr);
    if (mtrr != NULL) {
        ept->guest_mtrr = *mtrr;
        mtrr_work_out(&ept->guest_mtrr);
    }
    ept_shape_changes(ept);
    return flush;
}
