/* SPDX-License-Identifier: MIT */
/* A VM's PC and the hypervisor: what the devices put out, and what ends the guest. */
#ifndef VMM_VM_DEVICES_H
#define VMM_VM_DEVICES_H

#include <stdint.h>

struct vm;

/* Makes the VM's devices; its memory must be there. Before it runs, any CPU. */
void vm_devices_create(struct vm *vm);

/* Guest time begins, at this TSC. The VM's CPU, just before its first entry. */
void vm_devices_start(struct vm *vm, uint64_t tsc);

#endif
