/* SPDX-License-Identifier: MIT */
/*
 * 512 equal pages (or fewer, where the others are not mapped yet) back into one large page. In two steps with
 * the flush in between:
 *
 *   1. ept_merge() checks that the table's entries are one large page but for their size, and replaces the
 * reference to the table by the large page at once. The table stays as it is: a processor that has cached the
 * reference walks on through it and finds the same translations.
 *   2. The caller flushes on every CPU that runs the VM. From then on no processor walks the old table.
 *   3. ept_merge_finish() adds the accessed and dirty flags that processors have set in the old table
 * meanwhile to the large page, and retires the table.
 *
 * So at no moment is a translation missing or wrong, and no flag is lost.
 */
#ifndef EPT_MERGE_H
#define EPT_MERGE_H

#include "ept/map.h"

#define EPT_MERGE_MAX 32

/* Tables that were unlinked and wait for the flush. */
struct ept_merge_batch {
    unsigned count;
    struct {
        uint64_t gpa; /* the first that the large page translates */
        uint64_t table;
        uint8_t level; /* of the large page */
    } merged[EPT_MERGE_MAX];
};

/*
 * Merges what can be merged into pages of `level` (2 or 3) in [gpa, end), until the end or until the batch is
 * full, and returns where it stopped (>= end: all done) with *flush. Not merged: what the region list does
 * not hold in one region with these very rights; what would be an executable large page where they are not
 * wanted; anything while a dirty log runs. Guests may run; other CPUs may be in ept_fault() and
 * ept_harvest(), but in no other function of this EPT, and the region list may not change, until
 * ept_merge_finish() has returned.
 */
EPT_MUST_CHECK uint64_t ept_merge(struct ept *ept, uint64_t gpa, uint64_t end, unsigned level,
                                  struct ept_merge_batch *batch, enum ept_flush *flush);

/*
 * After the flush: see above. Empties the batch. The frames are given back by ept_reclaim(), for which this
 * flush is good enough if no other CPU has been inside a function of this EPT since before it.
 */
void ept_merge_finish(struct ept *ept, struct ept_merge_batch *batch);

#endif
