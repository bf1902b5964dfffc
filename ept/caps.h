/* SPDX-License-Identifier: MIT */
/* What this processor's EPT can do, out of IA32_VMX_EPT_VPID_CAP and its physical-address width. */
#ifndef EPT_CAPS_H
#define EPT_CAPS_H

#include "ept/status.h"
#include <stdbool.h>
#include <stdint.h>

struct ept_caps {
    bool walk_4, walk_5;               /* page-walk lengths */
    bool structures_uc, structures_wb; /* memory types of the paging structures themselves, for the EPTP */
    bool large_2m, large_1g;
    bool execute_only;
    bool accessed_dirty; /* the caller may clear it where the processor's are broken; then the EPTP leaves
                            them off */
    bool page_modification_log; /* set by the caller, where the control ENABLE_PML exists: no capability of
                                   the EPT tells */
    bool advanced_exit_information;
    bool invept, invept_context, invept_all;
    uint8_t levels; /* of the walk that is used: 4, or 5 where physical addresses have more than 48 bits and
                       it exists */
    uint8_t physical_width; /* bits of a host-physical address that may be used: 32..52 */
    uint8_t guest_width; /* bits of a guest-physical address: the smaller of physical_width and what the walk
                            translates */
    uint64_t address_mask;     /* bits 12 .. physical_width - 1 */
    uint64_t reserved_address; /* bits physical_width .. 51: reserved in every entry */
    uint64_t table_check; /* an entry is a reference to a table as the engine writes it if (raw & table_check)
                             == EPT_RIGHTS */
};

/*
 * Decodes the capabilities. ept_vpid_cap: IA32_VMX_EPT_VPID_CAP, SDM vol. 3 appendix A, "VPID and EPT
 * Capabilities". usable_physical_width: CPUID's MAXPHYADDR less the key-id bits that memory encryption takes
 * off its top; what is outside of 32..52 is brought into it. EPT_UNSUPPORTED: neither a 4-level nor a 5-level
 * walk, or neither WB nor UC structures.
 */
EPT_MUST_CHECK enum ept_status ept_caps_init(struct ept_caps *caps, uint64_t ept_vpid_cap,
                                             unsigned usable_physical_width);

/* True if a leaf of that level (1, 2, 3) may be used. */
static inline bool ept_caps_leaf(const struct ept_caps *caps, unsigned level)
{
    return level == 1 || (level == 2 && caps->large_2m) || (level == 3 && caps->large_1g);
}

#endif
