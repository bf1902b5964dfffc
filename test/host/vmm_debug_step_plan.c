/* SPDX-License-Identifier: MIT */
/* vmm/debug/step_plan.c: what each instruction would show of a TF that is not the guest's. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "vmm/debug/step_plan.h"

#define PLAN(code_size, ...)                                                                                 \
    step_plan((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), code_size)

static void flags_on_the_stack(void **state)
{
    (void)state;
    assert_int_equal(PLAN(2, 0x9c).kind, STEP_PUSHF);
    assert_int_equal(PLAN(2, 0x9c).operand_size, 2);
    assert_int_equal(PLAN(2, 0x66, 0x9c).operand_size, 4);
    assert_int_equal(PLAN(4, 0x9c).operand_size, 4);
    assert_int_equal(PLAN(4, 0x2e, 0x66, 0x9c).operand_size, 2);
    assert_int_equal(PLAN(8, 0x48, 0x9c).kind, STEP_PUSHF);
    assert_int_equal(PLAN(8, 0x48, 0x9c).operand_size, 8);
    assert_int_equal(PLAN(8, 0x66, 0x9c).operand_size, 2);
    assert_true(PLAN(8, 0x9c).pushes);
    assert_int_equal(PLAN(2, 0x9d).kind, STEP_LOADS_FLAGS);
    assert_int_equal(PLAN(2, 0x66, 0xcf).kind, STEP_LOADS_FLAGS);
    assert_int_equal(PLAN(8, 0x48, 0xcf).kind, STEP_LOADS_FLAGS);
    assert_int_equal(PLAN(8, 0x48, 0x0f, 0x07).kind, STEP_LOADS_FLAGS);
    assert_true(PLAN(2, 0xfb).is_sti);
    assert_false(PLAN(2, 0xfa).is_sti);
    assert_false(PLAN(2, 0x9d).is_sti); /* POPF blocks nothing */
}

static void calls_of_the_system(void **state)
{
    struct step_plan plan = PLAN(4, 0x66, 0xcd, 0x80);

    (void)state;
    assert_int_equal(plan.kind, STEP_INT);
    assert_int_equal(plan.vector, 0x80);
    assert_int_equal(plan.length, 3);
    assert_int_equal(PLAN(2, 0xcd).kind, STEP_PLAIN); /* the vector is on a page that is not there */
    assert_int_equal(PLAN(2, 0xcc).kind, STEP_PLAIN);
    assert_int_equal(PLAN(2, 0xce).kind, STEP_PLAIN);
    assert_int_equal(PLAN(8, 0x0f, 0x05).kind, STEP_SYSCALL);
    assert_int_equal(PLAN(8, 0x0f, 0x05).length, 2);
    assert_int_equal(PLAN(4, 0x0f, 0x05).kind, STEP_PLAIN);
    assert_int_equal(PLAN(8, 0x0f).kind, STEP_PLAIN);
}

static void stack_segment(void **state)
{
    (void)state;
    assert_int_equal(PLAN(2, 0x8e, 0xd0).kind, STEP_LOADS_SS);
    assert_int_equal(PLAN(2, 0x8e, 0xd3).ss_register, 3);
    assert_int_equal(PLAN(2, 0x8e, 0xd3).length, 2);
    assert_int_equal(PLAN(8, 0x41, 0x8e, 0xd3).ss_register, 11);
    assert_int_equal(PLAN(2, 0x8e, 0x16, 0x00, 0x30).ss_register, STEP_SS_OTHER);
    assert_int_equal(PLAN(2, 0x8e, 0x16, 0x00, 0x30).length, 0);
    assert_int_equal(PLAN(2, 0x8e, 0xd8).kind, STEP_PLAIN); /* DS */
    assert_int_equal(PLAN(4, 0x17).kind, STEP_LOADS_SS);
    assert_int_equal(PLAN(4, 0x66, 0x17).operand_size, 2);
    assert_int_equal(PLAN(4, 0x17).ss_register, STEP_SS_POPPED);
    assert_int_equal(PLAN(8, 0x17).kind, STEP_PLAIN);
    assert_int_equal(PLAN(4, 0x0f, 0xb2, 0x00).kind, STEP_PLAIN); /* LSS holds no trap back */
}

static void repetitions_and_pushes(void **state)
{
    (void)state;
    assert_true(PLAN(2, 0xf3, 0xa4).repeats);
    assert_true(PLAN(8, 0xf2, 0x48, 0xaf).repeats);
    assert_true(PLAN(4, 0xf3, 0x6e).repeats);
    assert_false(PLAN(2, 0xa4).repeats);
    assert_false(PLAN(2, 0xf3, 0x90).repeats); /* PAUSE */
    assert_true(PLAN(2, 0x50).pushes);
    assert_true(PLAN(8, 0x41, 0x57).pushes);
    assert_int_equal(PLAN(8, 0x41, 0x57).operand_size, 8);
    assert_true(PLAN(4, 0xe8, 0, 0, 0, 0).pushes);
    assert_true(PLAN(4, 0x60).pushes);
    assert_false(PLAN(8, 0x60).pushes);
    assert_true(PLAN(8, 0x0f, 0xa0).pushes);
    assert_false(PLAN(2, 0x58).pushes);
    assert_false(PLAN(4, 0x40).pushes); /* INC in 32-bit code, a REX prefix in 64-bit code */
}

/* Every text of bytes has a plan, and none is read beyond its end (ASan looks). */
static void any_bytes(void **state)
{
    static const unsigned sizes[] = {2, 4, 8};

    (void)state;
    srand(1);
    for (unsigned round = 0; round < 200000; round++) {
        size_t count = (size_t)rand() % 16;
        uint8_t *bytes = malloc(count + (count == 0));
        struct step_plan plan;

        for (size_t i = 0; i < count; i++)
            bytes[i] = rand() % 2 ? (uint8_t)rand() : "\x66\xf3\x67\x48\x0f\x9c\xcd\x8e"[rand() % 8];
        plan = step_plan(bytes, count, sizes[rand() % 3]);
        assert_in_range(plan.kind, STEP_PLAIN, STEP_LOADS_SS);
        assert_true(plan.length <= count);
        assert_true(plan.ss_register <= STEP_SS_OTHER);
        assert_true(plan.operand_size == 2 || plan.operand_size == 4 || plan.operand_size == 8);
        free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_on_the_stack), cmocka_unit_test(calls_of_the_system),
        cmocka_unit_test(stack_segment),      cmocka_unit_test(repetitions_and_pushes),
        cmocka_unit_test(any_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
