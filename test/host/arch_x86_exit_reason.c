/* SPDX-License-Identifier: MIT */
/* arch/x86/exit_reason.c and whatever is indexed by an exit reason: all that a basic exit reason can be, listed by
 * the manual or not, is named, bounded, and of a kind that says what becomes of it without a handler. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "tools/trace_decode.h"
#include "arch/x86/exit_reason.h"
#include "vmm/trace/filter.h"
#include "vmm/trace/text.h"

#define REASONS 128 /* more than the manual has */

/* SDM vol. 3, appendix "VMX Basic Exit Reasons": those that no instruction causes by being executed. */
static enum exit_kind kind_by_the_manual(uint32_t reason)
{
    static const uint8_t absent[] = {35, 38, 42, 71, 82, 83};
    static const uint8_t entries[] = {33, 34, 41};
    static const uint8_t events[] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  37,
                                     43, 44, 45, 48, 49, 52, 56, 62, 66, 74, 75};

    if (reason > 85 || memchr(absent, (int)reason, sizeof(absent)) != NULL)
        return EXIT_KIND_NONE;
    if (memchr(entries, (int)reason, sizeof(entries)) != NULL)
        return EXIT_KIND_ENTRY;
    return memchr(events, (int)reason, sizeof(events)) != NULL ? EXIT_KIND_EVENT : EXIT_KIND_INSTRUCTION;
}

static void all_are_named_and_of_a_kind(void **state)
{
    (void)state;
    for (uint32_t reason = 0; reason < REASONS; reason++) {
        bool named = strcmp(exit_reason_name(reason), "UNKNOWN") != 0;

        assert_true(exit_reason_name(reason)[0] != '\0' && exit_reason_text(reason)[0] != '\0');
        assert_int_equal(exit_reason_kind(reason), kind_by_the_manual(reason));
        assert_int_equal(named, exit_reason_kind(reason) != EXIT_KIND_NONE);
    }
    for (uint32_t reason = REASONS; reason <= EXIT_REASON_BASIC_MASK; reason++)
        assert_int_equal(exit_reason_kind(reason), EXIT_KIND_NONE);
    assert_string_equal(exit_reason_name(76), "SEAMCALL");
    assert_string_equal(exit_reason_name(77), "TDCALL");
    assert_string_equal(exit_reason_name(78), "RDMSRLIST");
    assert_string_equal(exit_reason_name(81), "UWRMSR");
    assert_string_equal(exit_reason_name(85), "WRMSRNS_IMMEDIATE");
}

/* What has a name has its place in tables of EXIT_REASON_COUNT; what trace= makes of a number is within its
 * bits. */
static void all_are_bounded(void **state)
{
    (void)state;
    assert_true(EXIT_REASON_COUNT < TRACE_FILTER_REASONS);
    assert_true(EXIT_REASON_COUNT < TRACE_FRAME_REASONS);
    for (uint32_t reason = 0; reason <= EXIT_REASON_BASIC_MASK; reason++)
        assert_true(exit_reason_kind(reason) == EXIT_KIND_NONE || reason < EXIT_REASON_COUNT);
    assert_true(exit_reason_kind(EXIT_REASON_COUNT - 1) != EXIT_KIND_NONE);
}

static void each_can_be_traced_alone(void **state)
{
    (void)state;
    for (uint32_t reason = 0; reason < REASONS; reason++) {
        const char *name = exit_reason_name(reason);
        struct trace_filter filter;
        struct option_problems problems = {0};
        char number[8];

        (void)snprintf(number, sizeof(number), "%u", reason);
        if (exit_reason_kind(reason) == EXIT_KIND_NONE)
            name = number;
        if (reason == TRACE_FILTER_REASONS - 1) /* stands for all beyond, and no name or number asks for it */
            continue;
        trace_filter_none(&filter);
        assert_true(trace_filter_parse(&filter, "trace", name, strlen(name), &problems));
        for (uint32_t other = 0; other <= UINT8_MAX; other++)
            assert_int_equal(trace_filter_has(&filter, other), other == reason);
    }
}

static struct trace_record came_back;

static void on_record(void *context, const struct trace_record *record, const struct trace_decoder_vm *vm)
{
    (void)context;
    (void)vm;
    came_back = *record;
}

/* Text and frames of a record, and what is read out of the frames. */
static void each_is_recorded(void **state)
{
    static const struct trace_decoder_events events = {.record = on_record};
    static struct trace_frame_cpu cpu;
    static uint8_t out[TRACE_FRAMES_MAX];
    struct trace_frame_stream stream = {.cpu = TRACE_FRAME_NO_CPU, .tsc_khz = 4000};
    static struct trace_decoder decoder;

    (void)state;
    trace_decoder_init(&decoder, &events, NULL);
    for (uint32_t reason = 0; reason < REASONS; reason++) {
        struct trace_record record = {.sequence = reason + 1, .tsc = 5000 + reason, .reason = reason};
        char line[TRACE_LINE_MAX], expected[64];
        size_t length;

        record.source = (struct trace_source){.kind = TRACE_EXIT, .vm = 1};
        trace_record_tidy(&record);
        (void)trace_text(&record, "tour", 0, line, sizeof(line));
        (void)snprintf(expected, sizeof(expected), " %s(%u) ", exit_reason_name(reason), reason);
        assert_non_null(strstr(line, expected));
        length = trace_frame_encode(&stream, &cpu, &record, "tour", 77, out);
        for (size_t i = 0; i < length; i++)
            trace_decoder_byte(&decoder, out[i]);
        assert_int_equal(came_back.reason, reason);
        assert_int_equal(came_back.sequence, reason + 1);
    }
    trace_decoder_end(&decoder);
    assert_int_equal(decoder.records, REASONS);
    assert_int_equal(decoder.damaged + decoder.stray, 0);
    trace_decoder_free(&decoder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_named_and_of_a_kind),
        cmocka_unit_test(all_are_bounded),
        cmocka_unit_test(each_can_be_traced_alone),
        cmocka_unit_test(each_is_recorded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
