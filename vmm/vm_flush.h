/* SPDX-License-Identifier: MIT */
/* Carrying out the flush that a change of an EPT asks for. */
#ifndef VMM_VM_FLUSH_H
#define VMM_VM_FLUSH_H

#include "arch/x86/compiler.h"
#include "ept/flush.h"
#include <stdbool.h>

struct vm;

/*
 * Invalidates what CPUs may have cached of this VM's EPT, as told. A VM has one vCPU, so the calling CPU,
 * which runs it, is the only one. false: the processor refused INVEPT.
 */
must_check bool vm_flush(struct vm *vm, enum ept_flush flush);

/*
 * Drops everything that the VM's EPT caches, for when it has no table frame left and no cold table: the next
 * faults fill it again from the memory map. On the CPU that runs the VM. false: the processor refused INVEPT.
 */
must_check bool vm_drop_ept(struct vm *vm);

#endif
