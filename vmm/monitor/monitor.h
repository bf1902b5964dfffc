/* SPDX-License-Identifier: MIT */
/*
 * The monitor: a command line on the console's UART while guests run, and the script of `cmd=`. One session;
 * who holds its lock runs it, and nobody waits for that lock. A command about a guest is executed by the CPU
 * of the chosen vCPU, between an exit and an entry, as an exit handler would: the others only hand it over.
 * So no VMCS is read on another CPU than its own, and what a command changes follows the rules for exit
 * handlers (vmm/vm/pause.h). The script begins before the first guest's first entry, which is stopped until
 * then; it waits after `continue`, `wait` and `step` for the next stop, and what is left of it about that
 * guest at its end is executed there.
 */
#ifndef VMM_MONITOR_MONITOR_H
#define VMM_MONITOR_MONITOR_H

#include <stdbool.h>

struct vcpu;
struct vm;

/* Ctrl-]: opens and closes the monitor; no guest gets it. */
#define MONITOR_KEY 0x1d

/* For commands: the guest runs, and the script waits until it stops again, or ends. */
void monitor_wait_for_stop(void);

/* For commands: chooses what the next ones are about; closes the session. */
void monitor_choose(struct vm *vm, unsigned vcpu_index);
void monitor_close(void);

/* What is chosen; NULL: nothing yet. */
struct vm *monitor_chosen(void);

#endif
