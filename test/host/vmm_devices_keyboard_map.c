/* SPDX-License-Identifier: MIT */
/* vmm/devices/keyboard_map.c: every character has its key, every key its codes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/devices/keyboard_map.h"

/* A US keyboard as it lies there, row by row: set 1 counts its keys on. Below, the same with Shift. */
static const struct {
    uint8_t first;
    const char *plain, *shifted;
} rows[] = {
    {0x02, "1234567890-=", "!@#$%^&*()_+"},
    {0x10, "qwertyuiop[]", "QWERTYUIOP{}"},
    {0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~"},
    {0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"},
    {0x39, " ", ""},
};

static void printable_characters(void **state)
{
    struct keyboard_map map = {0};
    struct keyboard_stroke stroke;
    unsigned found = 0;

    (void)state;
    for (unsigned r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        for (unsigned shift = 0; shift < 2; shift++) {
            const char *row = shift ? rows[r].shifted : rows[r].plain;

            for (unsigned i = 0; row[i] != '\0'; i++, found++) {
                assert_true(keyboard_map_character(&map, row[i], &stroke));
                assert_int_equal(stroke.key, rows[r].first + i);
                assert_int_equal(stroke.shift, shift);
                assert_false(stroke.control);
            }
        }
    }
    assert_int_equal(found, 0x7f - 0x20);
}

static void expect_key(struct keyboard_map *map, const char *text, unsigned length, uint8_t key, bool control)
{
    struct keyboard_stroke stroke;

    for (unsigned i = 0; i + 1 < length; i++)
        assert_false(keyboard_map_character(map, text[i], &stroke));
    assert_true(keyboard_map_character(map, text[length - 1], &stroke));
    assert_int_equal(stroke.key, key);
    assert_int_equal(stroke.control, control);
    assert_false(stroke.shift);
}

static void control_characters(void **state)
{
    struct keyboard_map map = {0};
    struct keyboard_stroke stroke;

    (void)state;
    expect_key(&map, "\r", 1, 0x1c, false);
    expect_key(&map, "\n", 1, 0x1c, false);
    expect_key(&map, "\t", 1, 0x0f, false);
    expect_key(&map, "\b", 1, 0x0e, false);
    expect_key(&map, "\x7f", 1, 0x0e, false);
    expect_key(&map, "\x03", 1, 0x2e, true); /* Control-C */
    expect_key(&map, "\x18", 1, 0x2d, true); /* Control-X */
    expect_key(&map, "\x1c", 1, 0x2b, true); /* Control-backslash */
    assert_false(keyboard_map_character(&map, '\0', &stroke));
    for (int c = 0x80; c <= 0xff; c++)
        assert_false(keyboard_map_character(&map, (char)c, &stroke));
}

static void terminal_sequences(void **state)
{
    struct keyboard_map map = {0};
    struct keyboard_stroke stroke;

    (void)state;
    expect_key(&map, "\x1b[A", 3, 0x48 | KEYBOARD_EXTENDED, false);
    expect_key(&map, "\x1b[D", 3, 0x4b | KEYBOARD_EXTENDED, false);
    expect_key(&map, "\x1bOP", 3, 0x3b, false);
    expect_key(&map, "\x1b[3~", 4, 0x53 | KEYBOARD_EXTENDED, false);
    expect_key(&map, "\x1b[24~", 5, 0x58, false);
    expect_key(&map, "\x1b[15~", 5, 0x3f, false);
    expect_key(&map, "a", 1, 0x1e, false);
    /* What is none ends there and leaves nothing behind. */
    for (const char *text = "\x1b[Z\x1b[99999~\x1b[16~\x1b[~"; *text != '\0'; text++)
        assert_false(keyboard_map_character(&map, *text, &stroke));
    assert_false(keyboard_map_waits(&map));
    expect_key(&map, "a", 1, 0x1e, false);
    /* ESC by itself. */
    assert_false(keyboard_map_character(&map, 0x1b, &stroke));
    assert_true(keyboard_map_waits(&map));
    assert_true(keyboard_map_flush(&map, &stroke));
    assert_int_equal(stroke.key, KEY_ESCAPE);
    assert_false(keyboard_map_flush(&map, &stroke));
    expect_key(&map, "\x1b\x1b", 2, KEY_ESCAPE, false);
    assert_true(keyboard_map_flush(&map, &stroke));
    expect_key(&map, "\x1bx", 2, 0x2d, false);
}

/* Each key that a character or sequence can make exists in set 2, and the controller translates it back. */
static void both_sets_agree(void **state)
{
    (void)state;
    for (unsigned key = 1; key <= 0x58; key++) {
        uint8_t code = keyboard_set1_to_set2((uint8_t)key);

        assert_int_not_equal(code, 0);
        assert_int_equal(keyboard_set2_to_set1(code), key);
    }
    assert_int_equal(keyboard_set1_to_set2(0x1e), 0x1c); /* A */
    assert_int_equal(keyboard_set1_to_set2(0x1c), 0x5a); /* Enter */
    assert_int_equal(keyboard_set1_to_set2(0x41), 0x83); /* F7, the one above 0x7f */
    assert_int_equal(keyboard_set2_to_set1(0x84), 0x54);
    assert_int_equal(keyboard_set2_to_set1(0xaa), 0xaa);
    assert_int_equal(keyboard_set2_to_set1(0xfa), 0xfa);
    assert_int_equal(keyboard_set1_to_set2(0x80), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(printable_characters),
        cmocka_unit_test(control_characters),
        cmocka_unit_test(terminal_sequences),
        cmocka_unit_test(both_sets_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
