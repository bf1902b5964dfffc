/* SPDX-License-Identifier: MIT */
/* All guests of a run. */
#ifndef VMM_GUESTS_H
#define VMM_GUESTS_H

#include <stdint.h>

/* The boot CPU: runs all guests. 0 pass, 1 a guest failed, 2 refused or failed. */
int guests_run(void);
/* Every other CPU, until the machine ends. */
void cpu_serve(void);

/* Bytes of memory that an identity guest must leave, for all private guests together. Constant once guests
 * run. */
uint64_t guests_private_memory(void);

struct vm;

/* The VM of a guest, by its place in the list of modules from 0; NULL: there are not so many. Constant once
 * guests run. */
struct vm *guests_vm(unsigned index);

#endif
