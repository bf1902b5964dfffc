/* SPDX-License-Identifier: MIT */
/* Which exits are recorded: trace= by reason, filter= by what they are about, trace_rate= by number. Can be
 * changed while guests run. */
#ifndef VMM_EXIT_TRACE_FILTER_H
#define VMM_EXIT_TRACE_FILTER_H

#include "vmm/trace/filter.h"
#include "vmm/trace/terms.h"
#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;
struct vmm_cpu;

/* filter= and trace_rate= of the command line. Boot CPU, before any guest runs. */
void exit_trace_filter_setup(void);

/* The vCPU comes to its CPU, or leaves it: in between its vcpu->traced[] follows the filters. Its CPU. */
void exit_trace_enter(struct vcpu *vcpu);
void exit_trace_leave(struct vcpu *vcpu);

/* Any CPU, at any time; exits that are being handled meanwhile may go by the filter before. */
void exit_trace_set_reasons(struct vm *vm, const struct trace_filter *filter);
void exit_trace_set_terms(const struct trace_terms *terms);
void exit_trace_set_rate(uint32_t records_a_second); /* of each CPU; 0: no limit */

/* Whether this record, complete and at its CPU's ring->next, is to be put there; what must come before it was
 * put already. The CPU itself. */
bool exit_trace_wanted(struct vcpu *vcpu, struct trace_record *record);

/* Says what was suppressed, if there is room in the ring. The CPU itself, between exits. false: there is
 * none. */
bool exit_trace_rate_finish(struct vmm_cpu *cpu);

#endif
