/* SPDX-License-Identifier: MIT */
/* vmm/debug/trap_flag_judge.c: what the self-test of the monitor trap flag makes of how its guest came back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/exit_reason.h"
#include "vmm/debug/trap_flag.h"

static enum monitor_trap_flag judge(bool exited, uint32_t reason, uint64_t rip)
{
    const struct step_test_outcome outcome = {.exited = exited, .reason = reason, .rip = rip};

    return step_test_judge(true, &outcome);
}

static void works_behind_one_instruction_alone(void **state)
{
    (void)state;
    assert_int_equal(judge(true, EXIT_MONITOR_TRAP_FLAG, STEP_TEST_RIP + 1), MONITOR_TRAP_WORKS);
    assert_int_equal(judge(true, EXIT_MONITOR_TRAP_FLAG, STEP_TEST_RIP), MONITOR_TRAP_BROKEN);
    assert_int_equal(judge(true, EXIT_MONITOR_TRAP_FLAG, STEP_TEST_RIP + 2), MONITOR_TRAP_BROKEN);
}

/* As on Bochs 2.7: the guest gets to its VMCALL; or comes back in any other way. */
static void broken_by_every_other_exit(void **state)
{
    (void)state;
    assert_int_equal(judge(true, EXIT_VMCALL, STEP_TEST_RIP + STEP_TEST_NOPS), MONITOR_TRAP_BROKEN);
    for (uint32_t reason = 0; reason < EXIT_REASON_COUNT; reason++)
        if (reason != EXIT_MONITOR_TRAP_FLAG)
            assert_int_equal(judge(true, reason, STEP_TEST_RIP + 1), MONITOR_TRAP_BROKEN);
}

static void untested_without_an_exit(void **state)
{
    (void)state;
    assert_int_equal(judge(false, 0, 0), MONITOR_TRAP_UNTESTED);
    assert_int_equal(judge(false, EXIT_MONITOR_TRAP_FLAG, STEP_TEST_RIP + 1), MONITOR_TRAP_UNTESTED);
    assert_int_equal(judge(true, EXIT_REASON_ENTRY_FAILURE | EXIT_ENTRY_GUEST_STATE, STEP_TEST_RIP),
                     MONITOR_TRAP_UNTESTED);
}

static void absent_whatever_came(void **state)
{
    const struct step_test_outcome outcome = {
        .exited = true, .reason = EXIT_MONITOR_TRAP_FLAG, .rip = STEP_TEST_RIP + 1};

    (void)state;
    assert_int_equal(step_test_judge(false, &outcome), MONITOR_TRAP_ABSENT);
}

static void a_word_each(void **state)
{
    (void)state;
    assert_string_equal(monitor_trap_flag_word(MONITOR_TRAP_UNTESTED), "untested");
    assert_string_equal(monitor_trap_flag_word(MONITOR_TRAP_ABSENT), "absent");
    assert_string_equal(monitor_trap_flag_word(MONITOR_TRAP_WORKS), "works");
    assert_string_equal(monitor_trap_flag_word(MONITOR_TRAP_BROKEN), "broken");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(works_behind_one_instruction_alone),
        cmocka_unit_test(broken_by_every_other_exit),
        cmocka_unit_test(untested_without_an_exit),
        cmocka_unit_test(absent_whatever_came),
        cmocka_unit_test(a_word_each),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
