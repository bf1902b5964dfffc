/* SPDX-License-Identifier: MIT */
/* vmm/trace/record.c: which exits are the same; what means nothing goes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86/exit_reason.h"
#include "vmm/trace/record.h"

static const char device[] = "uart";

static struct trace_record exit_of(uint32_t reason, uint64_t qualification, uint64_t value)
{
    return (struct trace_record){.source = {.kind = TRACE_EXIT, .vm = 1},
                                 .rip = 0x7c00,
                                 .reason = reason,
                                 .qualification = qualification,
                                 .value = value,
                                 .result = {.code = RESULT_DEVICE},
                                 .device = device};
}

/* Whether two accesses to the port are the same that differ in what is read or written. */
static bool any_data(uint16_t port, bool in)
{
    struct trace_record one = exit_of(EXIT_IO, (uint64_t)port << 16 | (in ? 8 : 0), 'a');
    struct trace_record other = exit_of(EXIT_IO, (uint64_t)port << 16 | (in ? 8 : 0), 'b');

    assert_true(trace_record_same(&one, &one));
    return trace_record_same(&one, &other);
}

/* Characters that are printed; neither what is typed nor a device's other registers. */
static void data_that_makes_no_difference(void **state)
{
    static const uint16_t text[] = {0x3f8, 0x2f8, 0x3e8, 0x2e8, 0xe9, 0x402};

    (void)state;
    for (unsigned port = 0; port <= 0xffff; port++) {
        bool prints = false;

        for (size_t i = 0; i < sizeof(text) / sizeof(*text); i++)
            prints |= text[i] == port;
        assert_int_equal(any_data((uint16_t)port, false), prints);
        assert_false(any_data((uint16_t)port, true));
    }
}

/* What the exit's reason gives a meaning makes two exits differ, the rest does not. */
static void what_makes_a_difference(void **state)
{
    struct trace_record one = exit_of(EXIT_CPUID, 1, 2), other = one;

    (void)state;
    other.qualification = 9;
    other.guest_physical_address = other.guest_linear_address = 9;
    other.tsc = other.ticks = other.sequence = 9;
    assert_true(trace_record_same(&one, &other));
    other.word = 1;
    assert_false(trace_record_same(&one, &other));
    other.word = one.word;
    other.cs = 8;
    assert_false(trace_record_same(&one, &other));
    other.cs = one.cs;
    trace_record_set_mode(&other, TRACE_MODE_LONG);
    assert_false(trace_record_same(&one, &other));
    trace_record_set_mode(&other, TRACE_MODE_REAL);
    assert_true(trace_record_same(&one, &other));
    other.source.vcpu = 2;
    assert_false(trace_record_same(&one, &other));
}

static void tidy(void **state)
{
    struct trace_record record, want = {.source = {.kind = TRACE_EXIT}, .reason = EXIT_CPUID};

    (void)state;
    memset(&record, 0xff, sizeof(record));
    record.source = want.source;
    record.reason_alone = EXIT_CPUID;
    record.result.code = RESULT_EMULATED;
    want.sequence = want.tsc = want.rip = want.word = want.value = want.ticks = UINT64_MAX;
    want.cs = 0xffff;
    trace_record_set_mode(&want, TRACE_MODE_LONG);
    trace_record_tidy(&record);
    assert_memory_equal(&record, &want, sizeof(record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_that_makes_no_difference),
        cmocka_unit_test(what_makes_a_difference),
        cmocka_unit_test(tidy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
