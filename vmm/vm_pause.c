/* SPDX-License-Identifier: MIT */
/* Stopping all vCPUs of a VM but one. */
#include "vmm/vm_pause.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "vmm/cpu.h"
#include "vmm/dirty_log.h"
#include "vmm/panic.h"
#include "vmm/vm.h"

#define KICK_AGAIN_US 20

static bool is_owner(const struct vm *vm, const struct vcpu *self)
{
    return __atomic_load_n(&vm->sync.owner, __ATOMIC_SEQ_CST) == self->index + 1;
}

static void wait_until_parked(struct vcpu *other)
{
    uint64_t tries = 0, next = 0;

    while (!shootdown_is_parked(&other->sync)) {
        uint64_t now = tsc_read();

        /* One that is in the host comes by itself: it finds the new generation before its next entry. */
        if (now >= next && __atomic_load_n(&other->sync.place, __ATOMIC_SEQ_CST) == VCPU_GUEST) {
            shootdown_kick(other, &tries);
            next = now + tsc_ticks(KICK_AGAIN_US);
        }
        cpu_pause();
    }
}

void vm_pause(struct vm *vm)
{
    struct vcpu *self = vmm_cpu()->vcpu;

    if (vm->vcpu_count == 1)
        return;
    assert(self != NULL && self->vm == vm);
    if (is_owner(vm, self)) {
        vm->sync.depth++;
        return;
    }
    /* Parked while it waits for its turn, so that the one whose turn it is does not wait for this one. */
    vm_dirty_leave(self);
    shootdown_park(&self->sync);
    while (!shootdown_try_own(&vm->sync, self->index))
        cpu_pause();
    shootdown_leave(&self->sync);
    vm_dirty_join(self);
    vm->sync.depth = 1;
    (void)shootdown_raise(&vm->sync);
    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        if (&vm->vcpus[i] != self)
            wait_until_parked(&vm->vcpus[i]);
    }
}

void vm_unpause(struct vm *vm)
{
    if (vm->vcpu_count == 1)
        return;
    assert(is_owner(vm, vmm_cpu()->vcpu) && vm->sync.depth > 0);
    if (--vm->sync.depth == 0)
        shootdown_disown(&vm->sync);
}

void vm_unpause_all(struct vm *vm)
{
    if (vm->vcpu_count == 1 || !is_owner(vm, vmm_cpu()->vcpu))
        return;
    vm->sync.depth = 0;
    shootdown_disown(&vm->sync);
}

bool vm_is_alone(const struct vm *vm)
{
    const struct vcpu *self = vmm_cpu()->vcpu;

    return vm->vcpu_count == 1 || self == NULL || self->vm != vm || is_owner(vm, self);
}
