/* SPDX-License-Identifier: MIT */
/* drivers/format.c against expected text, and against the C library's printf where both must agree. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "drivers/format.h"

/* Neither is declared printf-like: the tests also hand in what a compiler would warn about. */

/* Formats with ours and the C library's, and compares text and returned length. */
static void same_as_libc(const char *text, ...)
{
    char ours[256], theirs[256];
    va_list first, second;

    va_start(first, text);
    va_copy(second, first);
    size_t length = format_v(ours, sizeof(ours), text, first);
    int expected = vsnprintf(theirs, sizeof(theirs), text, second);

    va_end(second);
    va_end(first);
    assert_string_equal(ours, theirs);
    assert_int_equal(length, expected);
}

static void gives(const char *expected, const char *text, ...)
{
    char ours[256];
    va_list arguments;

    va_start(arguments, text);
    size_t length = format_v(ours, sizeof(ours), text, arguments);

    va_end(arguments);
    assert_string_equal(ours, expected);
    assert_int_equal(length, strlen(expected));
}

static void integers(void **state)
{
    (void)state;
    same_as_libc("%d %i %u", -1, 42, 4000000000u);
    same_as_libc("[%5d] [%-5d] [%05d] [%+d] [% d]", 42, 42, -42, 42, 42);
    same_as_libc("[%.3d] [%8.3d] [%-8.3d] [%08.3d]", 7, 7, 7, 7);
    same_as_libc("[%.0d] [%.0x] [%5.0u]", 0, 0u, 0u);
    same_as_libc("%x %X %#x %#10x %#010x %-#10x|", 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu, 0xbeefu);
    same_as_libc("%lx %llx %zu %jd", ~0ul, ~0ull, (size_t)12345, (intmax_t)-5);
    same_as_libc("%lld %lld %llu", (long long)INT64_MIN, (long long)INT64_MAX, ~0ull);
    same_as_libc("%d %d", INT32_MIN, INT32_MAX);
    same_as_libc("%hhd %hhu %hd %hu", -1, 511, 65535, 65537);
    same_as_libc("%*d|%-*d|%*d|", 6, 1, 6, 2, -6, 3);
    same_as_libc("%td", (ptrdiff_t)-7);
}

static void hexadecimal_prefix(void **state)
{
    (void)state;
    gives("0x0", "%#x", 0u);
    gives("0xBEEF", "%#X", 0xbeefu);
    gives("0x0000", "%#06x", 0u);
    gives("0x1234", "%p", (void *)(uintptr_t)0x1234);
    gives("0x0", "%p", (void *)NULL);
}

static void strings(void **state)
{
    (void)state;
    same_as_libc("%s|%10s|%-10s|%.2s|%5.1s|", "abc", "abc", "abc", "abc", "abc");
    same_as_libc("%c%c|%3c|%-3c|", 'a', 'b', 'c', 'd');
    same_as_libc("100%% %.*s", 3, "abcdef");
    same_as_libc("%.*s|", -1, "abcdef");
    gives("(null)", "%s", (const char *)NULL);
    same_as_libc("%s", "");

    /* Precision reads no further than it must. */
    const char unterminated[3] = {'x', 'y', 'z'};

    gives("xyz", "%.3s", unterminated);
}

static size_t unchecked(char *buffer, size_t size, const char *text, ...)
{
    va_list arguments;

    va_start(arguments, text);
    size_t length = format_v(buffer, size, text, arguments);

    va_end(arguments);
    return length;
}

static void unknown_conversions_are_copied(void **state)
{
    char buffer[64];
    int untouched = 77;

    (void)state;
    unchecked(buffer, sizeof(buffer), "a%nb", &untouched);
    assert_string_equal(buffer, "a%nb");
    assert_int_equal(untouched, 77);
    unchecked(buffer, sizeof(buffer), "%q %5.2f %", 1.0);
    assert_string_equal(buffer, "%q %5.2f %");
    unchecked(buffer, sizeof(buffer), "%-08ll");
    assert_string_equal(buffer, "%-08ll");
    unchecked(buffer, sizeof(buffer), "");
    assert_string_equal(buffer, "");
}

static void cuts_and_tells_the_whole_length(void **state)
{
    char buffer[8];

    (void)state;
    memset(buffer, 'z', sizeof(buffer));
    assert_int_equal(format(buffer, 4, "%s", "abcdef"), 6);
    assert_string_equal(buffer, "abc");
    assert_int_equal(buffer[4], 'z');
    assert_int_equal(format(buffer, 1, "%d", 12345), 5);
    assert_string_equal(buffer, "");
    assert_int_equal(buffer[1], 'b');
    assert_int_equal(format(NULL, 0, "%d", 12345), 5);
    assert_int_equal(format(buffer, 6, "%d", 12345), 5);
    assert_string_equal(buffer, "12345");
    assert_int_equal(format(buffer, 5, "%d", 12345), 5);
    assert_string_equal(buffer, "1234");
}

static void absurd_widths_are_bounded(void **state)
{
    char buffer[16];

    (void)state;
    assert_int_equal(unchecked(buffer, sizeof(buffer), "%999999999999d", 1), 4096);
    assert_int_equal(unchecked(buffer, sizeof(buffer), "%.99999999999d", 1), 4096);
    assert_int_equal(unchecked(buffer, sizeof(buffer), "%*d", INT32_MIN, 1), 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers),
        cmocka_unit_test(hexadecimal_prefix),
        cmocka_unit_test(strings),
        cmocka_unit_test(unknown_conversions_are_copied),
        cmocka_unit_test(cuts_and_tells_the_whole_length),
        cmocka_unit_test(absurd_widths_are_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
