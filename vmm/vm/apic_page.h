/* SPDX-License-Identifier: MIT */
/* The local APIC's page in a VM's memory map. */
#ifndef VMM_VM_APIC_PAGE_H
#define VMM_VM_APIC_PAGE_H

struct vm;

/*
 * The local APIC's page may have moved, come or gone: the memory that it lies over now goes out of the memory
 * map and of the EPT, and what it lay over before comes back. The CPU of a vCPU, the VM paused.
 */
void vm_apic_moved(struct vm *vm);

/* Gives what is below it back to the memory map, for the VM's end. No CPU uses its EPT any more. */
void vm_apic_forget(struct vm *vm);

#endif
