/* SPDX-License-Identifier: MIT */
/* Tests of ept/zap.c: what goes, what stays, and that every frame comes back once. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/table.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

static bool mapped(struct bed *bed, uint64_t gpa)
{
    return ept_walk(&bed->ept, gpa).end == EPT_WALK_MAPPED;
}

static void test_exactly_the_range(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 64 * MB, GB, RWX));
    for (uint64_t from = 0; from < 6 * MB; from += 508 * KB) {
        for (uint64_t size = 4 * KB; size < 5 * MB; size = size * 3 & ~UINT64_C(0xfff)) {
            assert_int_equal(ept_map_range(&bed.ept, 0, 12 * MB).status, EPT_OK);
            assert_int_equal(ept_zap(&bed.ept, from, size), EPT_FLUSH_CONTEXT);
            for (uint64_t gpa = 0; gpa < 12 * MB; gpa += 4 * KB)
                assert_int_equal(mapped(&bed, gpa), gpa < from || gpa >= from + size);
            ept_reclaim(&bed.ept);
            assert_int_equal(bed.pool.in_use, bed.ept.table_count);
        }
    }
    assert_true(bed_done(&bed));
}

static void test_large_page_goes_whole(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * GB, 4 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 4 * GB).status, EPT_OK);
    assert_int_equal(ept_zap(&bed.ept, GB + 0x5000, 1), EPT_FLUSH_CONTEXT);
    assert_true(mapped(&bed, GB - 1));
    assert_false(mapped(&bed, GB));
    assert_false(mapped(&bed, 2 * GB - 1));
    assert_true(mapped(&bed, 2 * GB));
    assert_int_equal(ept_fault(&bed.ept, GB, 0).level, 3);
    assert_true(bed_done(&bed));
}

static void test_retire_and_reclaim(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * GB, 4 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 8 * MB).status, EPT_OK);
    assert_int_equal(bed.pool.in_use, 7); /* PML4, PDPT, PD, four PTs */
    assert_int_equal(ept_zap(&bed.ept, 2 * MB, 4 * MB), EPT_FLUSH_CONTEXT);
    assert_int_equal(bed.ept.retired_count, 2);
    assert_int_equal(bed.pool.in_use, 7); /* not before the flush */
    assert_int_equal(ept_reclaim(&bed.ept), 2);
    assert_int_equal(ept_reclaim(&bed.ept), 0);
    assert_int_equal(bed.pool.in_use, 5);
    assert_int_equal(ept_zap(&bed.ept, 0, UINT64_MAX), EPT_FLUSH_CONTEXT);
    assert_int_equal(bed.ept.retired_count, 4);
    assert_int_equal(bed.pool.double_frees, 0);
    assert_true(bed_done(&bed)); /* with frames still retired */
}

/* A processor that goes on with the address of an entry that is not present finds no memory: L1TF. */
static void test_retired_tables_lead_nowhere(void **state)
{
    struct bed bed;
    uint64_t table, tables = 0;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * GB, 4 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 8 * MB).status, EPT_OK);
    assert_int_equal(ept_zap(&bed.ept, 0, UINT64_MAX), EPT_FLUSH_CONTEXT);
    for (table = bed.ept.retired; table != 0; tables++) {
        const struct ept_entry *entries = ept_table_at(&bed.ept, table);

        assert_non_null(entries);
        assert_int_equal(entries[0].raw & (EPT_RIGHTS | EPT_BIT(51)), EPT_BIT(51)); /* beyond 40 bits */
        for (unsigned n = 1; n < EPT_ENTRIES; n++)
            assert_int_equal(entries[n].raw & (EPT_RIGHTS | EPT_ADDRESS), 0);
        table = ~entries[0].raw & EPT_ADDRESS;
    }
    assert_int_equal(tables, bed.ept.retired_count);
    assert_int_equal(ept_reclaim(&bed.ept), tables);
    assert_true(bed_done(&bed));
}

static void test_nothing_there(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_int_equal(ept_zap(&bed.ept, 0, 0), EPT_FLUSH_NONE);
    assert_int_equal(ept_zap(&bed.ept, TB, 0x1000), EPT_FLUSH_NONE);
    assert_int_equal(ept_zap(&bed.ept, UINT64_MAX, UINT64_MAX), EPT_FLUSH_NONE);
    assert_int_equal(ept_zap(&bed.ept, 0, UINT64_MAX), EPT_FLUSH_NONE);
    assert_int_equal(bed.ept.table_count, 1);
    assert_true(bed_done(&bed));
}

/* Corruption makes one table reachable twice, and one reach the root: each frame is still given back once. */
static void test_shared_and_cyclic(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * GB, 4 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 4 * MB).status, EPT_OK);
    *pool_entry(&bed.pool, &bed.ept, 64 * MB, 2) = *pool_entry(&bed.pool, &bed.ept, 0, 2); /* shared PT */
    *pool_entry(&bed.pool, &bed.ept, 65 * MB + 2 * MB, 2) = bed.ept.root | RWX; /* back to the root */
    assert_int_equal(ept_zap(&bed.ept, 64 * MB, 64 * MB), EPT_FLUSH_CONTEXT);
    assert_true(mapped(&bed, 2 * MB));
    assert_int_equal(ept_zap(&bed.ept, 0, TB), EPT_FLUSH_CONTEXT);
    ept_reclaim(&bed.ept);
    assert_int_equal(bed.pool.in_use, 1);
    assert_int_equal(bed.pool.double_frees, 0);
    assert_int_equal(ept_fault(&bed.ept, 0, 0).kind, EPT_FAULT_INSTALLED);
    assert_true(bed_done(&bed));
}

static void test_junk_goes(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * GB, 4 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 4 * MB).status, EPT_OK);
    *pool_entry(&bed.pool, &bed.ept, 2 * MB, 2) |=
        EPT_BIT(45); /* the reference is spoilt: its table is lost */
    assert_int_equal(ept_zap(&bed.ept, 2 * MB, 4 * KB), EPT_FLUSH_CONTEXT);
    assert_int_equal(*pool_entry(&bed.pool, &bed.ept, 2 * MB, 2), 0);
    *pool_entry(&bed.pool, &bed.ept, 0, 1) = EPT_BIT(60); /* junk in a leaf that is not present */
    assert_int_equal(ept_zap(&bed.ept, 0, 4 * KB), EPT_FLUSH_NONE);
    assert_int_equal(*pool_entry(&bed.pool, &bed.ept, 0, 1), 0);
    assert_int_equal(bed.ept.table_count, 5);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly_the_range),  cmocka_unit_test(test_large_page_goes_whole),
        cmocka_unit_test(test_retire_and_reclaim), cmocka_unit_test(test_retired_tables_lead_nowhere),
        cmocka_unit_test(test_nothing_there),      cmocka_unit_test(test_shared_and_cyclic),
        cmocka_unit_test(test_junk_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
