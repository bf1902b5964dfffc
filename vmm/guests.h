/* SPDX-License-Identifier: MIT */
/* All guests of a run. guests_run() and cpu_serve() are declared in vmm/machine.h. */
#ifndef VMM_GUESTS_H
#define VMM_GUESTS_H

#include <stdint.h>

/* Bytes of memory that an identity guest must leave, for all private guests together. Constant once guests
 * run. */
uint64_t guests_private_memory(void);

struct vm;

/* The VM of a guest, by its place in the list of modules from 0; NULL: there are not so many. Constant once
 * guests run. */
struct vm *guests_vm(unsigned index);

#endif
