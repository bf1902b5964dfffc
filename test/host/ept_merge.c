/* SPDX-License-Identifier: MIT */
/* Tests of ept/merge.c: no translation changes at any step, no flag is lost, no frame either. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/merge.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/split.h"
#include "test/host/ept_processor.h"

static void expect_everywhere(struct bed *bed, uint64_t gpa, uint64_t end, uint64_t hpa, unsigned level)
{
    for (; gpa < end; gpa += 4 * KB, hpa += 4 * KB) {
        struct ept_walk walk = ept_walk(&bed->ept, gpa);

        assert_int_equal(walk.end, EPT_WALK_MAPPED);
        assert_int_equal(walk.hpa, hpa);
        assert_int_equal(walk.rights, RWX);
        assert_int_equal(walk.level, level);
    }
}

/* One step: how many were merged. */
static unsigned merge(struct bed *bed, uint64_t gpa, uint64_t end, unsigned level)
{
    struct ept_merge_batch batch = {.count = 0};
    enum ept_flush flush;
    unsigned count;

    assert_true(ept_merge(&bed->ept, gpa, end, level, &batch, &flush) >= end);
    count = batch.count;
    assert_int_equal(flush, count > 0 ? EPT_FLUSH_CONTEXT : EPT_FLUSH_NONE);
    ept_merge_finish(&bed->ept, &batch);
    assert_int_equal(ept_reclaim(&bed->ept), count);
    return count;
}

static void test_split_and_merge(void **state)
{
    struct bed bed;
    uint64_t tables;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 1024));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 2 * GB, 4 * GB, RWX));
    assert_int_equal(ept_fault(&bed.ept, 0, 0).level, 3);
    tables = bed.ept.table_count;
    for (uint64_t gpa = 0; gpa < GB; gpa += 2 * MB)
        assert_int_equal(ept_split(&bed.ept, gpa, 1).status, EPT_OK);
    expect_everywhere(&bed, 0, GB, 4 * GB, 1);
    assert_int_equal(merge(&bed, 0, GB, 3), 0); /* of tables, no page is made */
    for (uint64_t at = 0; at < GB;) {
        struct ept_merge_batch batch = {.count = 0};
        enum ept_flush flush;

        at = ept_merge(&bed.ept, at, GB, 2, &batch, &flush);
        assert_int_equal(batch.count, EPT_MERGE_MAX);
        assert_int_equal(at % (EPT_MERGE_MAX * 2 * MB), 0);
        ept_merge_finish(&bed.ept, &batch);
    }
    expect_everywhere(&bed, 0, GB, 4 * GB, 2);
    assert_int_equal(ept_reclaim(&bed.ept), 512);
    assert_int_equal(merge(&bed, 0, GB, 3), 1);
    expect_everywhere(&bed, 0, GB, 4 * GB, 3);
    assert_int_equal(bed.ept.table_count, tables);
    assert_true(bed_done(&bed));
}

/* A processor that still walks the old table finds all of it, and what it marks there arrives. */
static void test_old_table_until_the_flush(void **state)
{
    struct bed bed;
    struct ept_merge_batch batch = {.count = 0};
    enum ept_flush flush;
    uint64_t *old;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 64 * MB, 4 * GB, RWX));
    assert_int_equal(ept_fault(&bed.ept, 0, 0).level, 2);
    assert_int_equal(ept_split(&bed.ept, 0, 1).status, EPT_OK);
    *pool_entry(&bed.pool, &bed.ept, 0x5000, 1) |= EPT_ACCESSED;
    old = pool_entry(&bed.pool, &bed.ept, 0, 1);
    assert_true(ept_merge(&bed.ept, 0, 2 * MB, 2, &batch, &flush) >= 2 * MB);
    assert_int_equal(batch.count, 1);
    assert_true(ept_walk(&bed.ept, 0).accessed);
    assert_false(ept_walk(&bed.ept, 0).dirty);
    for (unsigned n = 0; n < 512; n++)
        assert_int_equal(old[n] & ~EPT_ACCESSED, (4 * GB + n * 4096) | 0x37);
    old[77] |= EPT_DIRTY; /* late */
    ept_merge_finish(&bed.ept, &batch);
    assert_true(ept_walk(&bed.ept, 0).dirty);
    expect_everywhere(&bed, 0, 2 * MB, 4 * GB, 2);
    assert_int_equal(bed.ept.retired_count, 1);
    assert_true(bed_done(&bed));
}

