/* SPDX-License-Identifier: MIT */
/* The table of a VM's exits. */
#ifndef VMM_STATISTICS_H
#define VMM_STATISTICS_H

struct vm;

/* Adds its vCPUs' figures up in the VM, which outlives them. Once, when all have left it. */
void statistics_add_up(struct vm *vm);

/* Prints one line a reason: count, total and mean ticks in the host; of several vCPUs also what their
 * shootdowns cost. Any CPU, after the VM has ended. */
void statistics_print(const struct vm *vm);

#endif
