/* SPDX-License-Identifier: MIT */
/* vmm/trace/terms.c: what filter= understands, and what it lets pass. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86/exit_reason.h"
#include "vmm/trace/terms.h"

static struct trace_terms terms;
static struct option_problems problems;

static bool parse(const char *text)
{
    memset(&problems, 0, sizeof(problems));
    memset(&terms, 0, sizeof(terms));
    terms.count = 9; /* "left alone" can be told from "set" */
    return trace_terms_parse(&terms, "filter", text, strlen(text), &problems);
}

static struct trace_record io(uint16_t port, uint64_t rip)
{
    return (struct trace_record){.source = {.kind = TRACE_EXIT, .cpu = 2},
                                 .reason = EXIT_IO,
                                 .qualification = (uint64_t)port << 16 | 8,
                                 .rip = rip,
                                 .word = 0x10,
                                 .guest_physical_address = 0x5000};
}

static struct trace_record about_word(uint32_t reason, uint64_t word)
{
    return (struct trace_record){
        .source = {.kind = TRACE_EXIT, .cpu = 1}, .reason = reason, .word = word, .rip = 0x100};
}

static struct trace_record at_gpa(uint64_t gpa)
{
    return (struct trace_record){.source = {.kind = TRACE_EXIT, .cpu = 1},
                                 .reason = EXIT_EPT_VIOLATION,
                                 .guest_physical_address = gpa,
                                 .rip = 0x100};
}

static bool passes(struct trace_record record)
{
    bool passes = trace_terms_pass(&terms, &record, "tour");
    enum trace_terms_verdict verdict = trace_terms_of(&terms, record.reason, record.source.cpu, "tour");

    /* What is said of all exits of the reason is true of each. */
    if (verdict != TERMS_DEPENDS)
        assert_int_equal(passes, verdict == TERMS_ALWAYS);
    return passes;
}

static enum trace_terms_verdict verdict(unsigned reason)
{
    return trace_terms_of(&terms, reason, 2, "tour");
}

static void nothing_lets_everything_pass(void **state)
{
    (void)state;
    assert_true(parse("none"));
    assert_int_equal(terms.count, 0);
    assert_true(passes(io(0x3f8, 0)));
    assert_int_equal(verdict(EXIT_HLT), TERMS_ALWAYS);
}

static void subjects_are_alternatives(void **state)
{
    (void)state;
    assert_true(parse("port:0x3f8-0x3ff,msr:0x10,cpuid:0x80000000-0x8000001f,gpa:0xb8000-0xbffff,HLT"));
    assert_int_equal(problems.count, 0);
    assert_true(passes(io(0x3f8, 0)));
    assert_true(passes(io(0x3ff, 0)));
    assert_false(passes(io(0x3f7, 0)));
    assert_false(passes(io(0x400, 0)));
    assert_true(passes(about_word(EXIT_RDMSR, 0x10)));
    assert_true(passes(about_word(EXIT_WRMSR, 0x10)));
    assert_false(passes(about_word(EXIT_RDMSR, 0x11)));
    assert_true(passes(about_word(EXIT_CPUID, 0x80000004)));
    assert_false(passes(about_word(EXIT_CPUID, 0x10))); /* an MSR's number, and a leaf */
    assert_true(passes(at_gpa(0xb8000)));
    assert_true(passes(at_gpa(0xbffff)));
    assert_false(passes(at_gpa(0xc0000)));
    assert_true(passes(about_word(EXIT_HLT, 0)));
    assert_false(passes(about_word(EXIT_VMCALL, 0x10)));
    assert_int_equal(verdict(EXIT_IO), TERMS_DEPENDS);
    assert_int_equal(verdict(EXIT_HLT), TERMS_ALWAYS);
    assert_int_equal(verdict(EXIT_VMCALL), TERMS_NEVER);
}

