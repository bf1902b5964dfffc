/* SPDX-License-Identifier: MIT */
/* The tables of a VM's EPT: put together after a change, and taken back when there is no frame for another.
 */
#ifndef VMM_VM_TABLES_H
#define VMM_VM_TABLES_H

#include "arch/x86/compiler.h"
#include <stdbool.h>
#include <stdint.h>

struct vm;

/*
 * After a change of the memory map in [gpa, gpa + size), whose flush is done: pages that are equal again
 * become large ones, up to 1 GiB. `*merged`: how many large pages were made. The CPU of one of its vCPUs, the
 * VM paused (vmm/vm/pause.h) so that no other is in its EPT. false: the processor refused INVEPT.
 */
must_check bool vm_merge(struct vm *vm, uint64_t gpa, uint64_t size, uint64_t *merged);

/*
 * For when no table frame is left for gpa: takes some cold tables back, flushed and ready to be used again.
 * As vm_merge(). false: none can go, or the processor refused INVEPT; vm_drop_ept() is left.
 */
must_check bool vm_take_cold_tables(struct vm *vm, uint64_t gpa);

#endif
