/* SPDX-License-Identifier: MIT */
/*
 * Lets the guest execute one instruction: over a translation that its memory map does not grant (the way a
 * hole reads as all ones, a write to ROM goes nowhere, and a fetch from no-execute memory goes ahead under
 * the policy "ignore"), or for the monitor's `step`, `watch` and `break`. No emulation: the instruction runs
 * on the processor, over the pages set up for it, and RFLAGS.TF or the monitor trap flag brings it back. The
 * VM's other vCPUs are parked from the first page of a step until the last one is gone (vmm/vm/pause.h), so
 * none of them sees such a page.
 *
 * The guest sees nothing of it: its exceptions exit and are injected; what would store our TF is found
 * beforehand (vmm/debug/step_plan.h) and put right, or done in the guest's stead; blocking by STI and MOV SS,
 * and debug exceptions that are pending, are kept for it (vmm/debug/step_trap.h). An instruction that did not
 * get to run, because an event of the machine's came first, has left no trace.
 */
#ifndef VMM_DEBUG_STEP_H
#define VMM_DEBUG_STEP_H

#include "arch/x86/compiler.h"
#include "ept/memtype.h"
#include "vmm/debug/step_plan.h"
#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;

/* An instruction touches few pages: operand, stack, descriptor, each across a page border. */
#define STEP_PAGES_MAX 8

struct step {
    bool active;
    bool trapping;   /* RFLAGS.TF was set for it, or the monitor trap flag */
    bool by_flag;    /* it was the flag */
    bool guest_tf;   /* the guest's own RFLAGS.TF at that time */
    bool guest_if;   /* its RFLAGS.IF */
    bool paused;     /* the VM is, for its pages */
    bool ignored;    /* its first page is not what the memory map says */
    bool delivering; /* it is the delivery of an event alone: the preemption timer ends it at once */
    struct step_plan plan;
    uint8_t page_count;
    uint8_t blocking;               /* by STI and MOV SS, as the guest's interruptibility state had it */
    uint16_t pending;               /* debug exceptions that MOV SS holds back */
    uint64_t rip;                   /* where it began, if trapping */
    uint64_t pages[STEP_PAGES_MAX]; /* guest-physical, 4 KiB */
};

/*
 * Maps the 4 KiB page at `guest_physical_address` to `host_physical` with these EPT rights and memory type
 * for one instruction. false: too many pages for one instruction, or no table frame. ignored: it stands in
 * for what the memory map does not grant. The vCPU's CPU, in an EPT-violation handler, the VM paused.
 */
must_check bool step_over(struct vcpu *vcpu, uint64_t guest_physical_address, uint64_t host_physical,
                          unsigned rights, enum memory_type type, bool ignored);

/*
 * Begins a step without any page: one instruction, or the delivery of the event that the next entry
 * injects. An instruction that is done in the guest's stead (vcpu->interrupts.advanced) leaves no step
 * active. The vCPU's CPU, between an exit and an entry.
 */
void step_begin(struct vcpu *vcpu);

/*
 * Takes the pages away again, and TF unless the guest has it set itself. At every exit but a further EPT
 * violation of the same step, and its own trap.
 */
void step_finish(struct vcpu *vcpu);

/*
 * The same at the step's own trap: a #DB exit with this qualification, for which step_trap_has_come(), or the
 * monitor trap flag's (0). The debug exceptions that are the guest's and are to be delivered to it now; 0:
 * none.
 */
uint64_t step_trapped(struct vcpu *vcpu, uint64_t qualification);

/* step_hidden.c: prepares a step of the instruction at RIP. false: nothing is left to be run. */
must_check bool step_hide(struct vcpu *vcpu);
/* step_hidden.c: behind a step: what it shows of our TF is put right, and exceptions are the guest's
 * again. */
void step_hide_end(struct vcpu *vcpu, bool trapped);

#endif
