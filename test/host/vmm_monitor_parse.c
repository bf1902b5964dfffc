/* SPDX-License-Identifier: MIT */
/* vmm/monitor/parse.c: words, numbers, ranges, rights, formats, scripts. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/monitor/parse.h"

static void words(void **state)
{
    struct monitor_words words;

    (void)state;
    monitor_split(&words, option_span_of("  x  gpa\t0x10 "));
    assert_int_equal(words.count, 3);
    assert_false(words.too_many);
    assert_true(option_is(words.word[2], "0x10"));
    monitor_split(&words, option_span_of(""));
    assert_int_equal(words.count, 0);
    monitor_split(&words, option_span_of("1 2 3 4 5 6 7 8 9 10"));
    assert_int_equal(words.count, MONITOR_WORDS_MAX);
    assert_false(words.too_many);
    monitor_split(&words, option_span_of("1 2 3 4 5 6 7 8 9 10 11"));
    assert_int_equal(words.count, MONITOR_WORDS_MAX);
    assert_true(words.too_many);
}

static void scripts(void **state)
{
    struct option_span script = option_span_of(" regs;; x gpa 0 ;\t; continue"), command;

    (void)state;
    assert_true(monitor_next_command(&script, &command));
    assert_true(option_is(command, "regs"));
    assert_true(monitor_next_command(&script, &command));
    assert_true(option_is(command, "x gpa 0"));
    assert_true(monitor_next_command(&script, &command));
    assert_true(option_is(command, "continue"));
    assert_false(monitor_next_command(&script, &command));
    assert_false(monitor_next_command(&script, &command));
}

static void ranges(void **state)
{
    uint64_t address = 1, length = 77;

    (void)state;
    assert_true(monitor_range(option_span_of("0x7c00"), &address, &length));
    assert_int_equal(address, 0x7c00);
    assert_int_equal(length, 77);
    assert_true(monitor_range(option_span_of("1M+4K"), &address, &length));
    assert_int_equal(address, 0x100000);
    assert_int_equal(length, 0x1000);
    assert_true(monitor_range(option_span_of("0xffffffffffffffff+1"), &address, &length));
    assert_int_equal(address, UINT64_MAX);
    assert_false(monitor_range(option_span_of("0xffffffffffffffff+2"), &address, &length));
    assert_false(monitor_range(option_span_of("0x10+0"), &address, &length));
    assert_false(monitor_range(option_span_of("0x10+"), &address, &length));
    assert_false(monitor_range(option_span_of("+1"), &address, &length));
    assert_false(monitor_range(option_span_of(""), &address, &length));
    assert_false(monitor_range(option_span_of("7c00"), &address, &length));
    assert_int_equal(address, UINT64_MAX);
    assert_int_equal(length, 1);
}

static void rights(void **state)
{
    unsigned bits = 99;

    (void)state;
    assert_true(monitor_rights(option_span_of("r"), &bits));
    assert_int_equal(bits, 1);
    assert_true(monitor_rights(option_span_of("xW"), &bits));
    assert_int_equal(bits, 6);
    assert_true(monitor_rights(option_span_of("rwx"), &bits));
    assert_int_equal(bits, 7);
    assert_true(monitor_rights(option_span_of("none"), &bits));
    assert_int_equal(bits, 0);
    bits = 99;
    assert_false(monitor_rights(option_span_of("rr"), &bits));
    assert_false(monitor_rights(option_span_of("rwxq"), &bits));
    assert_false(monitor_rights(option_span_of(""), &bits));
    assert_int_equal(bits, 99);
}

static void format(const char *text, bool good, unsigned unit, unsigned count, bool is_text)
{
    struct monitor_format format;

    assert_int_equal(monitor_format(option_span_of(text), &format), good);
    if (good) {
        assert_int_equal(format.unit, unit);
        assert_int_equal(format.count, count);
        assert_int_equal(format.text, is_text);
    }
}

static void formats(void **state)
{
    (void)state;
    format("b", true, 1, 0, false);
    format("h", true, 2, 0, false);
    format("4w", true, 4, 4, false);
    format("65535g", true, 8, 65535, false);
    format("16", true, 1, 16, false);
    format("s", true, 1, 0, true);
    format("0x10b", true, 1, 16, false);
    format("", false, 0, 0, false);
    format("q", false, 0, 0, false);
    format("0w", false, 0, 0, false);
    format("65536w", false, 0, 0, false);
    format("4ww", false, 0, 0, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words),  cmocka_unit_test(scripts), cmocka_unit_test(ranges),
        cmocka_unit_test(rights), cmocka_unit_test(formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
