/* SPDX-License-Identifier: MIT */
/*
 * Invalidation of cached translations, by what the processor offers: INVEPT and INVVPID of the narrowest type
 * that exists, wider where it does not. Both act on the calling CPU only. SDM vol. 3, "Operations that
 * Invalidate Cached Mappings".
 */
#ifndef ARCH_X86_INVEPT_H
#define ARCH_X86_INVEPT_H

#include "arch/x86/compiler.h"
#include "arch/x86/vmx.h"
#include <stdint.h>

/*
 * Invalidates guest-physical and combined mappings tagged with this EPTP (all EPTPs where single-context
 * INVEPT is missing). `ept_vpid_cap` is the CPU's IA32_VMX_EPT_VPID_CAP. VMX root operation.
 */
must_check enum vmx_status invept_context(uint64_t ept_vpid_cap, uint64_t eptp);

/* The same for the mappings of every EPTP. */
must_check enum vmx_status invept_all(uint64_t ept_vpid_cap);

/* Invalidates linear and combined mappings tagged with this VPID (all VPIDs where single-context INVVPID is
 * missing). */
must_check enum vmx_status invvpid_context(uint64_t ept_vpid_cap, uint16_t vpid);

/* Of these, those for one canonical linear address; those but the global pages'; those of every VPID but 0.
 */
must_check enum vmx_status invvpid_address(uint64_t ept_vpid_cap, uint16_t vpid, uint64_t linear_address);
must_check enum vmx_status invvpid_not_global(uint64_t ept_vpid_cap, uint16_t vpid);
must_check enum vmx_status invvpid_all(uint64_t ept_vpid_cap);

#endif
