/* SPDX-License-Identifier: MIT */
/* Tests of ept/cold.c: the right tables go, frames are counted exactly, and there is an end to it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/audit.h"
#include "ept/cold.h"
#include "ept/plant.h"
#include "test/host/ept_processor.h"

#define NOWHERE (512 * GB) /* an address with no table on its way */

/* An address of 4 KiB pages alone: the two spaces are never aligned alike. */
static void start(struct bed *bed, uint64_t capabilities, uint32_t frames)
{
    assert_true(bed_init(bed, capabilities, 40, frames));
    assert_true(bed_add(bed, EPT_REGION_RAM, 0, 400 * GB, 0x1000, RWX));
}

static bool has_table(struct bed *bed, uint64_t gpa)
{
    return pool_entry(&bed->pool, &bed->ept, gpa, 1) != NULL;
}

static void touch(struct bed *bed, uint64_t gpa)
{
    for (unsigned level = 4; level >= 1; level--)
        *pool_entry(&bed->pool, &bed->ept, gpa, level) |= EPT_ACCESSED;
}

static uint64_t take(struct bed *bed, uint64_t keep, uint64_t wanted, enum ept_flush expected)
{
    enum ept_flush flush;
    uint64_t before = bed->ept.table_count, taken = ept_take_cold(&bed->ept, keep, wanted, &flush);

    assert_int_equal(flush, expected);
    assert_int_equal(bed->ept.retired_count, taken);
    assert_int_equal(ept_reclaim(&bed->ept), taken);
    assert_int_equal(bed->ept.table_count, before - taken);
    assert_int_equal(bed->pool.in_use, before - taken);
    return taken;
}

/* Frames that a mapped page may still lack are got from cold tables; how often. */
static unsigned fault(struct bed *bed, uint64_t gpa, uint64_t wanted)
{
    struct ept_fault_result result = ept_fault(&bed->ept, gpa, EPT_READ);
    unsigned calls = 0;

    while (result.kind == EPT_FAULT_NO_FRAME && calls++ < 8) {
        enum ept_flush flush;

        if (ept_take_cold(&bed->ept, gpa, wanted, &flush) == 0)
            break;
        ept_reclaim(&bed->ept);
        result = ept_fault(&bed->ept, gpa, EPT_READ);
    }
    return ept_fault_resolved(result.kind) ? calls : UINT32_MAX;
}

static void test_accessed_stay(void **state)
{
    struct bed bed;

    (void)state;
    start(&bed, CAP_ALL, 64);
    for (unsigned n = 0; n < 8; n++)
        assert_int_equal(ept_fault(&bed.ept, n * 2 * MB, 0).level, 1);
    for (unsigned n = 0; n < 8; n++) {
        if (n % 3 != 1)
            touch(&bed, n * 2 * MB);
    }
    assert_int_equal(take(&bed, NOWHERE, 8, EPT_FLUSH_CONTEXT), 3); /* 1, 4, 7 */
    for (unsigned n = 0; n < 8; n++)
        assert_int_equal(has_table(&bed, n * 2 * MB), n % 3 != 1);
    touch(&bed, 2 * 2 * MB);
    touch(&bed, 6 * 2 * MB);
    assert_int_equal(take(&bed, NOWHERE, 8, EPT_FLUSH_CONTEXT), 3); /* what was not used since */
    for (unsigned n = 0; n < 8; n++)
        assert_int_equal(has_table(&bed, n * 2 * MB), n == 2 || n == 6);
    touch(&bed, 2 * 2 * MB);
    touch(&bed, 6 * 2 * MB);
    assert_int_equal(take(&bed, NOWHERE, 1, EPT_FLUSH_CONTEXT),
                     1); /* all are in use: one goes all the same */
    assert_true(bed_done(&bed));
}

