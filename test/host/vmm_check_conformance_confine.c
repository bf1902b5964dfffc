/* SPDX-License-Identifier: MIT */
/* Tests of vmm/check/conformance/confine.c: whatever a processor makes of the entries, no case leaves the tester's
 * own frames. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/conformance_processor.h"
#include "vmm/check/conformance/confine.h"

#define CASES 40000u

static struct processor processor;

/* A processor that checks nothing and takes any right for the one it needs. It may end anywhere but outside.
 */
static void stay_inside(uint64_t capabilities, unsigned width, uint64_t ram)
{
    struct conformance_case test;
    struct conformance_outcome outcome;
    struct conformance_memory *memory = &processor.memory;
    unsigned accessed = 0, confined = 0;

    processor_init(&processor, capabilities, width, TABLES, ram);
    for (unsigned how = 0; how < 4 * CASES; how++) {
        unsigned number = how / 4;

        processor.careless =
            (enum careless[]){CARELESS_CUT, CARELESS_OR, CARELESS_ADD, CARELESS_CUT}[how % 4];
        processor.missing_sizes_are_tables = how % 4 != 0;
        conformance_case_make(&test, &memory->layout, 3, number % 2 ? number : UINT64_C(1) << 40 | number);
        conformance_memory_arm(memory, &test);
        processor_run(&processor, &test, &outcome);
        if (processor.strayed != 0)
            fail_msg("case %llu reaches %llx: access %u entries %llx %llx %llx %llx",
                     (unsigned long long)test.number, (unsigned long long)processor.strayed, test.access,
                     (unsigned long long)test.entry[4], (unsigned long long)test.entry[3],
                     (unsigned long long)test.entry[2], (unsigned long long)test.entry[1]);
        accessed += outcome.end == WALK2D_DONE;
        confined += test.confined;
        /* A data word written where the case did not mean to is no entry of anything, so it may stay. */
        conformance_memory_restore(memory, &test);
    }
    assert_true(accessed > CASES);
    assert_true(confined > CASES / 100);
    processor_free(&processor);
}

static void careless_processors(void **state)
{
    (void)state;
    stay_inside(CAPS_ALL, 40, RAM);
    stay_inside(CAPS_ALL, 40, FAR_RAM + (UINT64_C(1) << 32));
    stay_inside(CAPS_ALL, 39, RAM);
    stay_inside(CAPS_ALL & ~(CAP_1G | CAP_AD), 40, RAM);
    stay_inside(CAPS_ALL & ~(CAP_1G | CAP_2M | CAP_EXECUTE_ONLY), 36, FAR_RAM);
}

static struct conformance_case made(const struct conformance_layout *layout, enum conformance_access access,
                                    unsigned level, uint64_t raw)
{
    struct conformance_case test;

    for (uint64_t number = 0;; number++) { /* a case whose entries are sound */
        conformance_case_make(&test, layout, 1, number);
        if (!test.random && (test.entry[4] & 0xfff) == 7 && (test.entry[3] & 0xfff) == 7 &&
            (test.entry[2] & 0xfff) == 7)
            break;
    }
    test.access = access;
    test.confined = false;
    test.entry[level] = raw;
    conformance_confine(&test, layout);
    return test;
}

/* What is taken away, and from what: the right that the access needs, and no more. */
static void rights_that_go(void **state)
{
    struct conformance_case test;
    const struct conformance_layout *layout;
    uint64_t outside = UINT64_C(0x8000000);

    (void)state;
    processor_init(&processor, CAPS_ALL, 40, TABLES, RAM);
    layout = &processor.memory.layout;
    test = made(layout, CONFORMANCE_READ, 1, outside | 0x37);
    assert_true(test.confined);
    assert_int_equal(test.entry[1], outside | 0x34);
    assert_int_equal(test.frame, 0);
    assert_int_equal(made(layout, CONFORMANCE_WRITE, 1, outside | 0x37).entry[1], outside | 0x35);
    assert_int_equal(made(layout, CONFORMANCE_FETCH, 1, outside | 0x37).entry[1], outside | 0x33);
    assert_int_equal(made(layout, CONFORMANCE_FETCH, 1, outside | 0x36).entry[1], outside | 0x33);
    assert_int_equal(made(layout, CONFORMANCE_READ_WRITE, 1, outside | 0x37).entry[1], outside | 0x34);
    assert_int_equal(made(layout, CONFORMANCE_WALK, 1, outside | 0x33).entry[1], outside | 0x30);
    assert_false(made(layout, CONFORMANCE_WRITE, 1, outside | 0x35).confined); /* denied anyway */
    /* Scratch memory: nothing goes, also with a reserved bit. */
    test = made(layout, CONFORMANCE_WRITE, 1, layout->scratch | 0x37 | UINT64_C(1) << 45);
    assert_false(test.confined);
    assert_int_equal(test.frame, layout->scratch);
    /* A reference to a frame that is no table, or a table of another level: not present any more. */
    assert_int_equal(made(layout, CONFORMANCE_READ, 3, layout->scratch | 7).entry[3], layout->scratch);
    assert_int_equal(made(layout, CONFORMANCE_READ, 3, TABLES | 7).entry[3], TABLES);
    assert_int_equal(made(layout, CONFORMANCE_READ, 3, outside | 7).entry[3], outside);
    assert_int_equal(made(layout, CONFORMANCE_READ, 3, (TABLES + 0x1000) | 7).entry[3],
                     (TABLES + 0x1000) | 7); /* all zero */
    processor_free(&processor);
    processor_init(&processor, CAPS_ALL & ~CAP_EXECUTE_ONLY, 40, TABLES, RAM);
    assert_int_equal(made(layout, CONFORMANCE_READ, 1, outside | 0x37).entry[1], outside | 0x30);
    processor_free(&processor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(careless_processors),
        cmocka_unit_test(rights_that_go),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
