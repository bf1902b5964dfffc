/* SPDX-License-Identifier: MIT */
/*
 * From a guest's devices to its processor: interrupts and NMIs, in the manual's order and as soon as the
 * guest takes them, and HLT. SDM vol. 3, "Event Injection", "Interrupt-Window Exiting", "Priority Among
 * Concurrent Events". All functions run on the vCPU's CPU with its VMCS current, between an exit and the next
 * entry.
 */
#ifndef VMM_VCPU_INTERRUPTS_H
#define VMM_VCPU_INTERRUPTS_H

#include "vmm/vm/vm.h"
#include "vmm/vm/devices.h"
#include "vmm/devices/pc.h"
#include "vmm/vcpu/vcpu.h"

/* A device was accessed, on whichever of the VM's vCPUs: the first, to which all interrupts go, is to look.
 */
static inline void interrupts_look(struct vm *vm)
{
    __atomic_store_n(&vm->vcpus[0].quick.look, true, __ATOMIC_RELAXED);
}

/*
 * Whether interrupts_deliver() would find nothing to do, as a few words tell; then the look is over. An
 * access to a device seldom leaves more behind. The vCPU's CPU, while it waits for no window.
 */
static inline bool interrupts_quiet(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    struct pc *pc = vm->pc;
    bool quiet;

    vm_lock_devices(vm);
    quiet =
        !pc_may_interrupt_now(pc) && (bus_next(&pc->bus) == vcpu->interrupts.deadline || vcpu->index != 0);
    if (likely(quiet)) /* who accesses a device after us sets it again */
        __atomic_store_n(&vcpu->quick.look, false, __ATOMIC_RELAXED);
    vm_unlock_devices(vm);
    return quiet;
}

/*
 * The guest's devices may have something for its processor (vcpu->quick.look): injects at most one event
 * into the next entry, and asks for an exit as soon as the guest can take what is left.
 */
void interrupts_deliver(struct vcpu *vcpu);

/*
 * The moment vcpu->interrupts.wake has come: ends a guest whose time is up, reads the console for it, lets
 * its devices do what is due, and fixes the next such moment.
 */
void interrupts_wake(struct vcpu *vcpu);

/*
 * Has the VMX-preemption timer bring the guest back by vcpu->interrupts.wake, or by the end of its period.
 * `now`: TSC. Before every entry.
 */
void interrupts_set_timer(struct vcpu *vcpu, uint64_t now);

/* No exit when the guest could take an interrupt or an NMI: a step goes first, and interrupts_deliver() looks
 * again. */
void interrupts_close_windows(struct vcpu *vcpu);

/*
 * HLT: the vCPU sleeps before its next entry. false: nothing can wake any vCPU of the VM any more, which has
 * ended by that.
 */
bool interrupts_halt(struct vcpu *vcpu);

/*
 * After HLT: lets the CPU sleep until an interrupt or an NMI is there to end it, or the VM has ended. A guest
 * that nothing can wake is ended.
 */
void interrupts_wait(struct vcpu *vcpu);

#endif
