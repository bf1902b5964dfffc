/* SPDX-License-Identifier: MIT */
/* vmm/trace/ring.c and vmm/trace/output.c with producer and consumer on threads of their own; ThreadSanitizer
 * watches. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <pthread.h>
#include <sched.h>

#include "arch/x86/exit_reason.h"
#include "vmm/trace/output.h"
#include "vmm/trace/ring.h"

#define EXITS 300000u

static struct trace_ring ring;
static struct trace_record places[32];
static uint32_t done;

static void *produce(void *context)
{
    (void)context;
    for (uint64_t i = 1; i <= EXITS; i++) {
        struct trace_record *record = ring.next;

        record->sequence = i;
        record->source = (struct trace_source){.kind = TRACE_EXIT, .vm = 1};
        record->rip = i / 3;
        record->cs = record->cs_rights = record->cr0 = 0;
        record->reason_alone = EXIT_HLT;
        record->qualification = 0;
        record->ticks = i;
        record->result = (struct trace_result){.code = RESULT_EMULATED};
        trace_ring_put(&ring, record);
        if (i % 64 == 0)
            sched_yield();
        if (i % 1000 == 0)
            trace_ring_publish(&ring);
    }
    while (!trace_ring_finish(&ring))
        sched_yield();
    __atomic_store_n(&done, 1, __ATOMIC_RELEASE);
    return NULL;
}

static void all_or_counted(void **state)
{
    uint64_t last = 0, lost = 0, records = 0;
    pthread_t producer;

    (void)state;
    trace_ring_init(&ring, places, 32, true);
    assert_int_equal(pthread_create(&producer, NULL, produce, NULL), 0);
    for (;;) {
        uint32_t ended = __atomic_load_n(&done, __ATOMIC_ACQUIRE);
        const struct trace_record *record = trace_ring_oldest(&ring);

        if (record == NULL) {
            if (ended)
                break;
            sched_yield();
            continue;
        }
        if (record->source.kind == TRACE_LOST) {
            last += record->count;
            lost += record->count;
        } else {
            assert_int_equal(record->sequence, last + 1);
            assert_int_equal(record->rip, record->sequence / 3);
            last += 1 + record->folded;
            records++;
        }
        trace_ring_taken(&ring);
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
    assert_int_equal(last, EXITS);
    assert_true(records > 0);
    print_message("records=%llu lost=%llu\n", (unsigned long long)records, (unsigned long long)lost);
}

#define LINES 100000u

static struct trace_output output;
static uint64_t bytes[TRACE_OUTPUT_BYTES / 8];

static void *print(void *context)
{
    char text[TRACE_TEXT_MAX];

    (void)context;
    for (uint64_t i = 0; i < LINES; i++) {
        struct trace_output_line line = {.tsc = i};

        memset(text, (int)(i % 251), sizeof(text));
        while (!trace_output_put(&output, &line, text, i * 7919 % TRACE_TEXT_MAX))
            sched_yield();
    }
    return NULL;
}

static void every_line_whole(void **state)
{
    pthread_t producer;

    (void)state;
    output = (struct trace_output){.bytes = (uint8_t *)bytes};
    assert_int_equal(pthread_create(&producer, NULL, print, NULL), 0);
    for (uint64_t i = 0; i < LINES;) {
        const struct trace_output_line *line = trace_output_oldest(&output);

        if (line == NULL) {
            sched_yield();
            continue;
        }
        assert_int_equal(line->tsc, i);
        assert_int_equal(line->length, i * 7919 % TRACE_TEXT_MAX);
        for (unsigned at = 0; at < line->length; at++)
            assert_int_equal((uint8_t)line->text[at], i % 251);
        trace_output_taken(&output);
        i++;
    }
    assert_int_equal(pthread_join(producer, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_or_counted), cmocka_unit_test(every_line_whole)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
