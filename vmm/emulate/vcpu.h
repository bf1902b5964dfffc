/* SPDX-License-Identifier: MIT */
/* One decoded instruction done in a vCPU's stead, with all that the guest sees of it. */
#ifndef VMM_EMULATE_VCPU_H
#define VMM_EMULATE_VCPU_H

#include "vmm/exit/exit.h"
#include "vmm/emulate/linear.h"

/*
 * Executes the instruction at RIP `rip` with these RFLAGS, memory going by `linear`, or raises what it
 * raises: registers, RFLAGS, RIP and a single step's trap are the guest's afterwards. A repeated instruction
 * that is not through, and one that is to begin again, stay at their RIP, and do not meet their instruction
 * breakpoint a second time. An instruction that locks its operand is alone with its VM.
 * vcpu->result is the caller's but for an exception and the VM's end. The vCPU's CPU, its VMCS current.
 */
must_check enum exit_action vcpu_emulate(struct linear *linear, const struct instruction *instruction,
                                         uint64_t rip, uint64_t rflags);

/* Raises an exception at the instruction at RIP. */
enum exit_action vcpu_emulate_raise(struct vcpu *vcpu, const struct emulate_exception *exception);

#endif
