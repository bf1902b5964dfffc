/* SPDX-License-Identifier: MIT */
/* The table of a VM's exits. */
#ifndef VMM_STATISTICS_H
#define VMM_STATISTICS_H

struct vm;

/* Prints one line a reason: count, total and mean ticks in the host. Any CPU, after the VM has ended. */
void statistics_print(const struct vm *vm);

#endif
