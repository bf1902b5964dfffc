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

/* The boot CPU, before guests run: takes the script of the command line. */
void monitor_prepare(void);

/* Before the first entry of a VM's first vCPU, on its CPU with its VMCS current: stops it for the script. */
void monitor_before_entry(struct vcpu *vcpu);

/* Reads the console and goes on with the session as far as this CPU can: without a vCPU, or with that of the
 * calling CPU, between an exit and an entry. Never waits for another CPU. */
void monitor_run(struct vcpu *vcpu);

/* The same without a vCPU, for loops of a CPU that waits: not oftener than the console needs it. */
void monitor_poll(void);

/* Whether a command waits for this vCPU. */
bool monitor_wants(const struct vcpu *vcpu);

/* The VM has ended, its VMCS is current and its memory is still there: the rest of a script that is about it.
 */
void monitor_at_end(struct vcpu *vcpu);

/* All guests have ended: what is left of the script, and the end of the session. */
void monitor_finish(void);

/* What was typed for the guests; -1: nothing. The CPU of the guest that gets it. */
int monitor_guest_key(void);

/* Whether somebody types, or a script runs: who could continue a guest that is stopped. */
bool monitor_is_there(void);

/* This vCPU has stopped its VM: the next commands are about it. Its CPU. */
void monitor_stopped_at(struct vcpu *vcpu);

/* For commands: the guest runs, and the script waits until it stops again, or ends. */
void monitor_wait_for_stop(void);

/* For commands: chooses what the next ones are about; closes the session. */
void monitor_choose(struct vm *vm, unsigned vcpu_index);
void monitor_close(void);

/* What is chosen; NULL: nothing yet. */
struct vm *monitor_chosen(void);

#endif
