/* SPDX-License-Identifier: MIT */
/* Tests of ept/cover.c: a page goes out of the map and comes back as it was. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/cover.h"
#include "test/host/ept_processor.h"

#define PAGE (4 * MB + 0x3000)

static struct ept_cover cover;

static void expect_hole(struct bed *bed, uint64_t page)
{
    assert_int_not_equal(ept_walk(&bed->ept, page).end, EPT_WALK_MAPPED);
    for (unsigned access = 1; access <= EPT_RIGHTS; access <<= 1)
        assert_int_equal(ept_fault(&bed->ept, page + 8, access).kind, EPT_FAULT_DENIED_HOLE);
}

static void expect_mapped(struct bed *bed, uint64_t page, unsigned rights)
{
    struct ept_walk walk = ept_walk(&bed->ept, page);

    assert_int_equal(walk.end, EPT_WALK_MAPPED);
    assert_int_equal(walk.hpa, page + 4 * GB);
    assert_int_equal(walk.rights, rights);
}

/* Touched as a large page before: the page goes, its neighbours stay mapped, and the list is one region
 * after. */
static void test_over_touched_memory(void **state)
{
    static const enum ept_region_kind kinds[] = {EPT_REGION_RAM, EPT_REGION_ROM, EPT_REGION_MMIO,
                                                 EPT_REGION_SHARED};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        unsigned rights = kinds[i] == EPT_REGION_ROM ? RX : RWX;
        struct ept_change change;
        struct bed bed;

        assert_true(bed_init(&bed, CAP_ALL, 40, 64));
        assert_true(bed_add(&bed, kinds[i], 0, GB, 4 * GB, rights));
        assert_true(ept_fault_resolved(ept_fault(&bed.ept, PAGE, EPT_READ).kind));
        assert_true(ept_walk(&bed.ept, PAGE).level > 1);
        cover.takes = false;
        change = ept_cover(&bed.ept, &cover, PAGE + 0x30);
        assert_int_equal(change.status, EPT_OK);
        assert_int_equal(change.flush, EPT_FLUSH_CONTEXT);
        assert_true(cover.takes);
        assert_int_equal(bed.list.count, 2);
        expect_hole(&bed, PAGE);
        expect_mapped(&bed, PAGE - 0x1000, rights);
        expect_mapped(&bed, PAGE + 0x1000, rights);
        assert_int_equal(ept_uncover(&bed.ept, &cover), EPT_OK);
        assert_false(cover.takes);
        assert_int_equal(bed.list.count, 1);
        assert_true(ept_fault_resolved(ept_fault(&bed.ept, PAGE, EPT_READ).kind));
        expect_mapped(&bed, PAGE, rights);
        assert_int_equal(ept_uncover(&bed.ept, &cover), EPT_OK); /* nothing more to give back */
        assert_int_equal(bed.list.count, 1);
        assert_true(bed_done(&bed));
    }
}

/* Rights, type and policy of the page's own come back with it. */
static void test_attributes_come_back(void **state)
{
    struct ept_region before;
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, GB, 4 * GB, RWX));
    assert_int_equal(ept_region_set_rights(&bed.list, PAGE, 0x2000, R), EPT_OK);
    assert_int_equal(ept_region_set_type(&bed.list, PAGE, 0x2000, MEMORY_TYPE_WC, true), EPT_OK);
    before = *ept_region_find(&bed.list, PAGE);
    assert_int_equal(ept_cover(&bed.ept, &cover, PAGE + 0x1000).status, EPT_OK);
    assert_int_equal(cover.under.hpa, PAGE + 0x1000 + 4 * GB);
    assert_null(ept_region_find(&bed.list, PAGE + 0x1000));
    assert_int_equal(ept_uncover(&bed.ept, &cover), EPT_OK);
    assert_memory_equal(ept_region_find(&bed.list, PAGE), &before, sizeof(before));
    assert_true(bed_done(&bed));
}

static void test_over_nothing(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, MB, 4 * GB, RWX));
    assert_int_equal(ept_cover(&bed.ept, &cover, UINT64_C(0xfee00000)).flush, EPT_FLUSH_NONE);
    assert_false(cover.takes);
    assert_int_equal(ept_cover(&bed.ept, &cover, UINT64_C(1) << 60).status, EPT_OK); /* beyond every width */
    assert_int_equal(ept_uncover(&bed.ept, &cover), EPT_OK);
    assert_int_equal(bed.list.count, 1);
    assert_true(bed_done(&bed));
}

static void test_full_list(void **state)
{
    unsigned capacity;
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, GB, 4 * GB, RWX));
    capacity = bed.list.capacity;
    bed.list.capacity = 1;
    assert_int_equal(ept_cover(&bed.ept, &cover, PAGE).status, EPT_LIST_FULL);
    assert_false(cover.takes);
    bed.list.capacity = capacity;
    assert_int_equal(ept_cover(&bed.ept, &cover, PAGE).status, EPT_OK);
    assert_int_equal(ept_region_set_rights(&bed.list, PAGE + 0x1000, 0x1000, R), EPT_OK);
    assert_int_equal(ept_region_set_rights(&bed.list, PAGE - 0x1000, 0x1000, R), EPT_OK);
    bed.list.capacity = bed.list.count; /* no neighbour that it continues, and no room */
    assert_int_equal(ept_uncover(&bed.ept, &cover), EPT_LIST_FULL);
    assert_true(cover.takes);
    bed.list.capacity = capacity;
    assert_int_equal(ept_uncover(&bed.ept, &cover), EPT_OK);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_over_touched_memory),
        cmocka_unit_test(test_attributes_come_back),
        cmocka_unit_test(test_over_nothing),
        cmocka_unit_test(test_full_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
