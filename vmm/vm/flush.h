/* SPDX-License-Identifier: MIT */
/* Carrying out the flush that a change of an EPT asks for. */
#ifndef VMM_VM_FLUSH_H
#define VMM_VM_FLUSH_H

#include "arch/x86/compiler.h"
#include "ept/flush.h"
#include <stdbool.h>

struct vm;

/*
 * Invalidates what CPUs may have cached of this VM's EPT, as told, on all that run it (vmm/vm/shootdown.h),
 * and gives the frames of retired tables back if no other CPU can be in the engine. false: the processor
 * refused INVEPT.
 */
must_check bool vm_flush(struct vm *vm, enum ept_flush flush);

/*
 * Drops everything that the VM's EPT caches, for when it has no table frame left and no cold table: the next
 * faults fill it again from the memory map. In an exit handler of one of its vCPUs, the others paused
 * (vmm/vm/pause.h). false: the processor refused INVEPT.
 */
must_check bool vm_drop_ept(struct vm *vm);

#endif