static void test_one_after_the_other(void **state)
{
    struct bed bed;

    (void)state;
    start(&bed, CAP_ALL & ~EPT_BIT(21), 64);
    for (unsigned n = 0; n < 8; n++)
        assert_int_equal(ept_fault(&bed.ept, n * 2 * MB, 0).level, 1);
    for (unsigned n = 0; n < 8; n++) { /* the hand goes on, and what comes back behind it waits */
        assert_int_equal(take(&bed, NOWHERE, 1, EPT_FLUSH_CONTEXT), 1);
        for (unsigned other = 0; other < 8; other++)
            assert_int_equal(has_table(&bed, other * 2 * MB), other != n);
        assert_int_equal(ept_fault(&bed.ept, n * 2 * MB, 0).level, 1);
    }
    assert_int_equal(take(&bed, 2 * MB, 100, EPT_FLUSH_CONTEXT), 7);
    assert_true(has_table(&bed, 2 * MB));
    assert_int_equal(take(&bed, 2 * MB, 100, EPT_FLUSH_NONE), 0);
    assert_int_equal(take(&bed, NOWHERE, 0, EPT_FLUSH_NONE), 0);
    assert_int_equal(take(&bed, NOWHERE, 100, EPT_FLUSH_CONTEXT), 3); /* up to the root, which stays */
    assert_int_equal(bed.ept.table_count, 1);
    assert_int_equal(take(&bed, NOWHERE, 100, EPT_FLUSH_NONE), 0);
    assert_true(bed_done(&bed));
}

/* Tables of large pages, and those left empty, are found too. */
static void test_tables_of_large_pages(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 400 * GB, 0, RWX));
    for (unsigned n = 0; n < 8; n++)
        assert_int_equal(ept_fault(&bed.ept, n * GB, 0).level, 2);
    assert_int_equal(bed.ept.table_count, 10);
    assert_int_equal(take(&bed, 3 * GB, 100, EPT_FLUSH_CONTEXT), 7);
    assert_int_equal(ept_walk(&bed.ept, 3 * GB).end, EPT_WALK_MAPPED);
    assert_true(bed_done(&bed));
}

/* A frame for each level and no more: every address can be reached, whatever was mapped before. */
static void test_tiny_pools(void **state)
{
    const uint64_t capabilities[] = {CAP_ALL, CAP_ALL & ~EPT_BIT(21)};
    const uint64_t bases[] = {0, 2 * MB, GB, 3 * GB, 399 * GB};
    uint64_t random = 88172645463325252;

    (void)state;
    for (unsigned c = 0; c < 2; c++) {
        for (uint32_t frames = 4; frames <= 9; frames++) {
            struct bed bed;

            start(&bed, capabilities[c], frames);
            for (unsigned n = 0; n < 500; n++) {
                uint64_t gpa;

                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                gpa = bases[random % 5] + (random >> 8 & 511) * 4 * KB;
                assert_true(fault(&bed, gpa, 1 + random % 3) <= 4);
                assert_true(ept_walk(&bed.ept, gpa).hpa == gpa + 0x1000);
                if (random >> 20 & 1)
                    touch(&bed, gpa);
                assert_true(bed.pool.in_use <= frames && bed.ept.table_count == bed.pool.in_use);
            }
            assert_true(bed_done(&bed));
        }
    }
}

static void test_five_levels(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_5_LEVEL, 52, 5));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 2048 * TB, 0x1000, RWX));
    for (unsigned n = 0; n < 50; n++)
        assert_true(fault(&bed, n * 37 * TB, 8) <= 4);
    assert_true(bed_done(&bed));
}

static void test_too_few_frames(void **state)
{
    struct bed bed;

    (void)state;
    for (uint32_t frames = 1; frames < 4; frames++) {
        start(&bed, CAP_ALL, frames);
        assert_int_equal(fault(&bed, 5 * GB, 8), UINT32_MAX);
        assert_int_equal(fault(&bed, 9 * GB, 8), UINT32_MAX);
        assert_true(bed_done(&bed));
    }
}

static void test_what_is_never_taken(void **state)
{
    struct bed bed;

    (void)state;
    start(&bed, CAP_ALL, 64);
    for (unsigned n = 0; n < 8; n++)
        assert_int_equal(ept_fault(&bed.ept, n * 2 * MB, 0).level, 1);
    assert_int_equal(ept_plant(&bed.ept, 0x5000, 1, EPT_PLANT_WRITE_ONLY).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 2 * MB, 1, EPT_PLANT_READ_ONLY).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 4 * MB, 2, EPT_PLANT_RESERVED_LOW).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 6 * MB, 2, EPT_PLANT_NOT_PRESENT).status, EPT_OK);
    assert_int_equal(ept_map_one(&bed.ept, 8 * MB, 0x7000, R, MEMORY_TYPE_WB).status, EPT_OK);
    assert_int_equal(take(&bed, 10 * MB, 100, EPT_FLUSH_CONTEXT), 2); /* those of 12 and 14 MiB */
    assert_int_equal(ept_walk(&bed.ept, 0x5000).end, EPT_WALK_MISCONFIG);
    assert_int_equal(ept_walk(&bed.ept, 2 * MB).rights, R);
    assert_int_equal(ept_walk(&bed.ept, 4 * MB).end, EPT_WALK_MISCONFIG);
    assert_int_equal(ept_walk(&bed.ept, 6 * MB).end, EPT_WALK_NOT_PRESENT);
    assert_int_equal(ept_walk(&bed.ept, 8 * MB).hpa, 0x7000);
    assert_int_equal(ept_walk(&bed.ept, 10 * MB).end, EPT_WALK_MAPPED);
    assert_int_equal(bed.ept.planted_count, 2);
    assert_true(bed_done(&bed));
}

