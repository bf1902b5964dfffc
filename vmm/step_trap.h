/* SPDX-License-Identifier: MIT */
/*
 * What brings a stepped guest back: the monitor trap flag where the self-test (vmm/step_test.h) has seen it
 * work, else RFLAGS.TF; and the preemption timer for the delivery of an event alone. SDM vol. 3, "Monitor
 * Trap Flag", "VMX-Preemption Timer". All on the vCPU's CPU with its VMCS current.
 */
#ifndef VMM_STEP_TRAP_H
#define VMM_STEP_TRAP_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* Sets the trap; rflags: the guest's as they are. */
void step_trap_set(struct vcpu *vcpu, uint64_t rflags);

/* Takes it away. keeps_tf: TF is the guest's own now. */
void step_trap_clear(struct vcpu *vcpu, bool keeps_tf, uint64_t rflags);

/* By what steps are made, in words. */
const char *step_trap_text(void);

/* The step is the delivery of an event alone. A processor without the timer ends it at its next exit. */
void step_end_at_once(struct vcpu *vcpu);

/* An exit in the midst of a step that goes on. */
void step_goes_on(struct vcpu *vcpu);

#endif
