/* SPDX-License-Identifier: MIT */
/* EPT capabilities out of IA32_VMX_EPT_VPID_CAP. SDM vol. 3 appendix A, "VPID and EPT Capabilities". */
#include "ept/caps.h"
#include "ept/entry.h"

#define CAP_EXECUTE_ONLY   0
#define CAP_WALK_4         6
#define CAP_WALK_5         7
#define CAP_STRUCTURES_UC  8
#define CAP_STRUCTURES_WB  14
#define CAP_2M             16
#define CAP_1G             17
#define CAP_INVEPT         20
#define CAP_ACCESSED_DIRTY 21
#define CAP_ADVANCED_EXIT  22
#define CAP_INVEPT_CONTEXT 25
#define CAP_INVEPT_ALL     26
#define WIDTH_MIN          32u
#define WIDTH_MAX          52u
#define WALK_4_WIDTH       48u
#define WALK_5_WIDTH       57u

static bool has(uint64_t capabilities, unsigned bit)
{
    return (capabilities >> bit & 1) != 0;
}

enum ept_status ept_caps_init(struct ept_caps *caps, uint64_t ept_vpid_cap, unsigned usable_physical_width)
{
    unsigned width = usable_physical_width;
    unsigned walk_width;

    if (width < WIDTH_MIN)
        width = WIDTH_MIN;
    if (width > WIDTH_MAX)
        width = WIDTH_MAX;

    *caps = (struct ept_caps){
        .walk_4 = has(ept_vpid_cap, CAP_WALK_4),
        .walk_5 = has(ept_vpid_cap, CAP_WALK_5),
        .structures_uc = has(ept_vpid_cap, CAP_STRUCTURES_UC),
        .structures_wb = has(ept_vpid_cap, CAP_STRUCTURES_WB),
        .large_2m = has(ept_vpid_cap, CAP_2M),
        .large_1g = has(ept_vpid_cap, CAP_1G),
        .execute_only = has(ept_vpid_cap, CAP_EXECUTE_ONLY),
        .accessed_dirty = has(ept_vpid_cap, CAP_ACCESSED_DIRTY),
        .advanced_exit_information = has(ept_vpid_cap, CAP_ADVANCED_EXIT),
        .invept = has(ept_vpid_cap, CAP_INVEPT),
        .invept_context = has(ept_vpid_cap, CAP_INVEPT_CONTEXT),
        .invept_all = has(ept_vpid_cap, CAP_INVEPT_ALL),
        .physical_width = (uint8_t)width,
    };
    caps->address_mask = ((UINT64_C(1) << width) - 1) & EPT_ADDRESS;
    caps->reserved_address = EPT_ADDRESS & ~caps->address_mask;
    caps->table_check = ~(caps->address_mask | EPT_ACCESSED);

    caps->levels = caps->walk_5 && (width > WALK_4_WIDTH || !caps->walk_4) ? 5 : 4;
    walk_width = caps->levels == 5 ? WALK_5_WIDTH : WALK_4_WIDTH;
    caps->guest_width = (uint8_t)(width < walk_width ? width : walk_width);

    if (!caps->walk_4 && !caps->walk_5)
        return EPT_UNSUPPORTED;
    if (!caps->structures_uc && !caps->structures_wb)
        return EPT_UNSUPPORTED;
    return EPT_OK;
}
