/* SPDX-License-Identifier: MIT */
/*
 * The walk that Adept predicts against what the processor does: HYPERCALL_WALK_PREPARE, HYPERCALL_WALK_CHECK,
 * and the EPT exits between them. vmm/hypercall_abi.h says how a guest uses it.
 */
#ifndef VMM_CHECK_SELF_WALK_H
#define VMM_CHECK_SELF_WALK_H

#include "arch/x86/compiler.h"
#include "ept/walk2d.h"
#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* Distinct EPT entries of a check: a few pages by at most five levels. */
#define WALK_CHECK_ENTRIES_MAX  96
#define WALK_CHECK_FILTER_WORDS 8
#define WALK_CHECK_DIFFERENCES_MAX 200 /* a check is one exit, and ends behind so many */
#define WALK_CHECK_TEXT            128

struct walk_check_entry {
    uint64_t hpa;
    bool dirty;
    bool seen; /* met in the EPT by the comparison */
};

/* Where an emulator is known to depart from the manual; counted, not taken for a difference. */
enum walk_departure {
    /* Bochs 2.7: with A/D flags for EPT, a violation by the guest's page walk has only the write bit, not the
       read bit as well. */
    WALK_DEPARTURE_READ_BIT,
    /* Bochs 2.7: without them, the guest's accessed and dirty flags are written to memory that the EPT has
       read-only. */
    WALK_DEPARTURE_FLAG_WRITE,
    WALK_DEPARTURE_COUNT,
};

/* What is predicted to happen next. */
struct walk_event {
    enum walk2d_end end; /* DONE: no fault */
    bool flag_update;
    uint64_t qualification, qualification_open; /* open: bits that the manual leaves to the processor */
    uint64_t gpa, linear_address;
};

struct walk_check {
    uint64_t linear_address;
    enum guest_access access;
    enum walk2d_end first_end; /* how the access was predicted to end at PREPARE */
    uint64_t first_detail;
    uint8_t first_references;
    struct walk_event event;
    bool page_fault; /* predicted */
    uint32_t error_code;
    struct walk_check_entry entries[WALK_CHECK_ENTRIES_MAX]; /* predicted to have their accessed flag set */
    uint64_t expected[WALK_CHECK_FILTER_WORDS];
    unsigned entry_count;
    uint32_t differences, departures; /* of this check */
    struct walk2d walk;               /* the last one */

    /* All checks. */
    uint32_t checks, faults, entries_compared, differences_total, departure_counts[WALK_DEPARTURE_COUNT];
    char first_difference[WALK_CHECK_TEXT];
};

#endif
