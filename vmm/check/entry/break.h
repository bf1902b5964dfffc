/* SPDX-License-Identifier: MIT */
/* Good VMCSs of several kinds, and how to break each rule of the entry checks and no other. Pure; for tests
 * of the checker and of processors. */
#ifndef VMM_CHECK_ENTRY_BREAK_H
#define VMM_CHECK_ENTRY_BREAK_H

#include "vmm/check/entry/check.h"

/* All but REAL are made from a good VMCS of an unrestricted guest in real mode, as vmcs_setup() leaves it. */
enum entry_state {
    ENTRY_STATE_REAL,
    ENTRY_STATE_PROTECTED,  /* 32-bit code, flat segments, no paging */
    ENTRY_STATE_PAE,        /* the same with PAE paging; PDPTEs not present */
    ENTRY_STATE_RESTRICTED, /* the same with 32-bit paging, and "unrestricted guest" off */
    ENTRY_STATE_V86,
    ENTRY_STATE_LONG,
    ENTRY_STATE_COUNT,
};
void entry_state_make(struct entry_snapshot *snapshot, enum entry_state state);
const char *entry_state_name(enum entry_state state);

/* What the breaks may point to. */
struct entry_scratch {
    uint64_t physical;      /* a page of zeros */
    struct entry_msr *msrs; /* the same page: the VM-entry MSR-load area of the breaks of "Loading MSRs" */
};

struct entry_break {
    const char *rule;
    enum entry_state state;
    bool (*available)(const struct entry_snapshot *snapshot);
    void (*apply)(struct entry_snapshot *snapshot, const struct entry_scratch *scratch);
};
extern const struct entry_break entry_breaks[];
extern const unsigned entry_break_count;

#endif
