/* SPDX-License-Identifier: MIT */
/* The proof that a VM's EPT reaches nothing but its own: no frame of the hypervisor's, none of another
 * guest's. */
#ifndef VMM_REPORT_ISOLATION_H
#define VMM_REPORT_ISOLATION_H

#include "arch/x86/compiler.h"
#include <stdbool.h>

struct vm;

/*
 * Walks the VM's whole EPT, asks the frame allocator for the owner of every frame that it maps and of every
 * table, and prints `adept: isolation: ok ...` or a line `adept: isolation: VIOLATION ...` for each frame
 * that is not the VM's; then it returns false. The VM does not run.
 */
must_check bool isolation_check(struct vm *vm);

#endif
