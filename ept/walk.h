/* SPDX-License-Identifier: MIT */
/* The walk of a guest-physical address through an EPT, as a processor does it, with everything it sees on its
 * way. */
#ifndef EPT_WALK_H
#define EPT_WALK_H

#include "ept/map.h"

enum ept_walk_end {
    EPT_WALK_MAPPED,      /* a leaf; hpa, type and rights are valid */
    EPT_WALK_NOT_PRESENT, /* the last entry has none of R, W, X */
    EPT_WALK_MISCONFIG,   /* the last entry is misconfigured: misconfig.h says how */
    EPT_WALK_FOREIGN, /* the last entry references a frame that is no table of this EPT; it is not followed */
    EPT_WALK_BEYOND_WIDTH, /* no entry at all: the address cannot be translated */
};

struct ept_walk_step {
    uint64_t entry_hpa; /* host-physical address of the entry */
    struct ept_entry entry;
    uint8_t level;
};

struct ept_walk {
    struct ept_walk_step steps[EPT_LEVEL_MAX]; /* from the root on */
    uint8_t count;
    uint8_t level; /* of the last step; of the leaf if mapped; 0 without any */
    enum ept_walk_end end;
    uint8_t rights;      /* AND of R, W, X over the steps; 0 unless mapped */
    uint8_t memory_type; /* of the leaf */
    bool ignore_pat, accessed, dirty;
    uint64_t hpa; /* of gpa itself */
};

/* Any CPU; changes nothing. */
struct ept_walk ept_walk(const struct ept *ept, uint64_t gpa);

/* "mapped", "not present"...; "?" for another number. */
const char *ept_walk_end_text(enum ept_walk_end end);

#endif
