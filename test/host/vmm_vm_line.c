/* SPDX-License-Identifier: MIT */
/* vmm/vm/line.c: lines from any stream of bytes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "vmm/vm/line.h"

static struct guest_line line;

static int empty(void **state)
{
    (void)state;
    memset(&line, 0, sizeof(line));
    return 0;
}

/* Puts all but expects no line of it. */
static void put(const char *text)
{
    while (*text != '\0') {
        assert_false(guest_line_put(&line, *text++));
    }
}

static void assert_line(const char *text)
{
    assert_true(line.complete);
    assert_string_equal(line.text, text);
    assert_int_equal(line.length, strlen(text));
}

static void newline_completes(void **state)
{
    (void)state;
    put("hello");
    assert_false(line.complete);
    assert_true(guest_line_put(&line, '\n'));
    assert_line("hello");
    assert_false(line.continued);
    guest_line_take(&line);
    assert_int_equal(line.length, 0);
    assert_string_equal(line.text, "");
    assert_true(guest_line_put(&line, '\n'));
    assert_line("");
}

static void carriage_returns_are_ignored(void **state)
{
    (void)state;
    put("\r\ra\rb\r");
    assert_true(guest_line_put(&line, '\n'));
    assert_line("ab");
}

static void what_is_not_printable_shows(void **state)
{
    static const char bytes[] = {'\0', '\t', 0x1f, ' ', '~', 0x7f, (char)0x80, (char)0xff};

    (void)state;
    for (unsigned i = 0; i < sizeof(bytes); i++) {
        assert_false(guest_line_put(&line, bytes[i]));
    }
    assert_true(guest_line_put(&line, '\n'));
    assert_line("\\x00\\x09\\x1f ~\\x7f\\x80\\xff");
}

/* A text of GUEST_LINE_MAX characters less `left_out`. */
static const char *long_text(size_t left_out)
{
    static char text[GUEST_LINE_MAX + 1];

    memset(text, 'x', GUEST_LINE_MAX - left_out);
    text[GUEST_LINE_MAX - left_out] = '\0';
    return text;
}

static void exactly_1024_are_one_line(void **state)
{
    (void)state;
    assert_int_equal(GUEST_LINE_MAX, 1024);
    put(long_text(0));
    assert_true(guest_line_put(&line, '\n'));
    assert_line(long_text(0));
    assert_false(line.continued);
}

static void a_longer_one_is_continued(void **state)
{
    (void)state;
    put(long_text(0));
    assert_true(guest_line_put(&line, 'y'));
    assert_line(long_text(0));
    assert_true(line.continued);
    guest_line_take(&line);
    assert_false(line.continued);
    put("z");
    assert_true(guest_line_put(&line, '\n'));
    assert_line("yz");
    assert_false(line.continued);
}

static void escapes_are_not_split(void **state)
{
    (void)state;
    put(long_text(3));
    assert_true(guest_line_put(&line, '\x01'));
    assert_int_equal(line.length, GUEST_LINE_MAX - 3);
    guest_line_take(&line);
    assert_string_equal(line.text, "\\x01");
}

static void a_line_not_taken_is_lost_not_overrun(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        (void)guest_line_put(&line, (char)i);
        assert_in_range(line.length, 0, GUEST_LINE_MAX);
        assert_int_equal(line.text[line.length], '\0');
    }
}

/* All that was put comes out, in order, whatever it is. */
static void nothing_is_lost(void **state)
{
    static char expected[40000], seen[40000];
    size_t expected_length = 0, seen_length = 0;
    unsigned random = 12345;

    (void)state;
    for (int i = 0; i < 5000; i++) {
        char c;

        random = random * 1103515245u + 12345u;
        c = (char)(' ' + (random >> 16) % 95);
        expected[expected_length++] = c;
        if (guest_line_put(&line, c)) {
            memcpy(seen + seen_length, line.text, line.length);
            seen_length += line.length;
            guest_line_take(&line);
        }
    }
    memcpy(seen + seen_length, line.text, line.length);
    seen_length += line.length;
    assert_int_equal(seen_length, expected_length);
    assert_memory_equal(seen, expected, expected_length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(newline_completes, empty),
        cmocka_unit_test_setup(carriage_returns_are_ignored, empty),
        cmocka_unit_test_setup(what_is_not_printable_shows, empty),
        cmocka_unit_test_setup(exactly_1024_are_one_line, empty),
        cmocka_unit_test_setup(a_longer_one_is_continued, empty),
        cmocka_unit_test_setup(escapes_are_not_split, empty),
        cmocka_unit_test_setup(a_line_not_taken_is_lost_not_overrun, empty),
        cmocka_unit_test_setup(nothing_is_lost, empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
