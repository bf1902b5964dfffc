/* SPDX-License-Identifier: MIT */
/*
 * Stopping a guest for the monitor: its vCPUs stay out of the guest, each on its own CPU, between an exit and
 * an entry, until it is continued. There they count as parked (vmm/vm/shootdown_state.h) and do what the
 * monitor asks of them. The guest's time goes on meanwhile, as it does for a machine whose processors are
 * held; its `timeout=` does not.
 */
#ifndef VMM_VM_STOP_H
#define VMM_VM_STOP_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;

struct vm_stop {
    uint32_t stopped;  /* atomic */
    uint32_t stepping; /* atomic: the index, plus 1, of the vCPU that steps meanwhile; 0: none */
    uint32_t by;       /* atomic: the index of the vCPU that has stopped it, for the monitor */
};

/* Any CPU. What is in the guest leaves it soon, without being waited for. */
void vm_stop(struct vm *vm);
void vm_continue(struct vm *vm);

bool vm_is_stopped(const struct vm *vm);

/* One vCPU of a stopped VM leaves its stay for `step`; its CPU. It is back, or shall come: any CPU. */
void vm_stepping_begins(const struct vcpu *vcpu);
void vm_stepping_ends(struct vm *vm);

/* Whether this vCPU is to make steps. Its CPU. */
bool vm_steps(const struct vcpu *vcpu);

/* Whether any vCPU of the VM is. */
bool vm_is_stepping(const struct vm *vm);

/* Whether it is stopped, and no vCPU steps. */
bool vm_is_at_rest(const struct vm *vm);

/*
 * Makes the vCPU's CPU call vm_attend() before its next entry, and leave the guest for it: by an interrupt,
 * or by an NMI, which reaches a guest that Bochs keeps interrupts from (vmm/vm/shootdown.c). Any CPU.
 */
void vcpu_call(struct vcpu *vcpu, bool by_nmi);

/* Somebody has called: lets the monitor do what it wants here, and stays while the guest is stopped. The
 * vCPU's CPU, between an exit and an entry. */
void vm_attend(struct vcpu *vcpu);

#endif
