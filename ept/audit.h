/* SPDX-License-Identifier: MIT */
/* Proof that a hierarchy is what it should be: every frame asked for its owner, every leaf compared with the
 * region list. */
#ifndef EPT_AUDIT_H
#define EPT_AUDIT_H

#include "ept/map.h"

struct ept_audit_check {
    void *context;
    /* May this frame be a table of this EPT? NULL: not asked. */
    bool (*table)(void *context, uint64_t hpa);
    /* May this VM reach these frames with these rights? size: 4 KiB, 2 MiB, 1 GiB. NULL: not asked. */
    bool (*page)(void *context, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned rights);
    /* Room to remember tables in, to see one that is reached twice: at least twice as many words as tables.
     * NULL: not looked for. */
    uint64_t *scratch;
    uint64_t scratch_words;
};

struct ept_audit {
    uint64_t tables;                     /* reached, each once, with the root */
    uint64_t leaves[EPT_LEVEL_PDPT + 1]; /* by level */
    uint64_t temporary;                  /* leaves of ept_map_one() */
    uint64_t planted;                    /* entries spoilt on purpose: recorded references, marked leaves */
    uint64_t foreign_tables; /* references to frames that `table` or table_at refuses; not followed */
    uint64_t foreign_pages;  /* leaves that `page` refuses */
    uint64_t cycles;         /* references to a table on the way to itself; not followed */
    uint64_t shared;         /* references to a table reached before by another way; not followed */
    uint64_t malformed;      /* entries that are misconfigured, frozen, or not as the engine writes them */
    uint64_t unlisted; /* leaves outside of every region, or with more rights, another type or address than
                          theirs */
    uint64_t noncanonical; /* leaves with a bit that the engine never sets, or of a size that it never gives
                              them: a processor may take them, yet they are not its own */
    uint64_t unreachable;  /* regions of the list that no fault can map: out of order or beyond a width; and
                              parts of  regions with an entry on the way that is none of the engine's */
    uint64_t lost;   /* table frames taken that are neither reached, nor below a planted entry, nor retired */
    bool incomplete; /* scratch was too small: shared, lost are not exact */
    uint64_t first_bad_gpa; /* of the first finding, UINT64_MAX for none */
};

/* The VM does not run, no CPU uses the EPT, and no dirty log runs. Returns true if nothing is wrong: all from
 * foreign_tables to lost 0. */
EPT_MUST_CHECK bool ept_audit(struct ept *ept, const struct ept_audit_check *check, struct ept_audit *result);

#endif
