/* SPDX-License-Identifier: MIT */
/* boot=multiboot: a kernel, its modules, and what it is told. */
#ifndef VMM_GUEST_LOAD_MULTIBOOT_H
#define VMM_GUEST_LOAD_MULTIBOOT_H

#include <stdbool.h>

#include "arch/x86/compiler.h"

struct vm;

/* A part of guest_load(). */
must_check bool guest_load_multiboot(struct vm *vm, unsigned module);

#endif
