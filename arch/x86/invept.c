/* SPDX-License-Identifier: MIT */
/* Invalidation of cached translations, by capability (invept_type.c). */
#include "arch/x86/invept.h"
#include "arch/x86/invept_type.h"

static enum vmx_status invept(uint64_t ept_vpid_cap, enum invept_type wanted, uint64_t eptp)
{
    enum invept_type type;

    if (!invept_type_for(ept_vpid_cap, wanted, &type))
        return VMX_FAIL_INVALID; /* preflight refuses a processor without either type */
    return vmx_invept(type, type == INVEPT_ALL_CONTEXTS ? 0 : eptp);
}

must_check enum vmx_status invept_context(uint64_t ept_vpid_cap, uint64_t eptp)
{
    return invept(ept_vpid_cap, INVEPT_SINGLE_CONTEXT, eptp);
}

must_check enum vmx_status invept_all(uint64_t ept_vpid_cap)
{
    return invept(ept_vpid_cap, INVEPT_ALL_CONTEXTS, 0);
}

static enum vmx_status invvpid(uint64_t ept_vpid_cap, enum invvpid_type wanted, uint16_t vpid,
                               uint64_t linear_address)
{
    enum invvpid_type type;

    if (!invvpid_type_for(ept_vpid_cap, wanted, &type))
        return VMX_FAIL_INVALID; /* VPIDs are only used where a whole context can be invalidated */
    if (type == INVVPID_ALL_CONTEXTS)
        vpid = 0;
    return vmx_invvpid(type, vpid, type == INVVPID_INDIVIDUAL_ADDRESS ? linear_address : 0);
}

must_check enum vmx_status invvpid_address(uint64_t ept_vpid_cap, uint16_t vpid, uint64_t linear_address)
{
    return invvpid(ept_vpid_cap, INVVPID_INDIVIDUAL_ADDRESS, vpid, linear_address);
}

must_check enum vmx_status invvpid_context(uint64_t ept_vpid_cap, uint16_t vpid)
{
    return invvpid(ept_vpid_cap, INVVPID_SINGLE_CONTEXT, vpid, 0);
}

must_check enum vmx_status invvpid_not_global(uint64_t ept_vpid_cap, uint16_t vpid)
{
    return invvpid(ept_vpid_cap, INVVPID_RETAINING_GLOBALS, vpid, 0);
}

must_check enum vmx_status invvpid_all(uint64_t ept_vpid_cap)
{
    return invvpid(ept_vpid_cap, INVVPID_ALL_CONTEXTS, 0, 0);
}
