/* SPDX-License-Identifier: MIT */
/* Tests of vmm/check/conformance/predict.c and the model behind it: a second reading of the manual has the same
 * outcome in every case. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/conformance_processor.h"

#define CASES 100000u
static struct processor processor;

static void agree(uint64_t capabilities, unsigned width, uint64_t ram, unsigned cases)
{
    struct conformance_judgement judgement;
    struct conformance_prediction prediction;
    static struct walk2d walk;
    unsigned ends[WALK2D_NO_MEMORY + 1] = {0};

    processor_init(&processor, capabilities, width, TABLES, ram);
    conformance_predict_prepare(&processor.memory, &walk);
    for (unsigned i = 0; i < 2 * cases; i++) {
        processor.read_bit_of_both = i % 3 == 0; /* its liberties must be no mismatch */
        processor.accessed_when_faulting = i % 5 == 0;
        if (processor_case(&processor, 11, i < cases ? i : UINT64_C(10000000) + i, false, &judgement,
                           &prediction) != CONFORMANCE_AS_PREDICTED)
            fail_msg("%s", last_mismatch);
        assert_int_equal(processor.strayed, 0);
        ends[prediction.outcome.end]++;
    }
    assert_int_equal(conformance_memory_verify(&processor.memory), 0);
    for (unsigned end = WALK2D_DONE; end < WALK2D_NO_MEMORY; end++)
        if (end == WALK2D_DONE || end == WALK2D_VIOLATION || end == WALK2D_MISCONFIG)
            assert_true(ends[end] > cases / 20);
        else
            assert_int_equal(ends[end], 0);
    processor_free(&processor);
}

static void every_kind_of_processor(void **state)
{
    (void)state;
    agree(CAPS_ALL, 40, RAM, 3 * CASES); /* every systematic case */
    agree(CAPS_ALL, 46, FAR_RAM + (UINT64_C(3) << 39),
          CASES / 4); /* RAM beyond 512 GiB, not aligned to 4 MiB */
    agree(CAPS_ALL, 52, RAM, CASES / 4);
    agree(CAPS_ALL, 39, RAM, CASES / 4); /* the probe and the code share the root's entry */
    agree(CAPS_ALL, 36, FAR_RAM + (UINT64_C(3) << 30), CASES / 4);
    agree(CAPS_ALL & ~CAP_AD, 40, RAM, CASES / 4);
    agree(CAPS_ALL & ~CAP_EXECUTE_ONLY, 40, RAM, CASES / 4);
    agree(CAPS_ALL & ~CAP_1G, 40, RAM, CASES / 4);
    agree(CAPS_ALL & ~(CAP_1G | CAP_2M), 39, RAM, CASES / 4);
    agree(CAPS_ALL & ~(CAP_UC | CAP_AD | CAP_1G), 36, RAM, CASES / 4);
}

/* The code's translation made once is that of each case. */
static void code_known_or_not(void **state)
{
    struct conformance_prediction known, walked;
    static struct walk2d walk;
    struct conformance_memory *memory = &processor.memory;
    struct conformance_case test;

    (void)state;
    processor_init(&processor, CAPS_ALL, 40, TABLES, RAM);
    conformance_predict_prepare(memory, &walk);
    assert_true(memory->code_known);
    for (unsigned i = 0; i < 5000; i++) {
        conformance_case_make(&test, &memory->layout, 5, i);
        conformance_memory_arm(memory, &test);
        memory->code_known = true;
        conformance_predict(&known, memory, &test, &walk);
        memory->code_known = false;
        conformance_predict(&walked, memory, &test, &walk);
        assert_memory_equal(&known, &walked, sizeof(known));
        conformance_memory_restore(memory, &test);
    }
    processor_free(&processor);
    processor_init(&processor, CAPS_ALL, 39, TABLES, RAM);
    conformance_predict_prepare(memory, &walk);
    assert_false(memory->code_known);
    processor_free(&processor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_processor),
        cmocka_unit_test(code_known_or_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
