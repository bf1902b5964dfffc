/* SPDX-License-Identifier: MIT */
/* Tests of ept/memtype.c, also against a table and a byte-by-byte reading of the manual written without it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/memtype.h"
#include <stdbool.h>
#include <string.h>

#define UC MEMORY_TYPE_UC
#define WC MEMORY_TYPE_WC
#define WT MEMORY_TYPE_WT
#define WP MEMORY_TYPE_WP
#define WB MEMORY_TYPE_WB

#define ON    UINT64_C(0x800)
#define FIXED UINT64_C(0x400)
#define VALID UINT64_C(0x800)

static void variable(struct mtrr_snapshot *mtrr, uint64_t base, uint64_t size, enum memory_type type)
{
    uint64_t top = (UINT64_C(1) << mtrr->phys_width) - 1;

    mtrr->variable[mtrr->variable_count].base = base | (uint64_t)type;
    mtrr->variable[mtrr->variable_count].mask = (~(size - 1) & top) | VALID;
    mtrr->variable_count++;
}

static struct mtrr_snapshot snapshot(uint64_t def_type)
{
    return (struct mtrr_snapshot){.cap = 0x508, .def_type = def_type, .phys_width = 39};
}

static void test_disabled_is_uc(void **state)
{
    struct mtrr_snapshot mtrr = snapshot(WB | FIXED);
    struct memory_type_range range;

    (void)state;
    variable(&mtrr, 0, 0x80000000, WB);
    memset(mtrr.fixed, 6, sizeof(mtrr.fixed));
    range = mtrr_type_at(&mtrr, 0x1234);
    assert_int_equal(range.type, UC);
    assert_true(range.end == UINT64_MAX);
}

static void test_fixed(void **state)
{
    struct mtrr_snapshot mtrr = snapshot(UC | ON | FIXED);
    struct memory_type_range range;
    const uint32_t bases[11] = {0x00000, 0x80000, 0xa0000, 0xc0000, 0xc8000, 0xd0000,
                                0xd8000, 0xe0000, 0xe8000, 0xf0000, 0xf8000};
    const enum memory_type types[8] = {WB, UC, WC, WT, WP, WB, WC, UC};

    (void)state;
    variable(&mtrr, 0, 0x80000000, WT); /* loses below 1 MiB */
    for (unsigned r = 0; r < 11; r++) {
        for (unsigned n = 0; n < 8; n++)
            mtrr.fixed[r] |= (uint64_t)types[(n + r) % 8] << 8 * n;
    }
    for (unsigned r = 0; r < 11; r++) {
        uint32_t size = r == 0 ? 0x10000 : r < 3 ? 0x4000 : 0x1000;

        for (unsigned n = 0; n < 8; n++) {
            uint32_t start = bases[r] + n * size;

            range = mtrr_type_at(&mtrr, start);
            assert_int_equal(range.type, types[(n + r) % 8]);
            assert_int_equal(range.end, start + size);
            range = mtrr_type_at(&mtrr, start + size - 1);
            assert_int_equal(range.type, types[(n + r) % 8]);
        }
    }
    assert_int_equal(mtrr_type_at(&mtrr, 0x100000).type, WT);
    mtrr.def_type &= ~FIXED; /* FE off: the variable ranges hold below 1 MiB too */
    assert_int_equal(mtrr_type_at(&mtrr, 0xa0000).type, WT);
    mtrr.def_type |= FIXED;
    mtrr.cap &= ~UINT64_C(0x100); /* no fixed ranges at all */
    assert_int_equal(mtrr_type_at(&mtrr, 0xa0000).type, WT);
}

