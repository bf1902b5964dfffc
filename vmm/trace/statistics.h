/* SPDX-License-Identifier: MIT */
/* The table of a VM's exits. */
#ifndef VMM_TRACE_STATISTICS_H
#define VMM_TRACE_STATISTICS_H

#include <stdbool.h>

struct vm;

/* Adds its vCPUs' figures up in the VM, which outlives them; anew each time. When all have left it, or on the
 * CPU of one with the others parked (vmm/vm/pause.h). */
void statistics_add_up(struct vm *vm);

/*
 * Prints one line a reason: count, ticks in the host, their histogram; the subjects with the most exits; of
 * several vCPUs also what their shootdowns cost. With `json` each line is a JSON object instead. Any CPU,
 * after statistics_add_up().
 */
void statistics_print(const struct vm *vm, bool json);

#endif
