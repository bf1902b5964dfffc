/* SPDX-License-Identifier: MIT */
/* A BIOS call of a guest: from the stub's hypercall to the service and back. */
#ifndef VMM_BIOS_CALL_H
#define VMM_BIOS_CALL_H

#include "vmm/exit/exit.h"

struct vcpu;

/* HYPERCALL_BIOS + vector. Part of exit_vmcall(), on the vCPU's CPU with its VMCS current. */
must_check enum exit_action bios_call(struct vcpu *vcpu, unsigned vector);

#endif
