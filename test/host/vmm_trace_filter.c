/* SPDX-License-Identifier: MIT */
/* vmm/trace/filter.c and arch/x86/exit_reasons.def. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/trace/filter.h"

static struct trace_filter filter;
static struct option_problems problems;

/* Parses into a filter that holds reason 5 alone, so that "left alone" can be told from "set". */
static bool parse(const char *text)
{
    trace_filter_none(&filter);
    filter.reasons[0] = 1u << 5;
    memset(&problems, 0, sizeof(problems));
    return trace_filter_parse(&filter, "trace", text, strlen(text), &problems);
}

static unsigned traced(void)
{
    unsigned count = 0;

    for (unsigned reason = 0; reason < TRACE_FILTER_REASONS; reason++)
        count += trace_filter_has(&filter, reason);
    return count;
}

static void words(void **state)
{
    (void)state;
    assert_true(parse("all"));
    assert_int_equal(traced(), 128);
    assert_true(trace_filter_has(&filter, 65535));
    assert_false(filter.stats_only);
    assert_true(parse("none"));
    assert_int_equal(traced(), 0);
    assert_false(filter.stats_only);
    assert_true(parse("STATS"));
    assert_int_equal(traced(), 0);
    assert_true(filter.stats_only);
    assert_int_equal(problems.count, 0);
}

static void a_list_starts_from_none(void **state)
{
    (void)state;
    assert_true(parse("EPT_VIOLATION,cpuid,18"));
    assert_int_equal(traced(), 3);
    assert_true(trace_filter_has(&filter, 48));
    assert_true(trace_filter_has(&filter, 10));
    assert_true(trace_filter_has(&filter, 18));
    assert_false(trace_filter_has(&filter, 65535));
    assert_true(parse("IO,HLT,-IO"));
    assert_int_equal(traced(), 1);
    assert_true(trace_filter_has(&filter, 12));
}

static void a_list_with_minus_first_starts_from_all(void **state)
{
    (void)state;
    assert_true(parse("-IO,-0x1f,TDCALL"));
    assert_int_equal(traced(), 126);
    assert_false(trace_filter_has(&filter, 30));
    assert_false(trace_filter_has(&filter, 31));
    assert_true(trace_filter_has(&filter, 77));
    assert_true(trace_filter_has(&filter, 200));
    assert_true(parse("all,-CPUID"));
    assert_int_equal(traced(), 127);
    assert_true(parse("stats,CPUID"));
    assert_int_equal(traced(), 1);
    assert_false(filter.stats_only);
}

static void unknown_reasons_are_named(void **state)
{
    (void)state;
    assert_true(parse("CPUID,NONSENSE,-"));
    assert_int_equal(traced(), 1);
    assert_int_equal(problems.count, 2);
    assert_string_equal(problems.line[0], "trace: no exit reason 'NONSENSE'");
    assert_string_equal(problems.line[1], "trace: no exit reason '-'");
    assert_false(parse("CPUI"));
    assert_false(parse("CPUID1"));
    assert_false(parse("127"));
    assert_false(parse("18446744073709551616"));
    assert_int_equal(filter.reasons[0], 1u << 5);
    assert_true(parse("126"));
}

static void nothing_leaves_the_filter_alone(void **state)
{
    (void)state;
    assert_false(parse(""));
    assert_int_equal(problems.count, 1);
    assert_false(parse(",,"));
    assert_int_equal(problems.count, 1);
    assert_int_equal(filter.reasons[0], 1u << 5);
    assert_int_equal(filter.reasons[1], 0);
}

/* Each line of the table can be asked for by its name, and the numbers are the manual's. */
static void the_table(void **state)
{
    static const struct {
        unsigned number;
        const char *name, *text;
    } table[] = {
#define EXIT_REASON(number, name, kind, text) {number, #name, text},
#include "arch/x86/exit_reasons.def"
    };

    (void)state;
    assert_int_equal(array_count(table), 80);
    for (unsigned i = 0; i < array_count(table); i++) {
        assert_true(parse(table[i].name));
        assert_int_equal(traced(), 1);
        assert_true(trace_filter_has(&filter, table[i].number));
        assert_true(i == 0 || table[i].number > table[i - 1].number);
        assert_true(strlen(table[i].text) > 0);
    }
    assert_int_equal(table[array_count(table) - 1].number, 85);

    static const struct {
        const char *name;
        unsigned number;
    } samples[] = {{"EXCEPTION_NMI", 0},
                   {"TRIPLE_FAULT", 2},
                   {"CPUID", 10},
                   {"HLT", 12},
                   {"VMCALL", 18},
                   {"CR_ACCESS", 28},
                   {"IO", 30},
                   {"WRMSR", 32},
                   {"EPT_MISCONFIG", 49},
                   {"INVEPT", 50},
                   {"PREEMPTION_TIMER", 52},
                   {"XSETBV", 55},
                   {"RDSEED", 61},
                   {"XRSTORS", 64},
                   {"BUS_LOCK", 74}};

    for (unsigned i = 0; i < array_count(samples); i++) {
        assert_true(parse(samples[i].name));
        assert_true(trace_filter_has(&filter, samples[i].number));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),
        cmocka_unit_test(a_list_starts_from_none),
        cmocka_unit_test(a_list_with_minus_first_starts_from_all),
        cmocka_unit_test(unknown_reasons_are_named),
        cmocka_unit_test(nothing_leaves_the_filter_alone),
        cmocka_unit_test(the_table),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
