/* SPDX-License-Identifier: MIT */
/* What an EPT maps, as ranges of alike pages. */
#ifndef EPT_DUMP_H
#define EPT_DUMP_H

#include "ept/map.h"

enum ept_dump_kind {
    EPT_DUMP_PAGES,   /* leaves of one level that run on in both spaces */
    EPT_DUMP_BAD,     /* one entry that is misconfigured or references no table of this EPT: entry_hpa, raw */
    EPT_DUMP_PLANTED, /* one reference to a table that was made not present on purpose */
};

struct ept_dump_range {
    enum ept_dump_kind kind;
    uint64_t gpa, size;
    uint64_t hpa;           /* PAGES */
    uint64_t entry_hpa;     /* else: where the entry stands */
    struct ept_entry entry; /* else: the entry */
    uint8_t level;
    uint8_t rights; /* AND over the walk */
    uint8_t memory_type;
    bool ignore_pat, accessed, dirty, temporary;
};

/* Calls `range` for every range, lowest guest-physical address first. Any CPU; beside faults it is a snapshot
 * in time only per entry. */
void ept_dump(const struct ept *ept, void (*range)(void *context, const struct ept_dump_range *),
              void *context);

#endif
