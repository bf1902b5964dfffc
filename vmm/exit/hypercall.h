/* SPDX-License-Identifier: MIT */
/* A hypercall under way: what its handlers share. The ABI is vmm/hypercall_abi.h. */
#ifndef VMM_EXIT_HYPERCALL_H
#define VMM_EXIT_HYPERCALL_H

#include "vmm/hypercall_abi.h"
#include <stdbool.h>
#include <stdint.h>

/* A call's registers: arguments going in, results coming out. Results replace whole 64-bit registers,
 * zero-extended. */
struct hypercall {
    uint32_t ebx, ecx, edx;
    bool set_ebx, set_ecx, set_edx;
    bool begun;        /* by an earlier exit, which got as far as `progress` */
    bool unfinished;   /* there is more to do, from `progress` on; the status does not count */
    uint32_t progress; /* below HYPERCALL_PROGRESS_END; the call's own units. The guest may have written it */
};

#define HYPERCALL_PROGRESS_END (UINT32_C(1) << 28)

/* The call that a value of EAX names: itself, or the one that is under way. Pure. */
uint32_t hypercall_number(uint32_t eax);

/* EAX while one of the calls that may take several exits is under way. Pure. */
uint32_t hypercall_under_way(uint32_t number, uint32_t progress);

static inline uint32_t hypercall_goes_on(struct hypercall *call, uint64_t progress)
{
    call->unfinished = true;
    call->progress = (uint32_t)progress & (HYPERCALL_PROGRESS_END - 1);
    return HYPERCALL_OK;
}

#endif
