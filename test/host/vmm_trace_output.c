/* SPDX-License-Identifier: MIT */
/* vmm/trace/output.c: lines of every length come out whole and in order, none is dropped, and a mark ends
 * what a report waits for. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/trace/output.h"

/* With a border behind it, of the allocator's. */
static struct trace_output output;

static int start(void **state)
{
    (void)state;
    output = (struct trace_output){.bytes = calloc(1, TRACE_OUTPUT_BYTES)};
    return output.bytes == NULL;
}

static int end(void **state)
{
    (void)state;
    free(output.bytes);
    return 0;
}

/* The n-th line: its length and its characters follow from n. */
static size_t text_of(uint64_t n, size_t longest, char *text)
{
    size_t length = (size_t)(n * 2654435761u % (longest + 1));

    for (size_t i = 0; i < length; i++)
        text[i] = (char)('!' + (n + i) % 90);
    return length;
}

static bool put(uint64_t n, size_t longest)
{
    struct trace_output_line line = {.tsc = n, .vm = (uint16_t)(n % 7)};
    char text[TRACE_TEXT_MAX];

    return trace_output_put(&output, &line, text, text_of(n, longest, text));
}

static void take(uint64_t n, size_t longest)
{
    const struct trace_output_line *line = trace_output_oldest(&output);
    char text[TRACE_TEXT_MAX];

    assert_non_null(line);
    assert_int_equal(line->tsc, n);
    assert_int_equal(line->vm, n % 7);
    assert_int_equal(line->length, text_of(n, longest, text));
    assert_memory_equal(line->text, text, line->length);
    trace_output_taken(&output);
}

/* The ring is filled and emptied by turns, many times around, and its counts wrap. */
static void lines_come_out_as_they_went_in(void **state)
{
    static const size_t lengths[] = {0, 4, 5, 40, 300, TRACE_TEXT_MAX};

    (void)state;
    for (unsigned i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
        uint64_t in = 0, out = 0;

        output.head = output.tail = UINT32_MAX - TRACE_OUTPUT_BYTES * 3 + 1;
        for (unsigned turn = 0; turn < 400; turn++) {
            for (unsigned n = 0; n < turn * 7 % 3000 && put(in, lengths[i]); n++)
                in++;
            for (unsigned n = 0; n < turn * 5 % 3000 && out < in; n++)
                take(out++, lengths[i]);
        }
        while (out < in)
            take(out++, lengths[i]);
        assert_null(trace_output_oldest(&output));
        assert_in_range(in, 1000, UINT64_MAX);
    }
}

static void it_holds_so_many_lines(void **state)
{
    unsigned count = 0;

    (void)state;
    while (put(count, 0))
        count++;
    assert_int_equal(count, TRACE_OUTPUT_LINES);
    take(0, 0);
    assert_true(put(count, 0));
    assert_false(put(count + 1, 0));
}

static void the_longest_line_always_finds_room_in_the_end(void **state)
{
    struct trace_output_line line = {.tsc = 1};
    char text[TRACE_TEXT_MAX + 100];

    (void)state;
    memset(text, 'x', sizeof(text));
    for (uint32_t place = 0; place < TRACE_OUTPUT_BYTES; place += 8) {
        output.head = output.tail = place;
        assert_true(trace_output_put(&output, &line, text, sizeof(text)));
        assert_int_equal(trace_output_oldest(&output)->length, TRACE_TEXT_MAX);
        trace_output_taken(&output);
        assert_null(trace_output_oldest(&output));
    }
}

static void what_comes_behind_the_mark_waits(void **state)
{
    (void)state;
    for (uint64_t n = 0; n < 5; n++)
        assert_true(put(n, 50));
    trace_output_mark(&output);
    for (uint64_t n = 0; n < 5; n++) {
        assert_false(trace_output_at_mark(&output));
        take(n, 50);
        assert_true(put(5 + n, 50)); /* the guest goes on printing */
    }
    assert_true(trace_output_at_mark(&output));
    trace_output_mark(&output);
    for (uint64_t n = 5; n < 10; n++)
        take(n, 50);
    assert_true(trace_output_at_mark(&output));
    trace_output_mark(&output);
    assert_true(trace_output_at_mark(&output));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_come_out_as_they_went_in, start, end),
        cmocka_unit_test_setup_teardown(it_holds_so_many_lines, start, end),
        cmocka_unit_test_setup_teardown(the_longest_line_always_finds_room_in_the_end, start, end),
        cmocka_unit_test_setup_teardown(what_comes_behind_the_mark_waits, start, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
