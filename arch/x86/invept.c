/* SPDX-License-Identifier: MIT */
/* Invalidation of cached translations, by capability. */
#include "arch/x86/invept.h"
#include "arch/x86/vmx_capabilities.h"

must_check enum vmx_status invept_context(uint64_t ept_vpid_cap, uint64_t eptp)
{
    if (ept_vpid_cap & EPT_CAP_INVEPT_SINGLE_CONTEXT)
        return vmx_invept(INVEPT_SINGLE_CONTEXT, eptp);
    return invept_all(ept_vpid_cap);
}

must_check enum vmx_status invept_all(uint64_t ept_vpid_cap)
{
    if (ept_vpid_cap & EPT_CAP_INVEPT_ALL_CONTEXTS)
        return vmx_invept(INVEPT_ALL_CONTEXTS, 0);
    return VMX_FAIL_INVALID; /* preflight refuses a processor without either type */
}

must_check enum vmx_status invvpid_context(uint64_t ept_vpid_cap, uint16_t vpid)
{
    if (ept_vpid_cap & VPID_CAP_INVVPID_SINGLE_CONTEXT)
        return vmx_invvpid(INVVPID_SINGLE_CONTEXT, vpid, 0);
    if (ept_vpid_cap & VPID_CAP_INVVPID_ALL_CONTEXTS)
        return vmx_invvpid(INVVPID_ALL_CONTEXTS, 0, 0);
    return VMX_FAIL_INVALID; /* VPIDs are only used where one of the two exists */
}