static void split_first(struct bed *bed)
{
    assert_true(ept_fault_resolved(ept_fault(&bed->ept, 0, 0).kind));
    assert_int_equal(ept_split(&bed->ept, 0, 1).status, EPT_OK);
}

static void test_what_is_not_merged(void **state)
{
    struct bed bed;
    struct ept_dirty_log log;
    uint64_t words[64];

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 64 * MB, 4 * GB, RWX));
    split_first(&bed);
    *pool_entry(&bed.pool, &bed.ept, 0x7000, 1) ^= 0x1000; /* another address */
    assert_int_equal(merge(&bed, 0, 2 * MB, 2), 0);
    *pool_entry(&bed.pool, &bed.ept, 0x7000, 1) ^= 0x1000;
    *pool_entry(&bed.pool, &bed.ept, 0x1ff000, 1) ^= EPT_WRITE; /* other rights */
    assert_int_equal(merge(&bed, 0, 2 * MB, 2), 0);
    *pool_entry(&bed.pool, &bed.ept, 0x1ff000, 1) ^= EPT_WRITE | EPT_IGNORE_PAT;
    assert_int_equal(merge(&bed, 0, 2 * MB, 2), 0);
    *pool_entry(&bed.pool, &bed.ept, 0x1ff000, 1) ^= EPT_IGNORE_PAT;
    for (unsigned n = 0; n < 512; n++) /* all alike, but not as the list has it */
        *pool_entry(&bed.pool, &bed.ept, n * 4096, 1) ^= EPT_EXECUTE;
    assert_int_equal(merge(&bed, 0, 2 * MB, 2), 0);
    for (unsigned n = 0; n < 512; n++)
        *pool_entry(&bed.pool, &bed.ept, n * 4096, 1) ^= EPT_EXECUTE;
    assert_int_equal(ept_map_one(&bed.ept, 0x3000, 4 * GB + 0x3000, RWX, MEMORY_TYPE_WB).status, EPT_OK);
    assert_int_equal(merge(&bed, 0, 2 * MB, 2), 0);
    assert_int_equal(ept_zap(&bed.ept, 0x3000, 0x1000), EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_plant(&bed.ept, 0x4000, 1, EPT_PLANT_READ_ONLY).status, EPT_OK);
    assert_int_equal(merge(&bed, 0, 2 * MB, 2), 0);
    assert_int_equal(ept_zap(&bed.ept, 0x4000, 0x1000), EPT_FLUSH_CONTEXT);
    bed.ept.no_executable_large = true;
    assert_int_equal(merge(&bed, 0, 2 * MB, 2), 0);
    bed.ept.no_executable_large = false;
    assert_int_equal(ept_dirty_start(&bed.ept, &log, EPT_DIRTY_FLAGS, 1, 2 * MB, words).status, EPT_OK);
    assert_int_equal(merge(&bed, 0, 2 * MB, 2), 0);
    assert_int_equal(ept_dirty_stop(&bed.ept).status, EPT_OK);
    assert_int_equal(merge(&bed, 0, 2 * MB, 3), 0); /* no such leaf */
    assert_int_equal(merge(&bed, 0, 2 * MB, 1), 0);
    assert_int_equal(merge(&bed, 2 * MB, 64 * MB, 2), 0);
    assert_int_equal(merge(&bed, 0, 2 * MB, 2), 1); /* with two pages that are not mapped */
    assert_int_equal(merge(&bed, 0, TB, 2), 0);
    expect_everywhere(&bed, 0, 2 * MB, 4 * GB, 2);
    assert_true(bed_done(&bed));
}

static void test_bounds_of_regions(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, MB, 4 * GB, RWX));               /* ends within the 2 MiB */
    assert_true(bed_add(&bed, EPT_REGION_RAM, 2 * MB, 2 * MB, 4 * GB + MB, RWX)); /* not aligned */
    assert_true(bed_add(&bed, EPT_REGION_RAM, 4 * MB, 2 * MB, 8 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 4 * MB).status, EPT_OK);
    assert_int_equal(merge(&bed, 0, 6 * MB, 2), 0);
    assert_int_equal(ept_set_rights(&bed.ept, 5 * MB, 4 * KB, R).status, EPT_OK);
    assert_int_equal(ept_map_range(&bed.ept, 4 * MB, 2 * MB).status, EPT_OK);
    assert_int_equal(merge(&bed, 0, 6 * MB, 2), 0);
    assert_int_equal(ept_set_rights(&bed.ept, 5 * MB, 4 * KB, RWX).status, EPT_OK);
    assert_true(ept_fault_resolved(ept_fault(&bed.ept, 5 * MB, EPT_WRITE).kind));
    assert_int_equal(merge(&bed, 0, 6 * MB, 2), 1); /* equal again */
    expect_everywhere(&bed, 4 * MB, 6 * MB, 8 * GB, 2);
    assert_true(bed_done(&bed));
}

