/* SPDX-License-Identifier: MIT */
/*
 * An access that the memory map denies: which policy decides, what the instruction sees where the policy is
 * to ignore it, and how it is told. Pure.
 */
#ifndef VMM_EXIT_DENIED_ACCESS_H
#define VMM_EXIT_DENIED_ACCESS_H

#include "ept/map.h"
#include "vmm/vm/config.h"
#include <stdbool.h>
#include <stdint.h>

/* The page that the instruction sees. What it writes there goes nowhere, but for DENIED_PAGE_OWN. */
enum denied_page {
    DENIED_PAGE_ONES, /* an empty bus: all ones */
    DENIED_PAGE_COPY, /* the memory's contents */
    DENIED_PAGE_OWN,  /* the memory itself, with the right to execute beside those that the guest has */
};

struct denied_access {
    bool may_be_ignored;      /* false: the guest cannot go on, whatever its policy */
    enum guest_policy policy; /* may_be_ignored: the guest's for this access */
    enum denied_page page;    /* likewise */
    uint8_t result;           /* likewise, enum trace_result_code */
    const char *what;         /* for the line that ends the guest */
};

/*
 * `kind`: of an unresolved fault (EPT_FAULT_DENIED_..., BEYOND_WIDTH, NO_FRAME); `access`: the EPT_READ |
 * EPT_WRITE | EPT_EXECUTE bits of the exit qualification; `rights`: those that the guest has to the region,
 * whatever a watch withholds; 0 without a region.
 */
struct denied_access denied_access(const struct guest_config *config, enum ept_fault_kind kind,
                                   unsigned access, unsigned rights);

#endif
