/* SPDX-License-Identifier: MIT */
/* A VM's PC and the hypervisor: what the devices put out, and what ends the guest. */
#ifndef VMM_VM_DEVICES_H
#define VMM_VM_DEVICES_H

#include "arch/x86/spinlock.h"
#include "vmm/vm/vm.h"
#include <stdint.h>

/* Makes the VM's devices; its memory must be there. Before it runs, any CPU. */
void vm_devices_create(struct vm *vm);

/* Guest time begins, at this TSC. The VM's CPU, just before its first entry. */
void vm_devices_start(struct vm *vm, uint64_t tsc);

/* Around every use of vm->pc and vm->time while the VM runs: several vCPUs may come at a time. */
static inline void vm_lock_devices(struct vm *vm)
{
    if (vm->vcpu_count > 1)
        spinlock_lock(&vm->device_lock);
}

static inline void vm_unlock_devices(struct vm *vm)
{
    if (vm->vcpu_count > 1)
        spinlock_unlock(&vm->device_lock);
}

#endif
