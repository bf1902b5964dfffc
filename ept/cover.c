/* SPDX-License-Identifier: MIT */
/* Taking a page out of the memory map for a device that lies over it, and putting it back. */
#include "ept/cover.h"
#include "ept/protect.h"
#include "ept/table.h"
#include <stddef.h>

struct ept_change ept_cover(struct ept *ept, struct ept_cover *cover, uint64_t gpa)
{
    uint64_t page = gpa & ~(EPT_PAGE_SIZE_4K - 1);
    const struct ept_region *region = ept_region_find(ept->regions, page);
    struct ept_change change = {EPT_OK, EPT_FLUSH_NONE};
    struct ept_region under;

    if (region == NULL)
        return change;
    under = *region;
    if (under.kind != EPT_REGION_HOLE)
        under.hpa += page - under.gpa;
    under.gpa = page;
    under.size = EPT_PAGE_SIZE_4K;
    change = ept_remove(ept, page, EPT_PAGE_SIZE_4K);
    if (change.status == EPT_OK)
        *cover = (struct ept_cover){true, under};
    return change;
}

enum ept_status ept_uncover(struct ept *ept, struct ept_cover *cover)
{
    enum ept_status status = EPT_OK;

    if (cover->takes) {
        ept_shape_changes(ept);
        status = ept_region_add(ept->regions, &cover->under);
    }
    if (status == EPT_OK)
        cover->takes = false;
    return status;
}