/* SDM vol. 3, "MTRR Precedences", written out as a table: rows and columns UC WC WT WP WB. */
static void test_overlap_table(void **state)
{
    const enum memory_type types[5] = {UC, WC, WT, WP, WB};
    const enum memory_type expected[5][5] = {
        {UC, UC, UC, UC, UC}, {UC, WC, UC, UC, UC}, {UC, UC, WT, UC, WT},
        {UC, UC, UC, WP, UC}, {UC, UC, WT, UC, WB},
    };

    (void)state;
    for (unsigned a = 0; a < 5; a++) {
        for (unsigned b = 0; b < 5; b++) {
            struct mtrr_snapshot mtrr = snapshot(WB | ON);
            struct memory_type_range range;

            variable(&mtrr, 0x40000000, 0x40000000, types[a]);
            variable(&mtrr, 0x60000000, 0x10000000, types[b]);
            range = mtrr_type_at(&mtrr, 0x60000000);
            assert_int_equal(range.type, expected[a][b]);
            assert_int_equal(range.end, 0x70000000);
            range = mtrr_type_at(&mtrr, 0x50000000);
            assert_int_equal(range.type, types[a]);
            assert_int_equal(range.end, 0x60000000);
            assert_int_equal(mtrr_type_at(&mtrr, 0x80000000).type, WB);
        }
    }
}

static void test_three_overlap(void **state)
{
    struct mtrr_snapshot mtrr = snapshot(UC | ON);

    (void)state;
    variable(&mtrr, 0, 0x80000000, WB);
    variable(&mtrr, 0, 0x40000000, WT);
    variable(&mtrr, 0, 0x20000000, WB);
    assert_int_equal(mtrr_type_at(&mtrr, 0).type, WT);
    variable(&mtrr, 0, 0x10000000, WC); /* undefined with WB and WT */
    assert_int_equal(mtrr_type_at(&mtrr, 0).type, UC);
    assert_int_equal(mtrr_type_at(&mtrr, 0x10000000).type, WT);
    variable(&mtrr, 0x20000000, 0x10000000, UC);
    assert_int_equal(mtrr_type_at(&mtrr, 0x20000000).type, UC);
    assert_int_equal(mtrr_type_at(&mtrr, 0x30000000).type, WT);
}

/* What firmware sets up on a machine with 16 GiB: default UC with WB pieces, and the other way round. */
static void test_usual_layouts(void **state)
{
    struct mtrr_snapshot mtrr = snapshot(UC | ON);
    enum memory_type type;

    (void)state;
    variable(&mtrr, 0, UINT64_C(0x400000000), WB);
    variable(&mtrr, UINT64_C(0x400000000), 0x40000000, WB);
    variable(&mtrr, 0xc0000000, 0x40000000, UC);
    assert_true(mtrr_type_uniform(&mtrr, 0, 0xc0000000, &type));
    assert_int_equal(type, WB);
    assert_false(mtrr_type_uniform(&mtrr, 0xbfe00000, 0x400000, &type));
    assert_true(mtrr_type_uniform(&mtrr, 0xc0000000, 0x40000000, &type));
    assert_int_equal(type, UC);
    /* Two ranges of the same type that touch are one for a page over their border. */
    assert_true(mtrr_type_uniform(&mtrr, UINT64_C(0x100000000), UINT64_C(0x340000000), &type));
    assert_int_equal(type, WB);
    assert_int_equal(mtrr_type_at(&mtrr, UINT64_C(0x440000000)).type, UC);
    assert_true(mtrr_type_at(&mtrr, UINT64_C(0x440000000)).end == UINT64_MAX);

    mtrr = snapshot(WB | ON);
    variable(&mtrr, 0xe0000000, 0x20000000, UC);
    variable(&mtrr, 0xd0000000, 0x1000, WC);
    assert_int_equal(mtrr_type_at(&mtrr, 0).end, 0xd0000000);
    assert_int_equal(mtrr_type_at(&mtrr, 0xd0000000).type, WC);
    assert_int_equal(mtrr_type_at(&mtrr, 0xd0000000).end, 0xd0001000);
    assert_int_equal(mtrr_type_at(&mtrr, UINT64_C(0x100000000)).type, WB);
}

static void test_not_valid_and_count(void **state)
{
    struct mtrr_snapshot mtrr = snapshot(WB | ON);

    (void)state;
    variable(&mtrr, 0, 0x40000000, UC);
    mtrr.variable[0].mask &= ~VALID;
    assert_int_equal(mtrr_type_at(&mtrr, 0).type, WB);
    mtrr.variable[0].mask |= VALID;
    assert_int_equal(mtrr_type_at(&mtrr, 0).type, UC);
    mtrr.variable_count = 0;
    assert_int_equal(mtrr_type_at(&mtrr, 0).type, WB);
    mtrr.variable_count = 1000; /* more than the array: only the array is read */
    assert_int_equal(mtrr_type_at(&mtrr, 0).type, UC);
    mtrr.def_type = ON | 3; /* a reserved type */
    assert_int_equal(mtrr_type_at(&mtrr, 0x40000000).type, UC);
}

