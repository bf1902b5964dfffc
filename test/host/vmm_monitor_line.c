/* SPDX-License-Identifier: MIT */
/* vmm/monitor/line.c: keys, one by one, and what a terminal shows of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/monitor/line.h"

#define COLUMNS 80

static struct monitor_line line;

/* A terminal of one line that matters: the one with the cursor. */
static struct {
    char row[COLUMNS + 1];
    unsigned column, bells, rows;
    char above[2048]; /* the lines before, each with a '\n' */
    char escape[16];
    unsigned escape_length;
} terminal;

static void blank_row(void)
{
    memset(terminal.row, ' ', COLUMNS);
    terminal.row[COLUMNS] = '\0';
}

static void end_escape(void)
{
    unsigned number = 0;

    sscanf(terminal.escape + 2, "%u", &number);
    switch (terminal.escape[terminal.escape_length - 1]) {
    case 'K':
        memset(terminal.row + terminal.column, ' ', COLUMNS - terminal.column);
        break;
    case 'D':
        assert_true(number > 0 && number <= terminal.column);
        terminal.column -= number;
        break;
    case 'H':
        terminal.column = 0;
        break;
    case 'J':
        blank_row();
        break;
    default:
        fail_msg("an escape sequence that no VT100 knows");
    }
    terminal.escape_length = 0;
}

static void show(char byte)
{
    size_t length, used;

    if (terminal.escape_length > 0) {
        assert_true(terminal.escape_length < sizeof(terminal.escape) - 1);
        terminal.escape[terminal.escape_length++] = byte;
        terminal.escape[terminal.escape_length] = '\0';
        if (byte >= 'A' && byte <= 'Z')
            end_escape();
        return;
    }
    switch (byte) {
    case '\x1b':
        terminal.escape_length = 1;
        terminal.escape[0] = byte;
        return;
    case '\r':
        terminal.column = 0;
        return;
    case '\n':
        length = COLUMNS;
        while (length > 0 && terminal.row[length - 1] == ' ')
            length--;
        used = strlen(terminal.above);
        assert_true(used + length + 2 <= sizeof(terminal.above));
        memcpy(terminal.above + used, terminal.row, length);
        memcpy(terminal.above + used + length, "\n", 2);
        blank_row();
        terminal.rows++;
        return;
    case '\a':
        terminal.bells++;
        return;
    default:
        assert_true(byte >= ' ' && byte <= '~');
        assert_true(terminal.column < COLUMNS);
        terminal.row[terminal.column++] = byte;
    }
}

static void put(void *context, const char *bytes, size_t count)
{
    assert_ptr_equal(context, &terminal);
    for (size_t i = 0; i < count; i++)
        show(bytes[i]);
}

static const char *choice(void *context, const char *before, size_t length, unsigned n)
{
    static const char *const first[] = {"vm", "vms", "vmcs", "vcpu", "continue", "x"};
    static const char *const second[] = {"tour", "modes"};

    assert_ptr_equal(context, &terminal);
    if (length == 0)
        return n < 6 ? first[n] : NULL;
    return strncmp(before, "vm ", 3) == 0 && n < 2 ? second[n] : NULL;
}

static int start(void **state)
{
    (void)state;
    memset(&terminal, 0, sizeof(terminal));
    blank_row();
    monitor_line_init(&line);
    line.prompt = "> ";
    line.context = &terminal;
    line.put = put;
    line.choice = choice;
    monitor_line_draw(&line);
    return 0;
}

static void keys(const char *text)
{
    for (; *text != '\0'; text++)
        assert_int_equal(monitor_line_key(&line, *text), MONITOR_KEY_TAKEN);
}

/* The line, the cursor in it, and both as the terminal shows them. */
static void is(const char *text, unsigned cursor)
{
    char row[COLUMNS + 1];

    assert_string_equal(line.text, text);
    assert_int_equal(line.length, strlen(text));
    assert_int_equal(line.cursor, cursor);
    snprintf(row, sizeof(row), "%-*.*s", COLUMNS, COLUMNS, "");
    memcpy(row, "> ", 2);
    memcpy(row + 2, text, strlen(text));
    assert_string_equal(terminal.row, row);
    assert_int_equal(terminal.column, cursor + 2);
    assert_int_equal(terminal.escape_length, 0);
}

static void enter(const char *text)
{
    keys(text);
    assert_int_equal(monitor_line_key(&line, '\r'), MONITOR_KEY_ENTER);
    assert_string_equal(line.text, text);
    monitor_line_clear(&line);
    monitor_line_draw(&line);
}

static void typing(void **state)
{
    (void)state;
    keys("regs");
    is("regs", 4);
    assert_int_equal(monitor_line_key(&line, '\r'), MONITOR_KEY_ENTER);
    assert_string_equal(line.text, "regs");
    monitor_line_clear(&line);
    monitor_line_draw(&line);
    is("", 0);
    keys("\n"); /* of "\r\n" */
    is("", 0);
    assert_int_equal(monitor_line_key(&line, '\n'), MONITOR_KEY_ENTER);
}

