/* SPDX-License-Identifier: MIT */
/* The hypercalls DIRTY_START, DIRTY_COLLECT, DIRTY_STOP and HARVEST_ACCESSED of vmm/hypercall_abi.h. */
#ifndef VMM_EXIT_DIRTY_CALL_H
#define VMM_EXIT_DIRTY_CALL_H

#include <stdint.h>

struct hypercall;
struct vcpu;

/* Performs the call with this number, or goes on with it. Returns the status for EAX. */
uint32_t dirty_call(struct vcpu *vcpu, uint32_t number, struct hypercall *call);

#endif
