/* SPDX-License-Identifier: MIT */
/*
 * The cases of the conformance tester: which values stand in the EPT entries that translate one
 * guest-physical page, and what is done to that page. First every systematic case, in an order that makes any
 * beginning a fair sample, with a random one after every seven; then random ones without end. Pure: a case
 * depends on the processor's capabilities, the layout, the seed and its number, and on nothing else.
 */
#ifndef VMM_CHECK_CONFORMANCE_CASE_H
#define VMM_CHECK_CONFORMANCE_CASE_H

#include "ept/caps.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * Frames for EPT tables, in a row and aligned to the length of the row. Those in use have numbers with an
 * even number of ones, so that a reference with one address bit wrong leads to a frame that is all zero.
 */
#define CONFORMANCE_TABLES 16u
enum conformance_table {
    CONFORMANCE_ROOT = 0,
    CONFORMANCE_FIXED_PDPT = 3, /* the guest's code and the tables that are not tested */
    CONFORMANCE_FIXED_PD = 5,
    CONFORMANCE_FIXED_PT = 6,
    CONFORMANCE_PROBE_PDPT = 9, /* the page that is tested */
    CONFORMANCE_PROBE_PD = 10,
    CONFORMANCE_PROBE_PT = 12,
};

/* The memory that a valid entry may lead to, aligned to its size: every frame of it is the VM's. */
#define CONFORMANCE_SCRATCH_SIZE (UINT64_C(4) << 20)
#define CONFORMANCE_LEVELS       4u

/* What a systematic case varies. */
enum conformance_family {
    CONFORMANCE_LOW_BITS,  /* bits 11:0 of one entry, every value, at each level */
    CONFORMANCE_HIGH_BITS, /* one of bits 63:12, in each kind of entry */
    CONFORMANCE_RIGHTS_4K, /* rights of all entries on the way, every combination */
    CONFORMANCE_RIGHTS_2M,
    CONFORMANCE_RIGHTS_1G,
    CONFORMANCE_TYPES, /* memory type and "ignore PAT" of a leaf, and the type of the paging structures */
    CONFORMANCE_FAMILIES,
};

/* Where everything is. Made by conformance_layout_init(). */
struct conformance_layout {
    struct ept_caps caps;
    uint64_t tables;                           /* host-physical, of CONFORMANCE_TABLES frames */
    uint64_t scratch;                          /* host-physical */
    uint64_t probe_gpa;                        /* of the page that the entries of a case translate */
    uint64_t fixed_gpa;                        /* from here on, what is not tested */
    uint8_t table[CONFORMANCE_LEVELS + 1];     /* by level: frame that holds the probe's entry */
    uint64_t slot[CONFORMANCE_LEVELS + 1];     /* by level: host-physical address of that entry */
    uint32_t stride;                           /* from one systematic case to the next */
    uint32_t family_end[CONFORMANCE_FAMILIES]; /* numbers of the systematic cases, from family to family */
};

/*
 * caps: a 4-level walk must be among them. tables, scratch: aligned to the size of the whole. The probe's
 * page has the lower 39 address bits of its own frame in scratch memory, so that pages of every size can map
 * it.
 */
void conformance_layout_init(struct conformance_layout *layout, const struct ept_caps *caps, uint64_t tables,
                             uint64_t scratch);

enum conformance_access {
    CONFORMANCE_READ,
    CONFORMANCE_WRITE,
    CONFORMANCE_READ_WRITE, /* by one instruction */
    CONFORMANCE_FETCH,
    CONFORMANCE_WALK, /* the page holds a guest paging structure: an entry is read on the way to another page
                       */
    CONFORMANCE_WALK_FLAGS, /* and its accessed flag, in a leaf its dirty flag too, must be set */
    CONFORMANCE_ACCESSES,
};

/* The instructions of CONFORMANCE_READ_WRITE. */
enum conformance_instruction {
    CONFORMANCE_ADD,
    CONFORMANCE_XCHG,
    CONFORMANCE_XADD,
    CONFORMANCE_INSTRUCTIONS
};

struct conformance_case {
    uint64_t number;
    bool random;
    enum conformance_access access;
    enum conformance_instruction instruction;
    uint8_t guest_level; /* WALK, WALK_FLAGS: 1..3, the level of the structure on the page; else 0 */
    bool accessed_dirty;
    uint8_t structures_type;                /* bits 2:0 of the EPTP */
    uint64_t entry[CONFORMANCE_LEVELS + 1]; /* by level, 1..4 */
    bool confined;                          /* conformance_confine() has taken rights away */
    uint64_t frame; /* the scratch frame that the entries lead to if every fault is overlooked; 0: none */
};

/* How many systematic cases there are. */
uint32_t conformance_systematic_count(const struct conformance_layout *layout);

/* The case of that number, 0 to anything, confined. */
void conformance_case_make(struct conformance_case *test, const struct conformance_layout *layout,
                           uint64_t seed, uint64_t number);

/* "read", "page walk"...; "?" for another number. */
const char *conformance_access_text(enum conformance_access access);

#endif