static void other_keys_must_hold_as_well(void **state)
{
    (void)state;
    assert_true(parse("IO,rip:0x1000-0x1fff,rip:0x5000,cpu:2,vm:tour"));
    assert_true(passes(io(0x60, 0x1000)));
    assert_true(passes(io(0x60, 0x5000)));
    assert_false(passes(io(0x60, 0x2000)));
    assert_int_equal(verdict(EXIT_IO), TERMS_DEPENDS);
    assert_int_equal(verdict(EXIT_CPUID), TERMS_NEVER);
    assert_int_equal(trace_terms_of(&terms, EXIT_IO, 1, "tour"), TERMS_NEVER);
    assert_int_equal(trace_terms_of(&terms, EXIT_IO, 2, "tour.2"), TERMS_NEVER);
    assert_true(parse("vm:tour,vm:other"));
    assert_true(passes(io(0x60, 0)));
    assert_int_equal(verdict(EXIT_IO), TERMS_ALWAYS);
}

static void terms_leave_out(void **state)
{
    (void)state;
    assert_true(parse("-port:0x3f8,-CPUID,-gpa:0-0xfff,-rip:0x7000-0x7fff"));
    assert_false(passes(io(0x3f8, 0)));
    assert_true(passes(io(0x3f9, 0)));
    assert_false(passes(io(0x3f9, 0x7abc)));
    assert_false(passes(about_word(EXIT_CPUID, 0)));
    assert_int_equal(verdict(EXIT_CPUID), TERMS_NEVER);
    assert_false(passes(at_gpa(0xfff)));
    assert_true(passes(at_gpa(0x1000)));
    assert_true(parse("port:0x3f8-0x3ff,-port:0x3fd"));
    assert_true(passes(io(0x3fc, 0)));
    assert_false(passes(io(0x3fd, 0)));
    assert_true(parse("-vm:tour"));
    assert_int_equal(verdict(EXIT_IO), TERMS_NEVER);
    assert_true(parse("-cpu:2"));
    assert_int_equal(verdict(EXIT_IO), TERMS_NEVER);
    assert_int_equal(trace_terms_of(&terms, EXIT_IO, 1, "tour"), TERMS_ALWAYS);
}

static void errors_say_what_was_expected(void **state)
{
    static const char *const wrong[] = {"port:",
                                        "port:x",
                                        "port:5-4",
                                        "port",
                                        "-",
                                        "-:",
                                        "gpa:1-2-3",
                                        "colour:1",
                                        "reason:NONSENSE",
                                        "vm:",
                                        "vm:a-name-that-is-longer-than-any-guest",
                                        "port:0x10000000000000000"};

    (void)state;
    for (size_t i = 0; i < array_count(wrong); i++) {
        assert_false(parse(wrong[i]));
        assert_int_equal(terms.count, 9);
        assert_int_equal(problems.count, 1);
        assert_non_null(strstr(problems.line[0], " is no [-]port|msr|cpuid"));
    }
    assert_false(parse(""));
    assert_string_equal(problems.line[0], "filter: none or terms like port:0x3f8-0x3ff expected");
    assert_true(parse("PORT:1,nonsense"));
    assert_int_equal(terms.count, 1);
    assert_int_equal(problems.count, 1);
    assert_true(parse("cpu:0,cpu:1,cpu:2,cpu:3,cpu:4,cpu:5,cpu:6,cpu:7,cpu:8,cpu:9,cpu:10,cpu:11,cpu:12,cpu:"
                      "13,cpu:14,cpu:15,cpu:16"));
    assert_int_equal(terms.count, TRACE_TERMS_MAX);
    assert_string_equal(problems.line[0], "filter: 'cpu:16' is more than 16 terms");
    assert_true(parse("cpu:1,none,IO"));
    assert_int_equal(terms.count, 1);
    assert_int_equal(terms.terms[0].key, TERM_REASON);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_lets_everything_pass), cmocka_unit_test(subjects_are_alternatives),
        cmocka_unit_test(other_keys_must_hold_as_well), cmocka_unit_test(terms_leave_out),
        cmocka_unit_test(errors_say_what_was_expected),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
