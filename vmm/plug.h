/* SPDX-License-Identifier: MIT */
/*
 * Where the outer rooms attach: the one list of calls that lead from the core, and from one outer room to
 * another, into a room that can be left out. `make WITHOUT="monitor report check"` leaves rooms out, all or
 * some of these, and each call into such a room is then the empty one that stands here. What a call is for is
 * said here; how it is done, in the file that is named.
 */
#ifndef VMM_PLUG_H
#define VMM_PLUG_H

#include "arch/x86/compiler.h"
#include "ept/walk2d.h"
#include <stdbool.h>
#include <stdint.h>
#ifdef WITHOUT_MONITOR
#include "drivers/console.h"
#endif

struct boot_info;
struct vcpu;
struct vm;

/* --- vmm/monitor/: the command line on the console ---------------------------------------------------------
 */

#ifndef WITHOUT_MONITOR
/* The boot CPU, before guests run: takes the script of the command line. (monitor.c) */
void monitor_prepare(void);
/* All guests have ended: what is left of the script, and the end of the session. Boot CPU. (monitor.c) */
void monitor_finish(void);
/* Before the first entry of a VM's first vCPU, on its CPU with its VMCS current: stops it for the script.
 * (monitor.c) */
void monitor_before_entry(struct vcpu *vcpu);
/* Reads the console and goes on with the session as far as this CPU can: without a vCPU, or with that of the
 * calling CPU, between an exit and an entry. Never waits for another CPU. (monitor.c) */
void monitor_run(struct vcpu *vcpu);
/* The same without a vCPU, for loops of a CPU that waits: not oftener than the console needs it. (monitor.c)
 */
void monitor_poll(void);
/* Whether a command waits for this vCPU. Its CPU. (monitor.c) */
bool monitor_wants(const struct vcpu *vcpu);
/* The VM has ended, its VMCS is current and its memory is still there: the rest of a script that is about it.
 * (monitor.c) */
void monitor_at_end(struct vcpu *vcpu);
/* Whether somebody types, or a script runs: who could continue a guest that is stopped. (monitor.c) */
bool monitor_is_there(void);
/* This vCPU has stopped its VM: the next commands are about it. Its CPU. (monitor.c) */
void monitor_stopped_at(struct vcpu *vcpu);
/* What was typed for the guests; -1: nothing. The CPU of the guest that gets it. (keys.c) */
int monitor_guest_key(void);
#else
static inline void monitor_prepare(void) {}
static inline void monitor_finish(void) {}
static inline void monitor_before_entry(struct vcpu *vcpu)
{
    (void)vcpu;
}
static inline void monitor_run(struct vcpu *vcpu)
{
    (void)vcpu;
}
static inline void monitor_poll(void) {}
static inline bool monitor_wants(const struct vcpu *vcpu)
{
    (void)vcpu;
    return false;
}
static inline void monitor_at_end(struct vcpu *vcpu)
{
    (void)vcpu;
}
static inline bool monitor_is_there(void)
{
    return false;
}
static inline void monitor_stopped_at(struct vcpu *vcpu)
{
    (void)vcpu;
}
static inline int monitor_guest_key(void)
{
    return console_try_read(); /* none is for the monitor */
}
#endif

/* --- vmm/report/: what is said at the start, at a guest's end and at a crash -------------------------------
 */

#ifndef WITHOUT_REPORT
/* All CPUs are up, and no guest has memory yet. Boot CPU. (start.c) */
void start_report_memory(void);
/* A vCPU's first entry is next; only the first call of all counts. Any CPU, at any time. (start.c) */
void start_report_entry(void);
/* One line, if a guest was entered. Boot CPU, after the guests. (start.c) */
void start_report_print(void);
/* The vCPU leaves its run loop: keeps what other CPUs cannot read of its VMCS. Its CPU. (vcpu_brief.c) */
void vcpu_brief_take(struct vcpu *vcpu);
/* Crash report if the VM did not end itself, dumps if asked for, and the isolation check. Its VMCS is still
 * current, on the CPU that ran it. (vm.c) */
void vm_report(struct vcpu *vcpu);
#else
static inline void start_report_memory(void) {}
static inline void start_report_entry(void) {}
static inline void start_report_print(void) {}
static inline void vcpu_brief_take(struct vcpu *vcpu)
{
    (void)vcpu;
}
static inline void vm_report(struct vcpu *vcpu)
{
    (void)vcpu;
}
#endif

