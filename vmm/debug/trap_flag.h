/* SPDX-License-Identifier: MIT */
/*
 * The start-up self-test of the monitor trap flag: does this processor leave a guest behind one instruction
 * if the control asks for it? A processor may advertise the control and never exit by it (Bochs 2.7), and a
 * step that relied on it would run away. SDM vol. 3, "Monitor Trap Flag".
 *
 * Once, on the boot CPU: the control is used only if all CPUs have it, and a machine's CPUs are of one make.
 * The guest is the test's own, two NOPs and a VMCALL in a page of RAM, and is gone before any other is made.
 */
#ifndef VMM_DEBUG_TRAP_FLAG_H
#define VMM_DEBUG_TRAP_FLAG_H

#include <stdbool.h>
#include <stdint.h>

enum monitor_trap_flag {
    MONITOR_TRAP_UNTESTED, /* the test's guest could not be made, or entered */
    MONITOR_TRAP_ABSENT,   /* not among the controls that all CPUs have */
    MONITOR_TRAP_WORKS,
    MONITOR_TRAP_BROKEN, /* it is there, and the guest ran on */
};

/* The NOPs of the test's guest: their place and number. */
#define STEP_TEST_RIP  0x1000u
#define STEP_TEST_NOPS 2u

/* How the test's guest came back. */
struct step_test_outcome {
    bool exited;     /* it was entered, and left by an exit of its own; else the rest is 0 */
    uint32_t reason; /* the VMCS field EXIT_REASON */
    uint64_t rip;
};

/* vmm/debug/trap_flag_judge.c: what the outcome says. Pure. */
enum monitor_trap_flag step_test_judge(bool advertised, const struct step_test_outcome *outcome);

/* vmm/debug/trap_flag_judge.c: one word: untested, absent, works, broken. */
const char *monitor_trap_flag_word(enum monitor_trap_flag flag);

/*
 * Runs the test, prints its line ("adept: self-test: monitor_trap_flag=") and keeps the result. The boot CPU
 * in VMX root operation, before guests are made; a VPID must be to be had (vpid_prepare()). With
 * test=monitor-trap-absent and monitor-trap-works on the command line it pretends the former, or the latter.
 */
void step_test_run(void);

/* The result; before step_test_run() MONITOR_TRAP_UNTESTED. Any CPU. */
enum monitor_trap_flag step_test_result(void);

#endif
