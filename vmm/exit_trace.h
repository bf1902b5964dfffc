/* SPDX-License-Identifier: MIT */
/* What the trace records of an exit: taken from the VMCS before the handler changes anything, completed when
 * it is done. */
#ifndef VMM_EXIT_TRACE_H
#define VMM_EXIT_TRACE_H

#include "vmm/trace.h"
#include <stdint.h>

struct vcpu;

/* Fills the record with the state at the exit. The vCPU's CPU, only for exits that are traced. */
void exit_trace_begin(const struct vcpu *vcpu, struct trace_record *record, uint64_t tsc);
/* Adds what became of it and puts it into the CPU's ring. */
void exit_trace_end(const struct vcpu *vcpu, struct trace_record *record, uint64_t ticks);

#endif
