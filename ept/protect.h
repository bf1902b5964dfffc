/* SPDX-License-Identifier: MIT */
/* Changes of the memory map of a VM that has an EPT: the region list and its cache together. */
#ifndef EPT_PROTECT_H
#define EPT_PROTECT_H

#include "ept/map.h"

/*
 * Each changes the list and what is mapped of it, in place: a large page that the change divides is split
 * first, then every leaf of the range gets its new rights or type by one exchange and keeps its accessed and
 * dirty flags. So a page beside the range is never missing, and one inside translates by the old rights or by
 * the new ones. Where pages have become equal again, ept_merge() of merge.h puts them together: run it over
 * the range after the flush.
 *
 * No other CPU may be in a function of this EPT meanwhile; guests may run, until the flush is done with the
 * old rights. Status as the ept_region_...() functions; with any but EPT_OK nothing has changed. If no table
 * frame is left for a split, the large page goes whole and comes back by faults.
 */
/*
 * Before a change of [gpa, gpa + size) in parts: what is mapped by one large page at its ends is mapped by
 * smaller ones, with the same translations, so that ept_portion() of leaves.h sees them.
 */
EPT_MUST_CHECK enum ept_flush ept_split_borders(struct ept *ept, uint64_t gpa, uint64_t size);

EPT_MUST_CHECK struct ept_change ept_remove(struct ept *ept, uint64_t gpa, uint64_t size);
EPT_MUST_CHECK struct ept_change ept_set_rights(struct ept *ept, uint64_t gpa, uint64_t size,
                                                unsigned rights);
EPT_MUST_CHECK struct ept_change ept_set_type(struct ept *ept, uint64_t gpa, uint64_t size,
                                              enum memory_type type, bool ignore_pat);
EPT_MUST_CHECK struct ept_change ept_set_type_from_mtrr(struct ept *ept, uint64_t gpa, uint64_t size,
                                                        bool ignore_pat);

#endif
