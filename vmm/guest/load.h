/* SPDX-License-Identifier: MIT */
/* Loading: from a module of the boot loader to a program in a VM's memory, by boot=. */
#ifndef VMM_GUEST_LOAD_H
#define VMM_GUEST_LOAD_H

#include <stdbool.h>

#include "arch/x86/compiler.h"

struct vm;

/*
 * Puts module number `module` into the VM's memory as its configuration's boot= says, gives it a BIOS and a
 * drive where it has them, and fills vm->start. false: vm->end says in one line what is wrong. The VM's
 * memory and EPT are there. Any CPU, before the VM runs.
 */
must_check bool guest_load(struct vm *vm, unsigned module);

/* Gives the drive's frames back. Any CPU, none runs the VM. */
void guest_unload(struct vm *vm);

#endif