static void test_types_of_the_mtrrs(void **state)
{
    struct bed bed;
    struct mtrr_snapshot mtrr = {
        .cap = 8, .def_type = 0x800 | MEMORY_TYPE_WB, .variable_count = 1, .phys_width = 40};
    struct ept_region region = {
        .size = 8 * MB, .hpa = 4 * GB, .kind = EPT_REGION_RAM, .rights = RWX, .type_from_mtrr = true};

    (void)state;
    mtrr.variable[0].base = (4 * GB + 0x3000) | MEMORY_TYPE_UC; /* one page of the first 2 MiB */
    mtrr.variable[0].mask = 0xfffffff000 | 0x800;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    bed.ept.mtrr = &mtrr;
    assert_int_equal(ept_region_add(&bed.list, &region), EPT_OK);
    assert_int_equal(ept_fault(&bed.ept, 0x1000, 0).level, 1); /* the page of another type is not mapped */
    assert_int_equal(ept_fault(&bed.ept, 2 * MB, 0).level, 2);
    assert_int_equal(ept_split(&bed.ept, 2 * MB, 1).status, EPT_OK);
    assert_int_equal(merge(&bed, 0, 8 * MB, 2), 1);
    assert_int_equal(ept_walk(&bed.ept, 0x1000).level, 1);
    assert_int_equal(ept_walk(&bed.ept, 2 * MB).level, 2);
    assert_true(bed_done(&bed));
}

/* Splits and merges at random: a model of one address and one pair of flags for each page. */
static void test_random_operations(void **state)
{
    static uint8_t dirty[4096]; /* pages of 16 MiB */
    struct bed bed;
    struct processor processor;
    uint64_t random = 362436069, merged = 0;

    (void)state;
    memset(dirty, 0, sizeof(dirty));
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 256));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 16 * MB, 4 * GB, RWX));
    processor_init(&processor, &bed);
    for (unsigned n = 0; n < 20000; n++) {
        uint64_t gpa;
        const struct cached *cached;
        struct ept_change change;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        gpa = random >> 8 & (16 * MB - 4 * KB);
        switch (random % 8) {
        case 0:
            change = ept_split(&bed.ept, gpa, 1);
            assert_true(change.status == EPT_OK || change.status == EPT_NOT_LISTED);
            processor_flush(&processor, change.flush);
            break;
        case 1: {
            struct ept_merge_batch batch = {.count = 0};
            enum ept_flush flush;

            gpa &= ~(2 * MB - 1);
            assert_int_equal(ept_merge(&bed.ept, gpa, gpa + 1, 2, &batch, &flush), gpa + 2 * MB);
            processor_flush(&processor, flush);
            merged += batch.count;
            if (batch.count != 0) { /* what one of them was, all are */
                uint64_t first = gpa >> 12;

                ept_merge_finish(&bed.ept, &batch);
                memset(&dirty[first], memchr(&dirty[first], 1, 512) != NULL, 512);
                for (unsigned page = 0; page < 512; page += 37)
                    assert_int_equal(ept_walk(&bed.ept, gpa + page * 4096).dirty, dirty[first]);
            }
            break;
        }
        default:
            cached = processor_access(&processor, gpa, random % 8 < 4 ? EPT_WRITE : EPT_READ);
            assert_non_null(cached);
            assert_int_equal(cached->hpa, 4 * GB + gpa);
            if (random % 8 < 4)
                memset(&dirty[cached->level == 2 ? gpa >> 12 & ~UINT64_C(511) : gpa >> 12], 1,
                       cached->level == 2 ? 512 : 1);
            assert_int_equal(ept_walk(&bed.ept, gpa).dirty, dirty[gpa >> 12]);
        }
    }
    assert_true(merged > 100);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_and_merge),    cmocka_unit_test(test_old_table_until_the_flush),
        cmocka_unit_test(test_what_is_not_merged), cmocka_unit_test(test_bounds_of_regions),
        cmocka_unit_test(test_types_of_the_mtrrs), cmocka_unit_test(test_random_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
