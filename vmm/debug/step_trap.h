/* SPDX-License-Identifier: MIT */
/*
 * What brings a guest back behind one instruction: the monitor trap flag where the self-test
 * (vmm/debug/trap_flag.h) has seen it work, else RFLAGS.TF; and the preemption timer for the delivery of
 * an event alone. SDM vol. 3, "Monitor Trap Flag", "VMX-Preemption Timer". All on the vCPU's CPU with its
 * VMCS current.
 *
 * With the flag the processor does all else itself. With TF set under blocking by STI or MOV SS a VM entry
 * wants a single-step trap pending, and delivers it before the instruction has run. So blocking, and what MOV
 * SS holds back, leave the VMCS for the time of the instruction. The hypervisor has closed its windows and
 * injects nothing meanwhile; whatever the guest would have noticed is put right at the end.
 */
#ifndef VMM_DEBUG_STEP_TRAP_H
#define VMM_DEBUG_STEP_TRAP_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* Sets the trap. resumes: an exit has interrupted the instruction, which does not break again. */
void step_trap_set(struct vcpu *vcpu, bool resumes);

/* Takes it away. trapped: it has come; else the instruction has not run, and all is as it was before. */
void step_trap_clear(struct vcpu *vcpu, bool trapped);

/* Whether a #DB exit with this qualification is the step's trap, with or without something of the guest's. */
bool step_trap_has_come(const struct vcpu *vcpu, uint64_t qualification);

/* Behind step_trap_clear() with `trapped`: what of the debug exceptions in the qualification, and of those
 * held back, is the guest's. 0: nothing. */
uint64_t step_trap_of_guest(const struct vcpu *vcpu, uint64_t qualification);

/* By what steps are made, in words. */
const char *step_trap_text(void);

/* The step is the delivery of an event alone. A processor without the timer ends it at its next exit. */
void step_end_at_once(struct vcpu *vcpu);

/* An exit in the midst of a step that goes on. */
void step_goes_on(struct vcpu *vcpu);

#endif
