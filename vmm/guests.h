/* SPDX-License-Identifier: MIT */
/* All guests of a run. guests_run() and cpu_serve() are declared in vmm/machine.h. */
#ifndef VMM_GUESTS_H
#define VMM_GUESTS_H

#include <stdint.h>

/* Bytes of memory that an identity guest must leave, for all private guests together. Constant once guests
 * run. */
uint64_t guests_private_memory(void);

#endif
