/* SPDX-License-Identifier: MIT */
/* Tests of vmm/vm/mtrr.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/vm/mtrr.h"

#define WIDTH    39
#define ON       UINT64_C(0xc00)
#define DEF_TYPE 0x2ffu

static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

static uint64_t read(const struct mtrr_snapshot *mtrr, uint32_t msr)
{
    uint64_t value = 0;

    assert_true(guest_mtrr_read(mtrr, msr, &value));
    return value;
}

static void test_reset(void **state)
{
    struct mtrr_snapshot mtrr;

    (void)state;
    guest_mtrr_reset(&mtrr, WIDTH);
    assert_int_equal(mtrr_type_at(&mtrr, 0).type, MEMORY_TYPE_WB);
    assert_int_equal(mtrr_type_at(&mtrr, 0x9ffff).type, MEMORY_TYPE_WB);
    assert_int_equal(mtrr_type_at(&mtrr, 0xa0000).type, MEMORY_TYPE_UC);
    assert_int_equal(mtrr_type_at(&mtrr, 0xbffff).type, MEMORY_TYPE_UC);
    assert_int_equal(mtrr_type_at(&mtrr, 0xc0000).type, MEMORY_TYPE_WB);
    assert_int_equal(mtrr_type_at(&mtrr, 0x100000).type, MEMORY_TYPE_WB);
    assert_true(mtrr_type_at(&mtrr, 0x100000).end == UINT64_MAX);
    assert_int_equal(read(&mtrr, 0xfe), 0x508);
}

/* Exactly the registers that IA32_MTRRCAP promises are there. */
static void test_registers(void **state)
{
    struct mtrr_snapshot mtrr;
    uint64_t value;

    (void)state;
    guest_mtrr_reset(&mtrr, WIDTH);
    for (uint32_t msr = 0; msr < 0x400; msr++) {
        bool there = msr == 0xfe || msr == DEF_TYPE || (msr >= 0x200 && msr < 0x210);

        for (unsigned n = 0; n < 11; n++)
            there = there || msr == fixed[n];
        assert_int_equal(guest_mtrr_read(&mtrr, msr, &value), there);
        assert_int_equal(guest_mtrr_write(&mtrr, msr, 0) != GUEST_MTRR_NOT_ONE, there);
    }
    assert_false(guest_mtrr_read(&mtrr, 0x1f2, &value)); /* IA32_SMRR_PHYSBASE */
}

/* Each bit alone, each type: what is refused leaves the register as it was. */
static void test_reserved(void **state)
{
    static const uint32_t registers[] = {0xfe, DEF_TYPE, 0x200, 0x201, 0x20e, 0x20f, 0x250, 0x26f};

    (void)state;
    for (unsigned n = 0; n < sizeof(registers) / sizeof(registers[0]); n++) {
        uint32_t msr = registers[n];

        for (unsigned bit = 0; bit < 64; bit++) {
            uint64_t value = UINT64_C(1) << bit, before;
            struct mtrr_snapshot mtrr;
            bool valid;

            if (msr == DEF_TYPE)
                valid = bit == 0 || bit == 2 || bit == 10 || bit == 11;
            else if (msr >= 0x250)
                valid = bit % 8 == 0 || bit % 8 == 2; /* WC or WT in one of eight ranges */
            else if (msr == 0xfe)
                valid = false;
            else if (msr & 1)
                valid = bit == 11 || (bit >= 12 && bit < WIDTH);
            else
                valid = bit == 0 || bit == 2 || (bit >= 12 && bit < WIDTH);
            guest_mtrr_reset(&mtrr, WIDTH);
            before = read(&mtrr, msr);
            assert_int_equal(guest_mtrr_write(&mtrr, msr, value) != GUEST_MTRR_INVALID, valid);
            assert_true(read(&mtrr, msr) == (valid ? value : before));
        }
    }
    for (unsigned type = 0; type < 256; type++) {
        bool valid = type == 0 || type == 1 || (type >= 4 && type <= 6);
        struct mtrr_snapshot mtrr;

        guest_mtrr_reset(&mtrr, WIDTH);
        assert_int_equal(guest_mtrr_write(&mtrr, DEF_TYPE, ON | type) != GUEST_MTRR_INVALID, valid);
        assert_int_equal(guest_mtrr_write(&mtrr, 0x202, 0x1000 | type) != GUEST_MTRR_INVALID, valid);
        for (unsigned n = 0; n < 8; n++)
            assert_int_equal(guest_mtrr_write(&mtrr, 0x268, (uint64_t)type << 8 * n) != GUEST_MTRR_INVALID,
                             valid);
    }
}

/* While the MTRRs are off nothing that is written to the ranges can matter. */
static void test_same_or_changed(void **state)
{
    struct mtrr_snapshot mtrr;

    (void)state;
    guest_mtrr_reset(&mtrr, WIDTH);
    assert_int_equal(guest_mtrr_write(&mtrr, DEF_TYPE, ON | 6), GUEST_MTRR_SAME);
    assert_int_equal(guest_mtrr_write(&mtrr, 0x250, 0), GUEST_MTRR_CHANGED);
    assert_int_equal(guest_mtrr_write(&mtrr, 0x250, 0), GUEST_MTRR_SAME);
    assert_int_equal(guest_mtrr_write(&mtrr, DEF_TYPE, 6), GUEST_MTRR_CHANGED);
    assert_int_equal(guest_mtrr_write(&mtrr, 0x250, 0x0606060606060606), GUEST_MTRR_SAME);
    assert_int_equal(guest_mtrr_write(&mtrr, DEF_TYPE, ON | 6), GUEST_MTRR_CHANGED);
    assert_int_equal(mtrr_type_at(&mtrr, 0).type, MEMORY_TYPE_WB);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_registers),
        cmocka_unit_test(test_reserved),
        cmocka_unit_test(test_same_or_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