static void test_unknown_is_uc(void **state)
{
    enum memory_type type = WB;

    (void)state;
    assert_true(mtrr_type_uniform(NULL, 0, 0x40000000, &type));
    assert_int_equal(type, UC);
}

/* An address against the manual's words, one range after the other, without asking where anything ends. */
static enum memory_type by_the_book(const struct mtrr_snapshot *mtrr, uint64_t address)
{
    bool matched = false, uc = false, wb = false, wt = false, wp = false, wc = false;

    for (unsigned n = 0; n < mtrr->variable_count; n++) {
        uint64_t mask = mtrr->variable[n].mask & UINT64_C(0x7ffffff000);

        if (!(mtrr->variable[n].mask & VALID) || (address & mask) != (mtrr->variable[n].base & mask))
            continue;
        matched = true;
        switch (mtrr->variable[n].base & 0xff) {
        case 0:
            uc = true;
            break;
        case 1:
            wc = true;
            break;
        case 4:
            wt = true;
            break;
        case 5:
            wp = true;
            break;
        case 6:
            wb = true;
            break;
        }
    }
    if (!matched)
        return (enum memory_type)(mtrr->def_type & 0xff);
    if (uc || uc + wb + wt + wp + wc > 2)
        return UC;
    if (uc + wb + wt + wp + wc == 2)
        return wb && wt ? WT : UC;
    return wc ? WC : wt ? WT : wp ? WP : WB;
}

static void test_random_against_the_book(void **state)
{
    const enum memory_type types[5] = {UC, WC, WT, WP, WB};
    uint64_t seed = 12345;

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        struct mtrr_snapshot mtrr = snapshot(ON | types[round % 5]);

        for (unsigned n = 0; n < round % 9; n++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            mtrr.variable[n].base = (seed >> 30 & 0xff000) | (uint64_t)types[seed >> 60 & 3];
            mtrr.variable[n].mask = UINT64_C(0x7ffff00000) | (0xff000u << (seed >> 40 & 7) & 0xff000) | VALID;
            if (round % 3 == 0) /* gaps in the mask */
                mtrr.variable[n].mask &= ~(seed >> 20 & 0xf0000);
        }
        mtrr.variable_count = round % 9;
        for (uint64_t page = 0; page < 0x110; page++) {
            struct memory_type_range range = mtrr_type_at(&mtrr, page << 12);

            assert_int_equal(range.type, by_the_book(&mtrr, page << 12));
            assert_true(range.end > page << 12);
            for (uint64_t at = page; at < 0x110 && at << 12 < range.end; at++)
                assert_int_equal(by_the_book(&mtrr, at << 12), range.type);
        }
    }
}

/* Each page as the registers say, each stretch as long as it can be; what is not worked out is asked of them.
 */
static void expect_worked_out(const struct mtrr_snapshot *registers, uint64_t pages)
{
    struct mtrr_snapshot mtrr = *registers;
    uint64_t known;

    mtrr_work_out(&mtrr);
    known = mtrr.stretch_count > 0 ? mtrr.stretch_end[mtrr.stretch_count - 1] : 0;
    for (uint64_t gpa = 0; gpa < pages << 12; gpa += 4096) {
        struct memory_type_stretch stretch = mtrr_stretch_at(&mtrr, gpa + 0x123);
        enum memory_type type = mtrr_type_at(registers, gpa).type, quick, slow;

        assert_int_equal(stretch.type, type);
        assert_true(stretch.start <= gpa && stretch.end > gpa);
        if (gpa < known) {
            assert_true(stretch.start == 0 || mtrr_type_at(registers, stretch.start - 1).type != type);
            assert_true(stretch.end == UINT64_MAX || mtrr_type_at(registers, stretch.end).type != type);
        }
        for (uint64_t size = 4096; size <= 1 << 24; size *= 8) {
            bool one = mtrr_type_uniform_slow(registers, gpa, size, &slow);

            assert_int_equal(mtrr_type_uniform(&mtrr, gpa, size, &quick), one);
            if (one)
                assert_int_equal(quick, slow);
        }
    }
}

