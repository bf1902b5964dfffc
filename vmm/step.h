/* SPDX-License-Identifier: MIT */
/*
 * Lets the guest execute one instruction over a translation that its memory map does not grant: the way a
 * hole reads as all ones, a write to ROM goes nowhere, and a fetch from no-execute memory goes ahead under
 * the policy "ignore". No decoder: the instruction runs on the processor, over a page set up for it, and
 * RFLAGS.TF brings it back. Known limit: an instruction so run that stores the flags (PUSHF, INT, an
 * exception's delivery) stores TF as set. The VM's other vCPUs are parked from the first page of a step until
 * the last one is gone (vmm/vm_pause.h), so none of them sees such a page.
 */
#ifndef VMM_STEP_H
#define VMM_STEP_H

#include "arch/x86/compiler.h"
#include "ept/memtype.h"
#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;

/* An instruction touches few pages: operand, stack, descriptor, each across a page border. */
#define STEP_PAGES_MAX 8

struct step {
    bool active;
    bool trapping; /* RFLAGS.TF was set for it */
    bool guest_tf; /* the guest's own RFLAGS.TF at that time */
    bool pushed;   /* our TF went into flags that the guest has saved: one trap is still to come, and to be
                      swallowed */
    uint8_t page_count;
    uint64_t rip;                   /* where it began, if trapping */
    uint64_t pages[STEP_PAGES_MAX]; /* guest-physical, 4 KiB */
};

/*
 * Maps the 4 KiB page at `guest_physical_address` to `host_physical` with these EPT rights and memory type
 * for one instruction. false: too many pages for one instruction, or no table frame. The vCPU's CPU, in an
 * EPT-violation handler, the VM paused.
 */
must_check bool step_over(struct vcpu *vcpu, uint64_t guest_physical_address, uint64_t host_physical,
                          unsigned rights, enum memory_type type);

/*
 * Takes the pages away again, and TF unless the guest has it set itself. At every exit but a further EPT
 * violation of the same step; `trapped`: it is the step's own trap.
 */
void step_finish(struct vcpu *vcpu, bool trapped);

#endif
