/* SPDX-License-Identifier: MIT */
/*
 * What a processor keeps from one instruction to the next, for instructions that it does not run in the usual
 * way: those done in the guest's stead, and those run alone (vmm/debug/step.h). That is blocking by STI and
 * by MOV SS, and the debug exceptions that are pending: a trap of RFLAGS.TF, and breakpoints on data and
 * ports. SDM vol. 3, "Masking Exceptions and Interrupts When Switching Stacks", "Pending Debug Exceptions".
 * The vCPU's CPU with its VMCS current, between an exit and the next entry.
 *
 * Most guests use no breakpoints, and most exits shall not pay for those that do. MOV to or from a debug
 * register exits once; from then on boundary_end() is due behind each instruction, until it finds that DR7
 * has no breakpoint enabled.
 */
#ifndef VMM_VCPU_BOUNDARY_H
#define VMM_VCPU_BOUNDARY_H

#include "arch/x86/compiler.h"
#include "vmm/vcpu/breakpoint.h"
#include "vmm/vcpu/vcpu.h"
#include <stdbool.h>
#include <stdint.h>

/* In quick.trap_flags: this bit of RFLAGS is always 1. */
#define BOUNDARY_ALWAYS 2u

/* Before the vCPU's first entry. */
void boundary_prepare(struct vcpu *vcpu);

/* The guest uses a debug register: no such access exits until breakpoints are found off. */
void boundary_watch_breakpoints(struct vcpu *vcpu);

/* Whether a breakpoint may be enabled. */
static inline bool boundary_has_breakpoints(const struct vcpu *vcpu)
{
    return unlikely(vcpu->quick.trap_flags & BOUNDARY_ALWAYS);
}

/* Whether a trap may come behind each element of a string instruction: one in an exit then. */
static inline bool boundary_stops(const struct vcpu *vcpu, uint64_t rflags)
{
    return (rflags & vcpu->quick.trap_flags) != 0;
}

/*
 * The instruction that this exit does in the guest's stead accesses `size` bytes at a linear address. Only
 * needed while boundary_has_breakpoints(); counts only if the exit comes to boundary_end().
 */
void boundary_access(struct vcpu *vcpu, uint64_t linear, unsigned size, bool write);

/*
 * An instruction, or an element of a string instruction, has been done in the guest's stead: blocking by STI
 * and MOV SS is over, and what it leaves pending the next entry delivers. rflags: the guest's, behind it.
 * Only needed if boundary_stops().
 */
void boundary_end(struct vcpu *vcpu, uint64_t rflags);

/*
 * The instruction at RIP begins again, or runs at last: it does not break a second time, and nothing is
 * pending in front of it but what MOV SS holds back. Bochs 2.7 saves a trap as pending at every exit of a
 * guest with RFLAGS.TF set.
 */
void boundary_again(void);

/* The latter alone. */
void boundary_drop_pending(void);

/* Behind boundary_end() or without it: the instruction was a load of SS, which holds back what is pending. */
void boundary_block_by_mov_ss(struct vcpu *vcpu);

/* Ends blocking by STI and MOV SS. The interruptibility state that is left. */
uint64_t boundary_end_blocking(void);

/*
 * What the next entry is to deliver before the guest's next instruction: DEBUG_BS, B0 to B3; 0: nothing. An
 * entry that injects an interrupt or an NMI would lose it.
 */
uint64_t boundary_pending(const struct vcpu *vcpu);

#endif
