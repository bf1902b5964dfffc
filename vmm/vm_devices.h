/* SPDX-License-Identifier: MIT */
/* A VM's PC and the hypervisor: what the devices put out, and what ends the guest. */
#ifndef VMM_VM_DEVICES_H
#define VMM_VM_DEVICES_H

#include "arch/x86/compiler.h"
#include <stdbool.h>

struct vm;

/* Makes the VM's devices; its memory must be there. Before it runs, any CPU. */
void vm_devices_create(struct vm *vm);

#endif
