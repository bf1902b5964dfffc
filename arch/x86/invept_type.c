/* SPDX-License-Identifier: MIT */
/* Which type of INVEPT or INVVPID does what is asked for. */
#include "arch/x86/invept_type.h"
#include "arch/x86/vmx_capabilities.h"

bool invept_type_exists(uint64_t ept_vpid_cap, enum invept_type type)
{
    uint64_t bit =
        type == INVEPT_SINGLE_CONTEXT ? EPT_CAP_INVEPT_SINGLE_CONTEXT : EPT_CAP_INVEPT_ALL_CONTEXTS;

    return (ept_vpid_cap & EPT_CAP_INVEPT) && (ept_vpid_cap & bit);
}

bool invvpid_type_exists(uint64_t ept_vpid_cap, enum invvpid_type type)
{
    static const uint64_t bits[INVVPID_TYPE_END] = {
        [INVVPID_INDIVIDUAL_ADDRESS] = VPID_CAP_INVVPID_INDIVIDUAL_ADDRESS,
        [INVVPID_SINGLE_CONTEXT] = VPID_CAP_INVVPID_SINGLE_CONTEXT,
        [INVVPID_ALL_CONTEXTS] = VPID_CAP_INVVPID_ALL_CONTEXTS,
        [INVVPID_RETAINING_GLOBALS] = VPID_CAP_INVVPID_RETAINING_GLOBALS,
    };

    return (ept_vpid_cap & VPID_CAP_INVVPID) && (ept_vpid_cap & bits[type]);
}

must_check bool invept_type_for(uint64_t ept_vpid_cap, enum invept_type wanted, enum invept_type *type)
{
    *type = wanted;
    if (!invept_type_exists(ept_vpid_cap, *type))
        *type = INVEPT_ALL_CONTEXTS;
    return invept_type_exists(ept_vpid_cap, *type);
}

must_check bool invvpid_type_for(uint64_t ept_vpid_cap, enum invvpid_type wanted, enum invvpid_type *type)
{
    *type = wanted;
    if (!invvpid_type_exists(ept_vpid_cap, *type) && wanted != INVVPID_ALL_CONTEXTS)
        *type = INVVPID_SINGLE_CONTEXT;
    if (!invvpid_type_exists(ept_vpid_cap, *type))
        *type = INVVPID_ALL_CONTEXTS;
    return invvpid_type_exists(ept_vpid_cap, *type);
}

const char *invept_type_name(enum invept_type type)
{
    return type == INVEPT_SINGLE_CONTEXT ? "single-context" : "all-contexts";
}

const char *invvpid_type_name(enum invvpid_type type)
{
    static const char *const names[INVVPID_TYPE_END] = {
        [INVVPID_INDIVIDUAL_ADDRESS] = "individual-address",
        [INVVPID_SINGLE_CONTEXT] = "single-context",
        [INVVPID_ALL_CONTEXTS] = "all-contexts",
        [INVVPID_RETAINING_GLOBALS] = "single-context-retaining-globals",
    };

    return names[type];
}