static void inserting(void **state)
{
    (void)state;
    keys("rgs\x1b[D\x1b[De");
    is("regs", 2);
    keys("\x01>\x05<");
    is(">regs<", 6);
    keys("\x02\x02\x06+");
    is(">regs+<", 6);
    keys("\x1b[Ha\x1b[Fb\x1bOHc\x1bOFd\x1b[1~e\x1b[4~f");
    is("eca>regs+<bdf", 13);
}

static void deleting(void **state)
{
    (void)state;
    keys("abcdef\x7f");
    is("abcde", 5);
    keys("\x08");
    is("abcd", 4);
    keys("\x01\x1b[3~");
    is("bcd", 0);
    keys("\x04");
    is("cd", 0);
    keys("\x05\x04\x1b[3~");
    is("cd", 2);
    assert_int_equal(terminal.bells, 2);
    keys("\x01\x7f");
    is("cd", 0);
    assert_int_equal(terminal.bells, 3);
}

static void killing(void **state)
{
    (void)state;
    keys("x gpa 0x7c00  \x17");
    is("x gpa ", 6);
    keys("0x10\x02\x02\x0b");
    is("x gpa 0x", 8);
    keys("\x02\x02\x15");
    is("0x", 0);
    keys("\x05y\x03");
    is("", 0);
    assert_int_equal(terminal.rows, 1);
    keys("abc\x0c");
    is("abc", 3);
}

static void closing(void **state)
{
    (void)state;
    assert_int_equal(monitor_line_key(&line, 4), MONITOR_KEY_CLOSES);
    keys("a");
    assert_int_equal(monitor_line_key(&line, 4), MONITOR_KEY_TAKEN);
}

static void history(void **state)
{
    (void)state;
    enter("one");
    enter("two");
    enter("two");
    enter("");
    enter("three");
    keys("new\x1b[A");
    is("three", 5);
    keys("\x1b[A");
    is("two", 3);
    keys("\x10");
    is("one", 3);
    keys("\x1b[A");
    is("one", 3);
    assert_int_equal(terminal.bells, 1);
    keys("\x1b[B\x0e!");
    is("three!", 6);
    keys("\x1b[B");
    is("new", 3);
    keys("\x1b[B");
    assert_int_equal(terminal.bells, 2);
    keys("\x1b[A\x1b[A");
    assert_int_equal(monitor_line_key(&line, '\r'), MONITOR_KEY_ENTER);
    assert_string_equal(line.text, "two");
}

static void history_forgets_the_oldest(void **state)
{
    char text[16];

    (void)state;
    for (unsigned i = 0; i < MONITOR_HISTORY_MAX + 3; i++) {
        snprintf(text, sizeof(text), "line%u", i);
        enter(text);
    }
    for (unsigned i = 0; i < MONITOR_HISTORY_MAX + 1; i++)
        keys("\x1b[A");
    is("line3", 5);
    assert_int_equal(terminal.bells, 1);
}

static void completion(void **state)
{
    (void)state;
    keys("c\t");
    is("continue ", 9);
    keys("\x15v\t");
    assert_int_equal(terminal.bells, 1);
    is("v", 1);
    keys("\t");
    is("v", 1);
    assert_string_equal(terminal.above, "> v\nvm  vms  vmcs  vcpu\n");
    keys("m\tc\t");
    is("vmcs ", 5);
    keys("\x15vm t\t");
    is("vm tour ", 8);
    keys("\x15vm \t");
    is("vm ", 3);
    keys("\x15q\t\t");
    is("q", 1);
    keys("\x15regs\x01v\t"); /* in front of other text */
    is("vregs", 1);
}

static void a_full_line_rings(void **state)
{
    (void)state;
    for (unsigned i = 0; i < MONITOR_LINE_MAX; i++)
        keys("a");
    assert_int_equal(terminal.bells, 0);
    keys("b\t");
    assert_int_equal(line.length, MONITOR_LINE_MAX);
    assert_int_equal(terminal.bells, 2);
    assert_true(strlen(line.prompt) + MONITOR_LINE_MAX < COLUMNS);
    keys("\x1b[Hb");
    assert_int_equal(terminal.bells, 3);
}

/* Sequences that come in pieces, that nobody knows, that never end. */
static void escape_sequences(void **state)
{
    (void)state;
    keys("ab\x1b");
    keys("[");
    keys("D");
    is("ab", 1);
    keys("\x1b[5~\x1b[15;2~\x1b[999999999999~\x1bx\x1b\x1b[C");
    is("ab", 2);
    keys("\x1b[12\x03");
    is("ab", 2);
    keys("\x1b[Z\x1b[?1cc");
    is("abc", 3);
}

static void what_is_no_key(void **state)
{
    (void)state;
    keys("a\x80\xff\x1a\x7f");
    is("", 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(typing, start),
        cmocka_unit_test_setup(inserting, start),
        cmocka_unit_test_setup(deleting, start),
        cmocka_unit_test_setup(killing, start),
        cmocka_unit_test_setup(closing, start),
        cmocka_unit_test_setup(history, start),
        cmocka_unit_test_setup(history_forgets_the_oldest, start),
        cmocka_unit_test_setup(completion, start),
        cmocka_unit_test_setup(a_full_line_rings, start),
        cmocka_unit_test_setup(escape_sequences, start),
        cmocka_unit_test_setup(what_is_no_key, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
