/* SPDX-License-Identifier: MIT */
/*
 * A page that a device's registers lie over for a while. What the list has there is out of it meanwhile, so
 * that no access, fetch or walk finds it, and comes back as it was.
 */
#ifndef EPT_COVER_H
#define EPT_COVER_H

#include "ept/map.h"

struct ept_cover {
    bool takes; /* `under` was in the list */
    struct ept_region under;
};

/*
 * Both need what ept_remove() of protect.h needs, and the flush that they ask for. ept_cover(): `cover` must
 * not take anything; EPT_OK also where the list has nothing; else as ept_remove(). ept_uncover(): as
 * ept_region_add(); with anything but EPT_OK `cover` keeps what it has.
 */
EPT_MUST_CHECK struct ept_change ept_cover(struct ept *ept, struct ept_cover *cover, uint64_t gpa);
EPT_MUST_CHECK enum ept_status ept_uncover(struct ept *ept, struct ept_cover *cover);

#endif
