/* SPDX-License-Identifier: MIT */
/* drivers/vga_text.c on a piece of memory: cells, scrolling, the cursor, bounded refreshes. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "drivers/vga_text.h"

static struct vga_text vga;
static uint16_t *cells; /* on the heap: the sanitizer sees every step outside */
static uint8_t crtc_index, crtc[256];
static unsigned port_writes;

static void port_out(uint16_t port, uint8_t value)
{
    port_writes++;
    if (port == 0x3d4) {
        crtc_index = value;
    } else {
        assert_int_equal(port, 0x3d5);
        crtc[crtc_index] = value;
    }
}

static int screen_on(void **state)
{
    (void)state;
    cells = malloc(VGA_TEXT_BYTES);
    assert_non_null(cells);
    memset(cells, 0x5a, VGA_TEXT_BYTES);
    vga_text_init(&vga, cells, port_out);
    return 0;
}

static int screen_off(void **state)
{
    (void)state;
    free(cells);
    return 0;
}

static void put(const char *text)
{
    vga_text_put(&vga, text, strlen(text));
}

static void assert_cell(unsigned row, unsigned column, char character)
{
    assert_int_equal(cells[row * 80 + column], 0x0700 | (uint8_t)character);
}

static unsigned cursor(void)
{
    return (unsigned)crtc[0x0e] << 8 | crtc[0x0f];
}

static void clears_and_writes(void **state)
{
    (void)state;
    put("Adept\nnext");
    assert_int_equal(cells[0], 0x5a5a); /* the shadow only */
    vga_text_refresh(&vga);
    assert_cell(0, 0, 'A');
    assert_cell(0, 4, 't');
    assert_cell(0, 5, ' ');
    assert_cell(1, 3, 't');
    assert_cell(24, 79, ' ');
    assert_int_equal(cursor(), 84);
}

static void unchanged_cells_are_left_alone(void **state)
{
    (void)state;
    vga_text_refresh(&vga);
    cells[100] = 0x1234; /* somebody else's */
    put("x");
    vga_text_refresh(&vga);
    assert_int_equal(cells[100], 0x1234);
    assert_cell(0, 0, 'x');
}

static void scrolls_and_keeps_the_cursor_on_the_screen(void **state)
{
    (void)state;
    for (char c = 'a'; c <= 'z'; c++) {
        char line[] = {c, '\n', '\0'};

        put(line);
    }
    vga_text_refresh(&vga);
    assert_cell(0, 0, 'c'); /* 26 lines and the empty one begun: two have gone */
    assert_cell(23, 0, 'z');
    assert_cell(24, 0, ' ');
    assert_int_equal(cursor(), 24 * 80);
    for (int i = 0; i < 80; i++) {
        put("#");
    }
    vga_text_refresh(&vga);
    assert_cell(24, 79, '#');
    assert_int_equal(cursor(), 24 * 80 + 79);
}

static void some_is_bounded(void **state)
{
    unsigned written = 0;

    (void)state;
    vga_text_refresh_some(&vga, 2000, 16);
    for (unsigned i = 0; i < 2000; i++) {
        written += cells[i] != 0x5a5a;
    }
    assert_int_equal(written, 16);
    vga_text_refresh_some(&vga, 10, 16);
    assert_int_equal(cells[25], 0x0720);
    assert_int_equal(cells[26], 0x5a5a);
    assert_int_equal(port_writes, 0);
}

static void works_without_cursor(void **state)
{
    (void)state;
    vga_text_init(&vga, cells, NULL);
    put("x");
    vga_text_refresh(&vga);
    assert_cell(0, 0, 'x');
    assert_int_equal(port_writes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(some_is_bounded, screen_on, screen_off),
        cmocka_unit_test_setup_teardown(works_without_cursor, screen_on, screen_off),
        cmocka_unit_test_setup_teardown(clears_and_writes, screen_on, screen_off),
        cmocka_unit_test_setup_teardown(unchanged_cells_are_left_alone, screen_on, screen_off),
        cmocka_unit_test_setup_teardown(scrolls_and_keeps_the_cursor_on_the_screen, screen_on, screen_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
