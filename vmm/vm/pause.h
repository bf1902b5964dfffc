/* SPDX-License-Identifier: MIT */
/*
 * A moment in which one vCPU is alone with its VM: all others are out of the guest and out of everything of
 * the VM's that has no protection of its own. The memory map, the start and stop of a dirty log, what puts
 * pages together, and ept_reclaim() need it (ept/README.md), and so does a page that stands in for another
 * during one instruction (vmm/debug/step.h), which no other vCPU must see.
 */
#ifndef VMM_VM_PAUSE_H
#define VMM_VM_PAUSE_H

#include <stdbool.h>

struct vm;

/*
 * Waits until all other vCPUs of the VM are parked, and keeps them so. In an exit handler on the CPU of one
 * of its vCPUs, outside of the EPT engine. While it waits other vCPUs have their turn, in the order of their
 * calls, and those that were held up run for a moment: what was read of the memory map before is out of date
 * afterwards. Calls nest. With one vCPU there is nothing to do.
 */
void vm_pause(struct vm *vm);

/* Lets the others go on, when called as often as vm_pause(). */
void vm_unpause(struct vm *vm);

/* The vCPU of this CPU leaves its VM: what it still keeps paused goes on. */
void vm_unpause_all(struct vm *vm);

/* Whether no other CPU can be in the guest or in the engine: the VM has one vCPU, is paused for this CPU's,
 * or does not run. */
bool vm_is_alone(const struct vm *vm);

#endif
