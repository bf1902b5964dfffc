/* SPDX-License-Identifier: MIT */
/* Tests of ept/protect.c: the list and what is mapped change together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/protect.h"
#include "ept/walk.h"
#include "test/host/ept_pool.h"

static void test_set_rights(void **state)
{
    struct bed bed;
    struct ept_change change;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 16 * MB, GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 16 * MB).status, EPT_OK);
    change = ept_set_rights(&bed.ept, 4 * MB + 0x3000, 0x1000, R);
    assert_int_equal(change.status, EPT_OK);
    assert_int_equal(change.flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_walk(&bed.ept, 4 * MB).end, EPT_WALK_NOT_PRESENT); /* the 2M page went */
    assert_int_equal(ept_walk(&bed.ept, 2 * MB).level, 2);
    assert_int_equal(ept_fault(&bed.ept, 4 * MB + 0x3000, EPT_WRITE).kind, EPT_FAULT_DENIED_RIGHTS);
    assert_int_equal(ept_fault(&bed.ept, 4 * MB + 0x3000, EPT_READ).level, 1);
    assert_int_equal(ept_fault(&bed.ept, 4 * MB + 0x4000, EPT_WRITE).level, 1);
    assert_int_equal(ept_set_rights(&bed.ept, 4 * MB + 0x3000, 0x1000, RWX).flush, EPT_FLUSH_NONE);
    assert_int_equal(bed.list.count, 1);
    assert_int_equal(ept_fault(&bed.ept, 4 * MB + 0x3000, EPT_WRITE).kind, EPT_FAULT_REPAIRED);
    assert_int_equal(ept_walk(&bed.ept, 4 * MB + 0x3000).rights, RWX);
    assert_int_equal(ept_set_rights(&bed.ept, 0, 0x1000, 0).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_fault(&bed.ept, 0, EPT_READ).kind, EPT_FAULT_DENIED_RIGHTS);
    assert_true(bed_done(&bed));
}

static void test_errors_change_nothing(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_X, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 16 * MB, GB, RWX));
    assert_int_equal(ept_set_rights(&bed.ept, 0, 17 * MB, R).status, EPT_NOT_LISTED);
    assert_int_equal(ept_set_rights(&bed.ept, 0x10, 0x1000, R).status, EPT_UNALIGNED);
    assert_int_equal(ept_set_rights(&bed.ept, 0, 0x1000, 2).status, EPT_BAD_RIGHTS);
    assert_int_equal(ept_set_rights(&bed.ept, 0, 0x1000, 4).status, EPT_BAD_RIGHTS);
    assert_int_equal(ept_set_rights(&bed.ept, TB, 0x1000, R).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_set_rights(&bed.ept, 0x1000, UINT64_MAX - 0xfff, R).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_remove(&bed.ept, 0x10, 0x1000).status, EPT_UNALIGNED);
    assert_int_equal(ept_set_type(&bed.ept, 0, 0x1000, (enum memory_type)2, false).status, EPT_BAD_TYPE);
    assert_int_equal(bed.list.count, 1);
    assert_int_equal(bed.list.regions[0].rights, RWX);
    assert_true(bed_done(&bed));
}

static void test_remove_and_type(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 16 * MB, GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 16 * MB).status, EPT_OK);
    assert_int_equal(ept_remove(&bed.ept, 2 * MB, 4 * MB).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_fault(&bed.ept, 3 * MB, EPT_READ).kind, EPT_FAULT_DENIED_HOLE);
    assert_int_equal(ept_walk(&bed.ept, 3 * MB).end, EPT_WALK_NOT_PRESENT);
    assert_int_equal(ept_walk(&bed.ept, 6 * MB).end, EPT_WALK_MAPPED);
    assert_int_equal(ept_set_type(&bed.ept, 8 * MB, 2 * MB, MEMORY_TYPE_WC, true).status, EPT_OK);
    assert_int_equal(ept_walk(&bed.ept, 8 * MB).end, EPT_WALK_NOT_PRESENT);
    assert_int_equal(ept_fault(&bed.ept, 8 * MB, EPT_READ).level, 2);
    assert_int_equal(ept_walk(&bed.ept, 8 * MB).memory_type, MEMORY_TYPE_WC);
    assert_true(ept_walk(&bed.ept, 8 * MB).ignore_pat);
    assert_int_equal(ept_set_type(&bed.ept, 8 * MB, 2 * MB, MEMORY_TYPE_WC, true).flush,
                     EPT_FLUSH_NONE); /* the same */
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_rights),
        cmocka_unit_test(test_errors_change_nothing),
        cmocka_unit_test(test_remove_and_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
