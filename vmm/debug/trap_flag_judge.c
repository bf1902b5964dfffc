/* SPDX-License-Identifier: MIT */
/* What the self-test of the monitor trap flag has found. Pure. */
#include "vmm/debug/trap_flag.h"

#include "arch/x86/exit_reason.h"

enum monitor_trap_flag step_test_judge(bool advertised, const struct step_test_outcome *outcome)
{
    if (!advertised)
        return MONITOR_TRAP_ABSENT;
    if (!outcome->exited || (outcome->reason & EXIT_REASON_ENTRY_FAILURE))
        return MONITOR_TRAP_UNTESTED;
    /* Behind the first NOP, which is one byte long: neither in front of it nor later. */
    if (outcome->reason == EXIT_MONITOR_TRAP_FLAG && outcome->rip == STEP_TEST_RIP + 1)
        return MONITOR_TRAP_WORKS;
    return MONITOR_TRAP_BROKEN;
}

const char *monitor_trap_flag_word(enum monitor_trap_flag flag)
{
    switch (flag) {
    case MONITOR_TRAP_UNTESTED:
        return "untested";
    case MONITOR_TRAP_ABSENT:
        return "absent";
    case MONITOR_TRAP_WORKS:
        return "works";
    case MONITOR_TRAP_BROKEN:
        return "broken";
    }
    return "?";
}
