/* SPDX-License-Identifier: MIT */
/* The table of a VM's exits. */
#ifndef VMM_STATISTICS_H
#define VMM_STATISTICS_H

#include <stdbool.h>

struct vm;

/* Adds its vCPUs' figures up in the VM, which outlives them. Once, when all have left it. */
void statistics_add_up(struct vm *vm);

/*
 * Prints one line a reason: count, ticks in the host, their histogram; the subjects with the most exits; of
 * several vCPUs also what their shootdowns cost. With `json` each line is a JSON object instead. Any CPU,
 * after the VM has ended.
 */
void statistics_print(const struct vm *vm, bool json);

#endif