/* --- vmm/check/: Adept and the processor, checked
 * ----------------------------------------------------------- */

/* A walk check is one exit, and looks at every entry of the EPT: there may be so many tables. */
#define WALK_CHECK_TABLES_MAX 10

/* HYPERCALL_WALK_CHECK's answer. */
struct walk_check_result {
    uint32_t differences, departures, entries;
    enum walk2d_end end;
    uint8_t references;
    uint64_t detail;
};

#ifndef WITHOUT_CHECK
/* Runs what test= asks for on the vCPU's current VMCS, before its first entry. (entry/trial.c) */
void entry_test(struct vcpu *vcpu);
/* Prints a line for each rule of VM entries that the current VMCS breaks, and returns how many there are. Not
 * in the exit path. (entry/report.c) */
unsigned entry_report(const char *vm_name);
/* conformance=CASES,SEED on the boot CPU, in place of guests. 0: no mismatch, 1: some, 2: the test could not
 * be run. (conformance/conformance.c) */
int conformance_run(void);
/* The words of test= that are about the host, at seven places of the machine's life. (self/faults.c)
 * Boot CPU, before the machine's interrupts are masked. */
void host_test_before_masks(void);
/* Boot CPU, before memory_setup(). */
void host_test_modules(struct boot_info *boot);
/* Boot CPU, after all CPUs are up. */
void host_test_run(void);
/* Every other CPU, once it is up. */
void host_test_other_cpu(void);
/* Boot CPU, when the last guest has ended. */
void host_test_after_guests(void);
/* The CPU of a guest, before its crash report; in it; and before the audit of its isolation. */
void host_test_before_report(struct vcpu *vcpu);
void host_test_in_report(struct vcpu *vcpu);
void host_test_before_audit(struct vm *vm);
/* A walk that the processor does for a guest is compared with ept/walk2d.c. (self/walk.c) All on the vCPU's
 * CPU. HYPERCALL_WALK_PREPARE; false: there is nothing to predict at this address, then no check begins. Ends
 * the VM if INVEPT fails. */
must_check bool walk_check_prepare(struct vcpu *vcpu, uint64_t linear_address, enum guest_access access);
/* HYPERCALL_WALK_CHECK: page_fault, error_code, cr2: what the guest has seen. false: no PREPARE before. */
must_check bool walk_check_finish(struct vcpu *vcpu, bool page_fault, uint32_t error_code, uint32_t cr2,
                                  struct walk_check_result *result);
/* An EPT exit while vm->walk_armed: before it is handled, and after. */
void walk_check_exit(struct vcpu *vcpu);
void walk_check_again(struct vcpu *vcpu);
/* What all of a VM's checks have found, for its report; and its memory given back. */
void walk_check_report(const struct vm *vm);
void walk_check_release(struct vm *vm);
#else
static inline void entry_test(struct vcpu *vcpu)
{
    (void)vcpu;
}
static inline unsigned entry_report(const char *vm_name)
{
    (void)vm_name;
    return 0;
}
static inline int conformance_run(void)
{
    return 2;
}
static inline void host_test_before_masks(void) {}
static inline void host_test_modules(struct boot_info *boot)
{
    (void)boot;
}
static inline void host_test_run(void) {}
static inline void host_test_other_cpu(void) {}
static inline void host_test_after_guests(void) {}
static inline void host_test_before_report(struct vcpu *vcpu)
{
    (void)vcpu;
}
static inline void host_test_in_report(struct vcpu *vcpu)
{
    (void)vcpu;
}
static inline void host_test_before_audit(struct vm *vm)
{
    (void)vm;
}
must_check static inline bool walk_check_prepare(struct vcpu *vcpu, uint64_t linear_address,
                                                 enum guest_access access)
{
    (void)vcpu, (void)linear_address, (void)access;
    return false;
}
must_check static inline bool walk_check_finish(struct vcpu *vcpu, bool page_fault, uint32_t error_code,
                                                uint32_t cr2, struct walk_check_result *result)
{
    (void)vcpu, (void)page_fault, (void)error_code, (void)cr2, (void)result;
    return false;
}
static inline void walk_check_exit(struct vcpu *vcpu)
{
    (void)vcpu;
}
static inline void walk_check_again(struct vcpu *vcpu)
{
    (void)vcpu;
}
static inline void walk_check_report(const struct vm *vm)
{
    (void)vm;
}
static inline void walk_check_release(struct vm *vm)
{
    (void)vm;
}
#endif

#endif