static void test_worked_out(void **state)
{
    struct mtrr_snapshot mtrr = snapshot(WB | ON | FIXED);
    uint64_t seed = 99;

    (void)state;
    /* 88 fixed ranges, no two neighbours alike: more than are kept. */
    for (unsigned n = 0; n < MTRR_SNAPSHOT_FIXED; n++)
        mtrr.fixed[n] = UINT64_C(0x0006000600060006);
    expect_worked_out(&mtrr, 0x110);
    mtrr_work_out(&mtrr);
    assert_int_equal(mtrr.stretch_count, MTRR_STRETCHES_MAX);
    /* All alike but the default type's own. */
    for (unsigned n = 0; n < MTRR_SNAPSHOT_FIXED; n++)
        mtrr.fixed[n] = UINT64_C(0x0404040404040404);
    mtrr_work_out(&mtrr);
    assert_int_equal(mtrr.stretch_count, 2);
    assert_int_equal(mtrr.stretch_end[0], 0x100000);
    assert_true(mtrr.stretch_end[1] == UINT64_MAX);
    /* A mask with so many gaps that nobody counts the pieces: what was reached is kept. */
    mtrr = snapshot(WB | ON);
    mtrr.variable[0].base = UC;
    mtrr.variable[0].mask = UINT64_C(0x1000) | VALID;
    mtrr.variable_count = 1;
    expect_worked_out(&mtrr, 0x110);
    mtrr_work_out(&mtrr);
    assert_int_equal(mtrr.stretch_count, MTRR_STRETCHES_MAX);
    mtrr.def_type = UC | ON; /* one type, in pieces without end: nothing is certain */
    mtrr_work_out(&mtrr);
    assert_int_equal(mtrr.stretch_count, 0);
    mtrr = snapshot(WB); /* off */
    mtrr_work_out(&mtrr);
    assert_int_equal(mtrr.stretch_count, 1);
    for (unsigned round = 0; round < 300; round++) {
        mtrr = snapshot(round % 4 == 0 ? WB | ON : WT | ON | FIXED);
        mtrr.variable_count = round % 7;
        for (unsigned n = 0; n < mtrr.variable_count; n++) {
            seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
            mtrr.variable[n].base = (seed >> 30 & 0x7ff000) | (seed >> 60 & 1 ? WB : UC);
            mtrr.variable[n].mask =
                (UINT64_C(0x7fffffffff) & ~((UINT64_C(0x1000) << (seed >> 50 & 7)) - 1)) | VALID;
        }
        for (unsigned n = 0; n < MTRR_SNAPSHOT_FIXED; n++)
            mtrr.fixed[n] = seed >> n & 1 ? UINT64_C(0x0606060606060606) : UINT64_C(0x0606060000000606);
        expect_worked_out(&mtrr, 0x220);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(memory_type_name(UC), "UC");
    assert_string_equal(memory_type_name(WC), "WC");
    assert_string_equal(memory_type_name(WT), "WT");
    assert_string_equal(memory_type_name(WP), "WP");
    assert_string_equal(memory_type_name(WB), "WB");
    assert_string_equal(memory_type_name((enum memory_type)2), "?");
    assert_string_equal(memory_type_name((enum memory_type)7), "?");
    for (unsigned type = 0; type < 300; type++)
        assert_int_equal(memory_type_valid(type),
                         type == 0 || type == 1 || type == 4 || type == 5 || type == 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disabled_is_uc), cmocka_unit_test(test_fixed),
        cmocka_unit_test(test_overlap_table),  cmocka_unit_test(test_three_overlap),
        cmocka_unit_test(test_usual_layouts),  cmocka_unit_test(test_not_valid_and_count),
        cmocka_unit_test(test_unknown_is_uc),  cmocka_unit_test(test_random_against_the_book),
        cmocka_unit_test(test_worked_out),     cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