static void test_dirty_log_gets_the_flags(void **state)
{
    struct bed bed;
    struct ept_dirty_log log;
    static uint64_t words[1024];
    uint64_t bitmap[64] = {0};

    (void)state;
    start(&bed, CAP_ALL, 64);
    assert_int_equal(ept_dirty_start(&bed.ept, &log, EPT_DIRTY_FLAGS, 1, 8 * MB, words).status, EPT_OK);
    assert_int_equal(ept_fault(&bed.ept, 0x7000, EPT_WRITE).level, 1);
    *pool_entry(&bed.pool, &bed.ept, 0x7000, 1) |= EPT_DIRTY;
    assert_int_equal(take(&bed, NOWHERE, 1, EPT_FLUSH_CONTEXT), 1);
    assert_int_equal(ept_dirty_collect(&bed.ept, bitmap).pages, 1);
    assert_int_equal(bitmap[0], 1u << 7);
    assert_int_equal(ept_dirty_stop(&bed.ept).status, EPT_OK);
    assert_true(bed_done(&bed));
}

/* A guest with a hot set that it comes back to and a stream that it does not: how many violations. */
static uint64_t violations(uint64_t capabilities, bool drop_all)
{
    static struct processor processor;
    struct bed bed;
    uint64_t random = 362436069, faults = 0;

    start(&bed, capabilities, 24);
    processor_init(&processor, &bed);
    for (unsigned n = 0; n < 32000; n++) {
        uint64_t gpa;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        if (n % 16 == 15)
            gpa = GB + n / 16 % 256 * 2 * MB; /* 256 tables, one after the other */
        else
            gpa = (random >> 8 & 7) * 2 * MB + (random >> 16 & 15) * 4 * KB; /* 8 tables, 128 pages */
        while (!processor_walk(&processor, gpa, EPT_READ)) {
            struct ept_fault_result result = ept_fault(&bed.ept, gpa, EPT_READ);
            enum ept_flush flush = EPT_FLUSH_NONE;

            faults++;
            if (result.kind != EPT_FAULT_NO_FRAME)
                continue;
            faults--; /* handled in the same exit */
            if (drop_all)
                flush = ept_zap(&bed.ept, 0, TB);
            else
                assert_true(ept_take_cold(&bed.ept, gpa, 4, &flush) > 0);
            processor_flush(&processor, flush);
        }
        assert_true(ept_walk(&bed.ept, gpa).hpa == gpa + 0x1000);
    }
    assert_true(bed_done(&bed));
    return faults;
}

static void test_hot_and_streaming(void **state)
{
    uint64_t dropped = violations(CAP_ALL, true), cold = violations(CAP_ALL, false);
    uint64_t round_robin = violations(CAP_ALL & ~EPT_BIT(21), false);

    (void)state;
    print_message("violations: dropping all %llu, by accessed flags %llu, in turn %llu\n",
                  (unsigned long long)dropped, (unsigned long long)cold, (unsigned long long)round_robin);
    assert_true(cold < 2000 + 128 + 100); /* the stream, the hot pages once, and little more */
    assert_true(cold < round_robin);
    assert_true(round_robin * 4 < dropped);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accessed_stay),         cmocka_unit_test(test_one_after_the_other),
        cmocka_unit_test(test_tables_of_large_pages), cmocka_unit_test(test_tiny_pools),
        cmocka_unit_test(test_five_levels),           cmocka_unit_test(test_too_few_frames),
        cmocka_unit_test(test_what_is_never_taken),   cmocka_unit_test(test_dirty_log_gets_the_flags),
        cmocka_unit_test(test_hot_and_streaming),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
