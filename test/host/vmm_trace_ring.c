/* SPDX-License-Identifier: MIT */
/* vmm/trace/ring.c: records come out in order, and what comes out, what was folded and what was lost add up
 * to what went in. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86/exit_reason.h"
#include "vmm/trace/ring.h"

static struct trace_ring ring;
static struct trace_record places[64];
static uint64_t written;

static void start(unsigned count, bool drained)
{
    memset(places, 0, sizeof(places));
    trace_ring_init(&ring, places, count, drained);
    written = 0;
}

/* An exit at `rip`; those at the same one are the same. */
static void exit_at(uint64_t rip)
{
    struct trace_record *record = ring.next;

    record->sequence = ++written;
    record->tsc = written * 10;
    record->source = (struct trace_source){.kind = TRACE_EXIT, .vm = 1};
    record->rip = rip;
    record->cs = record->cs_rights = record->cr0 = 0;
    record->reason_alone = EXIT_HLT;
    record->qualification = 0;
    record->ticks = 3;
    record->result = (struct trace_result){.code = RESULT_EMULATED};
    trace_ring_put(&ring, record);
}

struct sum {
    uint64_t exits, lost, last;
};

/* Takes one record; false: there is none. */
static bool take(struct sum *sum)
{
    const struct trace_record *record = trace_ring_oldest(&ring);

    if (record == NULL)
        return false;
    if (record->source.kind == TRACE_LOST) {
        sum->lost += record->count;
        sum->last += record->count;
        assert_true(record->count > 0);
    } else {
        assert_int_equal(record->source.kind, TRACE_EXIT);
        assert_int_equal(record->sequence, sum->last + 1); /* nothing is missing that was not said before */
        assert_int_equal(record->ticks, 3 * (1 + (uint64_t)record->folded));
        sum->exits += 1 + record->folded;
        sum->last += 1 + record->folded;
    }
    trace_ring_taken(&ring);
    return true;
}

static void the_open_record_folds(void **state)
{
    struct sum sum = {0};

    (void)state;
    start(8, true);
    exit_at(1);
    assert_null(trace_ring_oldest(&ring));
    exit_at(1);
    exit_at(1);
    exit_at(2);
    assert_non_null(trace_ring_oldest(&ring));
    assert_int_equal(trace_ring_oldest(&ring)->folded, 2);
    assert_int_equal(trace_ring_oldest(&ring)->ticks, 9);
    assert_true(take(&sum));
    assert_false(take(&sum));
    trace_ring_publish(&ring);
    trace_ring_publish(&ring);
    assert_true(take(&sum));
    assert_false(take(&sum));
    exit_at(2); /* what was published does not change */
    assert_false(take(&sum));
    assert_true(trace_ring_finish(&ring));
    assert_true(take(&sum));
    assert_int_equal(sum.exits, written);
}

static void what_does_not_fit_is_counted(void **state)
{
    struct sum sum = {0};

    (void)state;
    for (unsigned count = 3; count < 9; count++) {
        memset(&sum, 0, sizeof(sum));
        start(count, true);
        for (uint64_t i = 0; i < 20; i++)
            exit_at(i);
        trace_ring_publish(&ring);
        for (unsigned i = 0; i < count - 1; i++)
            assert_true(take(&sum)); /* all but one place are used */
        assert_false(take(&sum));
        assert_int_equal(sum.exits, count - 1);
        exit_at(100); /* there is room again: the loss, then this */
        trace_ring_publish(&ring);
        assert_true(take(&sum));
        assert_int_equal(sum.lost, 20 - (count - 1));
        assert_true(take(&sum));
        assert_int_equal(sum.exits + sum.lost, written);
    }
}

static void what_comes_behind_the_mark_waits(void **state)
{
    struct sum sum = {0};

    (void)state;
    start(16, true);
    for (uint64_t i = 0; i < 6; i++)
        exit_at(i);
    trace_ring_mark(&ring); /* five are published, the sixth is open */
    for (unsigned i = 0; i < 5; i++) {
        assert_false(trace_ring_at_mark(&ring));
        assert_true(take(&sum));
        exit_at(100 + i); /* the guest goes on */
    }
    assert_true(trace_ring_at_mark(&ring));
    assert_non_null(trace_ring_oldest(&ring));
    trace_ring_mark(&ring);
    while (!trace_ring_at_mark(&ring))
        assert_true(take(&sum));
    assert_false(take(&sum));
    trace_ring_mark(&ring);
    assert_true(trace_ring_at_mark(&ring));
}

static void a_loss_at_the_end_is_said(void **state)
{
    struct sum sum = {0};

    (void)state;
    start(4, true);
    for (uint64_t i = 0; i < 10; i++)
        exit_at(i);
    assert_false(trace_ring_finish(&ring));
    assert_true(take(&sum));
    assert_true(trace_ring_finish(&ring));
    while (take(&sum))
        ;
    assert_int_equal(sum.exits, 3);
    assert_int_equal(sum.lost, 7);
}

/* Every mix of exits, repeated ones, publishing and reading, in rings of every size. */
static void anything_adds_up(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (unsigned count = 3; count <= 64; count = count < 10 ? count + 1 : count * 2 - 3) {
        struct sum sum = {0};
        uint64_t bias = 2;

        start(count, true);
        for (unsigned i = 0; i < 200000; i++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            if (i % 1000 == 0)
                bias = 1 + (seed >> 40) % 7;
            switch ((seed >> 33) % 16) {
            case 0:
                trace_ring_publish(&ring);
                break;
            case 1:
                (void)!trace_ring_finish(&ring);
                break;
            default:
                if ((seed >> 50) % 8 < bias)
                    exit_at((seed >> 44) % 3);
                else
                    (void)take(&sum);
            }
        }
        while (!trace_ring_finish(&ring))
            assert_true(take(&sum));
        while (take(&sum))
            ;
        assert_int_equal(sum.exits + sum.lost, written);
        assert_int_equal(sum.last, written);
    }
}

static void the_last_ones(void **state)
{
    struct trace_record last[10];

    (void)state;
    for (unsigned drained = 0; drained < 2; drained++) {
        start(32, drained);
        assert_int_equal(trace_ring_last(&ring, last, 10), 0);
        for (uint64_t i = 1; i <= 3; i++)
            exit_at(i);
        assert_int_equal(trace_ring_last(&ring, last, 10), 3); /* the open one, too */
        assert_int_equal(last[0].sequence, 1);
        assert_int_equal(last[2].sequence, 3);
        for (uint64_t i = 4; i <= 100; i++) {
            struct sum sum = {.last = drained ? trace_ring_oldest(&ring)->sequence - 1 : 0};

            if (drained)
                assert_true(take(&sum));
            exit_at(i);
        }
        assert_int_equal(trace_ring_last(&ring, last, 10), 10);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(last[i].sequence, 91 + i);
    }
}

/* Without places every exit goes nowhere, and nothing else. */
static void no_memory(void **state)
{
    (void)state;
    trace_ring_init(&ring, NULL, 0, true);
    for (uint64_t i = 0; i < 5; i++)
        exit_at(i % 2);
    trace_ring_publish(&ring);
    assert_true(trace_ring_finish(&ring));
    assert_null(trace_ring_oldest(&ring));
    assert_int_equal(trace_ring_last(&ring, places, 10), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_open_record_folds),
        cmocka_unit_test(what_does_not_fit_is_counted),
        cmocka_unit_test(what_comes_behind_the_mark_waits),
        cmocka_unit_test(a_loss_at_the_end_is_said),
        cmocka_unit_test(anything_adds_up),
        cmocka_unit_test(the_last_ones),
        cmocka_unit_test(no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
