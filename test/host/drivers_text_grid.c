/* SPDX-License-Identifier: MIT */
/* drivers/text_grid.c: what is seen after text was put, and that each change is reported once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "drivers/text_grid.h"

#define COLUMNS 10u
#define ROWS    4u

static struct text_grid grid;
static uint8_t wanted[COLUMNS * ROWS], drawn[COLUMNS * ROWS];
static char screen[ROWS][COLUMNS + 1];

static int blank(void **state)
{
    (void)state;
    text_grid_init(&grid, wanted, drawn, COLUMNS, ROWS, 1);
    memset(screen, '.', sizeof(screen));
    return 0;
}

static unsigned draw(unsigned budget)
{
    struct text_grid_change change;
    unsigned changes = 0;

    while (text_grid_next_change(&grid, &budget, &change)) {
        assert_in_range(change.row, 0, ROWS - 1);
        assert_in_range(change.column, 0, COLUMNS - 1);
        screen[change.row][change.column] = (char)change.character;
        changes++;
    }
    return changes;
}

static void put(const char *text)
{
    while (*text != '\0') {
        text_grid_put(&grid, *text++);
    }
}

static void assert_rows(const char *first, const char *second, const char *third, const char *fourth)
{
    const char *rows[ROWS] = {first, second, third, fourth};

    for (unsigned row = 0; row < ROWS; row++) {
        screen[row][COLUMNS] = '\0';
        assert_string_equal(screen[row], rows[row]);
    }
}

static void starts_by_drawing_blanks(void **state)
{
    (void)state;
    assert_int_equal(draw(1000), COLUMNS * ROWS);
    assert_rows("          ", "          ", "          ", "          ");
    assert_int_equal(draw(1000), 0);
}

static void only_changes_are_drawn(void **state)
{
    (void)state;
    (void)draw(1000);
    put("ab");
    assert_int_equal(draw(1000), 2);
    put("\rab\rxb"); /* the b stays as it was */
    assert_int_equal(draw(1000), 1);
    assert_rows("xb        ", "          ", "          ", "          ");
}

static void wraps_late(void **state)
{
    (void)state;
    put("0123456789");
    assert_int_equal(grid.row, 0);
    put("\nnext"); /* a full line and its newline take one row */
    (void)draw(1000);
    assert_rows("0123456789", "next      ", "          ", "          ");
    put("\n0123456789x");
    (void)draw(1000);
    assert_rows("0123456789", "next      ", "0123456789", "x         ");
}

static void scrolls(void **state)
{
    (void)state;
    put("1\n2\n3\n4");
    (void)draw(1000);
    assert_rows("1         ", "2         ", "3         ", "4         ");
    put("\n5");
    (void)draw(1000);
    assert_rows("2         ", "3         ", "4         ", "5         ");
    for (int i = 0; i < 1000; i++) {
        put("a long line that wraps\n");
    }
    (void)draw(1000);
    assert_rows("a long lin", "e that wra", "ps        ", "          ");
}

/* The last rows go up by as many at once; the space below fills before it happens again. */
static void scrolls_by_a_jump(void **state)
{
    (void)state;
    text_grid_init(&grid, wanted, drawn, COLUMNS, ROWS, 2);
    put("1\n2\n3\n4");
    (void)draw(1000);
    assert_rows("1         ", "2         ", "3         ", "4         ");
    put("\n5");
    (void)draw(1000);
    assert_rows("3         ", "4         ", "5         ", "          ");
    put("\n6");
    assert_int_equal(draw(1000), 1); /* no more than the new text */
    assert_rows("3         ", "4         ", "5         ", "6         ");
    put("\n7");
    (void)draw(1000);
    assert_rows("5         ", "6         ", "7         ", "          ");
}

/* A row is compared when something was put there, others are not. */
static void only_changed_rows_are_compared(void **state)
{
    struct text_grid_change change;
    unsigned budget = 1000;

    (void)state;
    (void)draw(1000);
    put("a\n\nb");
    assert_true(text_grid_next_change(&grid, &budget, &change));
    assert_true(text_grid_next_change(&grid, &budget, &change));
    assert_false(text_grid_next_change(&grid, &budget, &change));
    assert_int_equal(budget, 1000 - 2 * COLUMNS);
}

/* Text in front of the place that a look has reached is found by the next one, whatever the budget was. */
static void what_changes_during_a_scan_is_found(void **state)
{
    (void)state;
    for (unsigned some = 1; some < COLUMNS * ROWS; some++) {
        (void)blank(NULL);
        put("0123456789ab");
        (void)draw(some);
        put("\rxy");
        (void)draw(1000);
        assert_int_equal(draw(1000), 0);
        assert_rows("0123456789", "xy        ", "          ", "          ");
    }
}

static void control_characters(void **state)
{
    (void)state;
    put("a\tb\t\tc\nd\x01\x7f\xff");
    (void)draw(1000);
    assert_rows("a       b ", "c         ", "d???      ", "          ");
}

static void budget_is_kept(void **state)
{
    struct text_grid_change change;
    unsigned budget = 100;

    (void)state;
    assert_int_equal(draw(7), 7);
    assert_int_equal(draw(0), 0);
    put("hello");
    for (int i = 0; i < 20; i++) { /* a little at a time, all gets drawn */
        assert_in_range(draw(7), 0, 7);
    }
    assert_rows("hello     ", "          ", "          ", "          ");
    assert_false(text_grid_next_change(&grid, &budget, &change));
    assert_int_equal(budget, 100); /* nothing to do is known without looking */
}

/* Two CPUs at once in a panic may leave any position behind. */
static void wild_positions_stay_inside(void **state)
{
    (void)state;
    grid.row = 0xffffffff;
    grid.column = 0xffffffff;
    grid.top = 0xfffffff0;
    grid.scan_row = grid.scan_column = 0xffffffff;
    put("x\ty\nz");
    (void)draw(1000);
    assert_true(grid.row < ROWS);
    assert_true(grid.column <= COLUMNS);
}

static void one_cell(void **state)
{
    uint8_t want[1], have[1];
    unsigned budget = 10;
    struct text_grid_change change;

    (void)state;
    text_grid_init(&grid, want, have, 1, 1, 1);
    put("ab\t\nc");
    assert_true(text_grid_next_change(&grid, &budget, &change));
    assert_int_equal(change.character, 'c');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(starts_by_drawing_blanks, blank),
        cmocka_unit_test_setup(only_changes_are_drawn, blank),
        cmocka_unit_test_setup(wraps_late, blank),
        cmocka_unit_test_setup(scrolls, blank),
        cmocka_unit_test_setup(scrolls_by_a_jump, blank),
        cmocka_unit_test_setup(only_changed_rows_are_compared, blank),
        cmocka_unit_test_setup(what_changes_during_a_scan_is_found, blank),
        cmocka_unit_test_setup(control_characters, blank),
        cmocka_unit_test_setup(budget_is_kept, blank),
        cmocka_unit_test_setup(wild_positions_stay_inside, blank),
        cmocka_unit_test_setup(one_cell, blank),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
