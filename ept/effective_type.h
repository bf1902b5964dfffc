/* SPDX-License-Identifier: MIT */
/*
 * The memory type of a guest's access under EPT, step by step: SDM vol. 3, "EPT and Memory Typing", and the
 * table of "Selecting Memory Types for Pentium III and More Recent Processor Families" ("Effective Page-Level
 * Memory Types"). The MTRRs have no say in it; memtype.h tells what they would have said, for leaves that
 * must repeat it.
 */
#ifndef EPT_EFFECTIVE_TYPE_H
#define EPT_EFFECTIVE_TYPE_H

#include "ept/memtype.h"
#include <stdbool.h>
#include <stdint.h>

/* The encoding of IA32_PAT's entries: that of the MTRRs, and UC-. SDM vol. 3, "Page Attribute Table (PAT)".
 */
enum pat_type {
    PAT_TYPE_UC = 0,
    PAT_TYPE_WC = 1,
    PAT_TYPE_WT = 4,
    PAT_TYPE_WP = 5,
    PAT_TYPE_WB = 6,
    PAT_TYPE_UC_MINUS = 7, /* UC that a WC or WP region below it makes WC */
};

/* True for the six values above. */
bool pat_type_valid(unsigned type);

/* "UC", "WC", "WT", "WP", "WB", "UC-"; "?" for a reserved value. */
const char *pat_type_name(unsigned type);

/* PA0..PA7 of a value of IA32_PAT: all eight bits of the entry. index: 4 * PAT + 2 * PCD + PWT of the guest's
 * page. */
static inline unsigned pat_entry(uint64_t pat, unsigned index)
{
    return (unsigned)(pat >> 8 * (index & 7)) & 0xff;
}

enum ept_type_step_kind {
    EPT_TYPE_STRUCTURES, /* the processor's own accesses to the EPT's entries */
    EPT_TYPE_LEAF,       /* bits 5:3 of the leaf */
    EPT_TYPE_PAT,        /* what the guest asks for */
    EPT_TYPE_COMBINED,   /* the two of them, or the leaf alone */
    EPT_TYPE_EFFECTIVE,  /* the effective type of the access */
    EPT_TYPE_STEP_COUNT,
};

enum ept_type_reason {
    EPT_TYPE_BY_EPTP,
    EPT_TYPE_EPTP_RESERVED, /* VM entry would fail */
    EPT_TYPE_BY_LEAF,
    EPT_TYPE_LEAF_RESERVED, /* an EPT misconfiguration */
    EPT_TYPE_BY_PAT_ENTRY,
    EPT_TYPE_PAGING_OFF,
    EPT_TYPE_PAT_RESERVED, /* WRMSR and VM entry refuse such a PAT */
    EPT_TYPE_PAT_IGNORED,
    EPT_TYPE_BY_TABLE,
    EPT_TYPE_NEVER_CACHED,   /* note 1 of the table: UC by the leaf */
    EPT_TYPE_CACHES_CHECKED, /* note 2: UC by the PAT over something cacheable */
    EPT_TYPE_ONCE_UNDEFINED, /* note 3 */
    EPT_TYPE_CACHES_ON,
    EPT_TYPE_CACHES_OFF,
    EPT_TYPE_NO_ACCESS, /* an earlier step does not stand */
    EPT_TYPE_REASON_COUNT,
};

struct ept_type_step {
    uint8_t type; /* enum pat_type for EPT_TYPE_PAT, else enum memory_type; as found if reserved */
    enum ept_type_reason reason;
};

struct ept_type_input {
    uint64_t eptp;       /* bits 2:0 */
    uint64_t cr0;        /* the processor's, not what the guest is shown of it: bits 30 (CD), 31 (PG) */
    uint64_t pat;        /* IA32_PAT while the guest runs */
    uint8_t pat_index;   /* 0..7 of the guest's page; without meaning when CR0.PG = 0 */
    uint8_t memory_type; /* bits 5:3 of the leaf */
    bool ignore_pat;     /* bit 6 */
};

struct ept_effective_type {
    bool valid; /* no step met a reserved value: `type` and `structures` are what a processor uses */
    enum memory_type type;                           /* of the guest's access; UC unless valid */
    enum memory_type structures;                     /* of accesses to the EPT's entries; UC unless valid */
    struct ept_type_step steps[EPT_TYPE_STEP_COUNT]; /* by enum ept_type_step_kind, in that order */
};

/* One cell of the manual's table: the leaf's type (which stands where the table has the MTRR's) and the
 * PAT's. Both valid. */
enum memory_type effective_type_combine(enum memory_type leaf, enum pat_type pat,
                                        enum ept_type_reason *reason);

/* The whole derivation. */
struct ept_effective_type ept_effective_type(const struct ept_type_input *input);

/* "structures", "leaf", "pat", "combined", "effective"; "?" for another number. */
const char *ept_type_step_name(enum ept_type_step_kind kind);

/* Why, in words; "?" for another number. */
const char *ept_type_reason_text(enum ept_type_reason reason);

#endif
