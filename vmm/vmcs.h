/* SPDX-License-Identifier: MIT */
/*
 * The VMCS: checked access to its fields, and its set-up from constants and capabilities. SDM vol. 3,
 * "Virtual Machine Control Structures".
 */
#ifndef VMM_VMCS_H
#define VMM_VMCS_H

#include "arch/x86/compiler.h"
#include "arch/x86/vmx.h"
#include "vmm/vcpu.h"
#include <stdint.h>

/* Reports the failed access (our own bug: the field exists by capability) and stops the machine. */
noreturn_fn void vmcs_access_failed(const char *instruction, enum vmcs_field field, enum vmx_status status);

/* Reads a field that every processor has, or whose control is in use. The current VMCS of the calling CPU. */
static inline uint64_t vmcs_read(enum vmcs_field field)
{
    uint64_t value;
    enum vmx_status status = vmx_read(field, &value);

    if (unlikely(status != VMX_OK))
        vmcs_access_failed("VMREAD", field, status);
    return value;
}

static inline void vmcs_write(enum vmcs_field field, uint64_t value)
{
    enum vmx_status status = vmx_write(field, value);

    if (unlikely(status != VMX_OK))
        vmcs_access_failed("VMWRITE", field, status);
}

/*
 * Clears, loads and fills the vCPU's VMCS on the calling CPU: control fields, host state of this CPU, guest
 * state of a real-mode start. Every field that the chosen controls make the processor read is written.
 */
must_check enum vmx_status vmcs_setup(struct vcpu *vcpu);

/* Clears it (its state goes to memory); the CPU then has no current VMCS. */
must_check enum vmx_status vmcs_release(struct vcpu *vcpu);

#endif
