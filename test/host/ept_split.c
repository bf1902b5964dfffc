/* SPDX-License-Identifier: MIT */
/* Tests of ept/split.c: no translation changes by a split, also when the processor sets a flag meanwhile. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/split.h"
#include "ept/walk.h"
#include "test/host/ept_pool.h"

static void test_split_keeps_everything(void **state)
{
    struct bed bed;
    struct ept_change change;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 2 * GB, 4 * GB, RX));
    assert_int_equal(ept_fault(&bed.ept, 0, 0).level, 3);
    *pool_entry(&bed.pool, &bed.ept, 0, 3) |= EPT_ACCESSED | EPT_DIRTY | EPT_IGNORE_PAT;
    change = ept_split(&bed.ept, 5 * MB, 1);
    assert_int_equal(change.status, EPT_OK);
    assert_int_equal(change.flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(bed.ept.table_count, 4);
    for (uint64_t gpa = 0; gpa < GB; gpa += 4 * KB) {
        struct ept_walk walk = ept_walk(&bed.ept, gpa + 7);

        assert_int_equal(walk.end, EPT_WALK_MAPPED);
        assert_int_equal(walk.level, gpa >= 4 * MB && gpa < 6 * MB ? 1 : 2);
        assert_int_equal(walk.hpa, 4 * GB + gpa + 7);
        assert_int_equal(walk.rights, RX);
        assert_int_equal(walk.memory_type, MEMORY_TYPE_WB);
        assert_true(walk.accessed && walk.dirty && walk.ignore_pat);
    }
    assert_int_equal(ept_split(&bed.ept, 8 * MB, 2).flush, EPT_FLUSH_NONE); /* it is 2M already */
    assert_true(bed_done(&bed));
}

static void test_refusals(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 2 * GB, 4 * GB, RX));
    assert_int_equal(ept_split(&bed.ept, 0, 1).status, EPT_NOT_LISTED);
    assert_int_equal(ept_split(&bed.ept, 0, 3).status, EPT_UNSUPPORTED);
    assert_int_equal(ept_split(&bed.ept, 0, 0).status, EPT_UNSUPPORTED);
    assert_int_equal(ept_split(&bed.ept, TB, 1).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_fault(&bed.ept, 0, 0).level, 3);
    bed.pool.limit = bed.pool.in_use;
    assert_int_equal(ept_split(&bed.ept, 0, 2).status, EPT_NO_FRAME_LEFT);
    assert_int_equal(ept_walk(&bed.ept, 0).level, 3);
    bed.pool.limit = bed.pool.in_use + 1; /* enough for one of two */
    assert_int_equal(ept_split(&bed.ept, 0, 1).status, EPT_NO_FRAME_LEFT);
    assert_int_equal(ept_walk(&bed.ept, 0x1234).level, 2);
    assert_int_equal(ept_walk(&bed.ept, 0x1234).hpa, 4 * GB + 0x1234);
    assert_true(bed_done(&bed));
}

/* The processor marks the large page dirty while its table is being filled. */
static void set_dirty(struct pool *pool)
{
    struct bed *bed = pool->argument;

    *pool_entry(pool, &bed->ept, 0, 2) |= EPT_DIRTY;
}

static void test_flag_during_split(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 2 * GB, 4 * GB, RWX));
    assert_int_equal(ept_fault(&bed.ept, 0, 0).level, 2);
    bed.pool.argument = &bed;
    bed.pool.on_alloc = set_dirty;
    assert_int_equal(ept_split(&bed.ept, 0x3000, 1).status, EPT_OK);
    assert_true(ept_walk(&bed.ept, 0x7000).dirty);
    assert_int_equal(bed.pool.in_use, 4);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_keeps_everything),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_flag_during_split),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
