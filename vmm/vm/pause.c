/* SPDX-License-Identifier: MIT */
/* Stopping all vCPUs of a VM but one. */
#include "vmm/vm/pause.h"
#include "arch/x86/spinlock.h"
#include "vmm/host/cpu.h"
#include "vmm/vm/dirty_log.h"
#include "vmm/host/panic.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vcpu.h"

static bool is_owner(const struct vm *vm, const struct vcpu *self)
{
    return __atomic_load_n(&vm->sync.owner, __ATOMIC_SEQ_CST) == self->index + 1;
}

void vm_pause(struct vm *vm)
{
    struct vcpu *self = vmm_cpu()->vcpu;
    uint32_t ticket;

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
    ticket = shootdown_draw(&vm->sync);
    while (!shootdown_is_turn(&vm->sync, ticket))
        cpu_pause();
    shootdown_wait_owed(vm);
    shootdown_own(&vm->sync, self->index);
    shootdown_leave(&self->sync);
    vm_dirty_join(self);
    vm->sync.depth = 1;
    shootdown_wait_parked(vm);
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
