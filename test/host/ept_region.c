/* SPDX-License-Identifier: MIT */
/* Tests of ept/region.c: checks, order, cutting and merging, and random operations against a page array. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/ept_pool.h"

static struct ept_caps caps;

static void empty(struct ept_region_list *list, struct ept_region *storage, unsigned capacity)
{
    (void)!ept_caps_init(&caps, CAP_NO_X, 40);
    ept_region_list_init(list, storage, capacity, &caps);
}

static struct ept_region ram(uint64_t gpa, uint64_t size, uint64_t hpa)
{
    return (struct ept_region){
        .gpa = gpa, .size = size, .hpa = hpa, .kind = EPT_REGION_RAM, .rights = RWX, .memory_type = 6};
}

static enum ept_status add(struct ept_region_list *list, struct ept_region region)
{
    return ept_region_add(list, &region);
}

static void test_checks(void **state)
{
    struct ept_region storage[4];
    struct ept_region_list list;
    struct ept_region region;

    (void)state;
    empty(&list, storage, 4);
    assert_int_equal(add(&list, ram(0x800, 0x1000, 0)), EPT_UNALIGNED);
    assert_int_equal(add(&list, ram(0, 0x1800, 0)), EPT_UNALIGNED);
    assert_int_equal(add(&list, ram(0, 0, 0)), EPT_UNALIGNED);
    assert_int_equal(add(&list, ram(0, 0x1000, 0x10)), EPT_UNALIGNED);
    assert_int_equal(add(&list, ram(TB, 0x1000, 0)), EPT_BEYOND_WIDTH);
    assert_int_equal(add(&list, ram(TB - 0x1000, 0x2000, 0)), EPT_BEYOND_WIDTH);
    assert_int_equal(add(&list, ram(0, 0x2000, TB - 0x1000)), EPT_BEYOND_WIDTH);
    assert_int_equal(add(&list, ram(UINT64_MAX - 0xfff, 0x1000, 0)), EPT_BEYOND_WIDTH);
    assert_int_equal(add(&list, ram(0x1000, UINT64_MAX - 0xfff, 0)), EPT_BEYOND_WIDTH);
    region = ram(0, 0x1000, 0);
    region.rights = 2;
    assert_int_equal(add(&list, region), EPT_BAD_RIGHTS);
    region.rights = 6;
    assert_int_equal(add(&list, region), EPT_BAD_RIGHTS);
    region.rights = 4;
    assert_int_equal(add(&list, region), EPT_BAD_RIGHTS);
    list.execute_only = true;
    assert_int_equal(ept_region_check(&list, &region), EPT_OK);
    region.rights = 8;
    assert_int_equal(add(&list, region), EPT_BAD_RIGHTS);
    region = ram(0, 0x1000, 0);
    region.memory_type = 2;
    assert_int_equal(add(&list, region), EPT_BAD_TYPE);
    region = ram(0, 0x1000, 0x1000);
    region.kind = EPT_REGION_IDENTITY;
    assert_int_equal(add(&list, region), EPT_BAD_TYPE);
    region.kind = EPT_REGION_KIND_COUNT;
    assert_int_equal(add(&list, region), EPT_BAD_TYPE);
    region.kind = EPT_REGION_HOLE;
    assert_int_equal(add(&list, region), EPT_BAD_RIGHTS);
    assert_int_equal(list.count, 0);
    assert_int_equal(add(&list, ram(TB - 0x1000, 0x1000, TB - 0x1000)), EPT_OK); /* the last page of all */
    assert_int_equal(ept_region_validate(&list), EPT_OK);
}

static void test_order_overlap_find(void **state)
{
    struct ept_region storage[4];
    struct ept_region_list list;

    (void)state;
    empty(&list, storage, 4);
    assert_null(ept_region_find(&list, 0));
    assert_int_equal(add(&list, ram(0x8000, 0x4000, 0x100000)), EPT_OK);
    assert_int_equal(add(&list, ram(0x2000, 0x2000, 0x200000)), EPT_OK);
    assert_int_equal(add(&list, ram(0x20000, 0x1000, 0x300000)), EPT_OK);
    assert_int_equal(list.count, 3);
    assert_int_equal(add(&list, ram(0xb000, 0x1000, 0)), EPT_OVERLAP);
    assert_int_equal(add(&list, ram(0x7000, 0x2000, 0)), EPT_OVERLAP);
    assert_int_equal(add(&list, ram(0x1000, 0x40000, 0)), EPT_OVERLAP);
    assert_int_equal(add(&list, ram(0x9000, 0x1000, 0)), EPT_OVERLAP);
    assert_int_equal(list.regions[0].gpa, 0x2000);
    assert_int_equal(list.regions[1].gpa, 0x8000);
    assert_int_equal(list.regions[2].gpa, 0x20000);
    assert_null(ept_region_find(&list, 0x1fff));
    assert_ptr_equal(ept_region_find(&list, 0x2000), &list.regions[0]);
    assert_ptr_equal(ept_region_find(&list, 0x3fff), &list.regions[0]);
    assert_null(ept_region_find(&list, 0x4000));
    assert_ptr_equal(ept_region_next(&list, 0x4000), &list.regions[1]);
    assert_null(ept_region_next(&list, 0x21000));
    assert_int_equal(add(&list, ram(0x40000, 0x1000, 0)), EPT_OK);
    assert_int_equal(add(&list, ram(0x50000, 0x1000, 0)), EPT_LIST_FULL);
    assert_int_equal(list.count, 4);
    list.regions[1].gpa = 0x3000;
    assert_int_equal(ept_region_validate(&list), EPT_OVERLAP);
}

static void test_merge(void **state)
{
    struct ept_region storage[4];
    struct ept_region_list list;
    struct ept_region region;

    (void)state;
    empty(&list, storage, 4);
    assert_int_equal(add(&list, ram(0x1000, 0x1000, 0x11000)), EPT_OK);
    assert_int_equal(add(&list, ram(0x3000, 0x1000, 0x13000)), EPT_OK);
    assert_int_equal(add(&list, ram(0x2000, 0x1000, 0x12000)), EPT_OK); /* between, continuing both */
    assert_int_equal(list.count, 1);
    assert_int_equal(list.regions[0].size, 0x3000);
    assert_int_equal(add(&list, ram(0x4000, 0x1000, 0x20000)), EPT_OK); /* hpa does not run on */
    assert_int_equal(list.count, 2);
    region = ram(0x5000, 0x1000, 0x21000);
    region.policy = 1;
    assert_int_equal(ept_region_add(&list, &region), EPT_OK); /* another policy */
    assert_int_equal(list.count, 3);
    assert_int_equal(add(&list, ram(0, 0x1000, 0x10000)), EPT_OK); /* before */
    assert_int_equal(list.count, 3);
    assert_int_equal(list.regions[0].gpa, 0);
    assert_int_equal(list.regions[0].hpa, 0x10000);
}

static void test_set_rights_cuts_and_merges(void **state)
{
    struct ept_region storage[3];
    struct ept_region_list list;

    (void)state;
    empty(&list, storage, 3);
    assert_int_equal(add(&list, ram(0x10000, 0x10000, 0x90000)), EPT_OK);
    assert_int_equal(ept_region_set_rights(&list, 0x14000, 0x2000, R), EPT_OK);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.regions[1].gpa, 0x14000);
    assert_int_equal(list.regions[1].size, 0x2000);
    assert_int_equal(list.regions[1].hpa, 0x94000);
    assert_int_equal(list.regions[1].rights, R);
    assert_int_equal(list.regions[2].hpa, 0x96000);
    assert_int_equal(ept_region_set_rights(&list, 0x18000, 0x2000, R), EPT_LIST_FULL);
    assert_int_equal(ept_region_set_rights(&list, 0x8000, 0x10000, R), EPT_NOT_LISTED);
    assert_int_equal(ept_region_set_rights(&list, 0x14000, 0x2000, 6), EPT_BAD_RIGHTS);
    assert_int_equal(ept_region_set_rights(&list, 0x14000, 0x20, R), EPT_UNALIGNED);
    assert_int_equal(list.count, 3);
    assert_int_equal(ept_region_set_rights(&list, 0x14000, 0x2000, RWX), EPT_OK);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.regions[0].size, 0x10000);
    assert_int_equal(ept_region_set_type(&list, 0x10000, 0x1000, MEMORY_TYPE_WC, true), EPT_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.regions[0].memory_type, MEMORY_TYPE_WC);
    assert_true(list.regions[0].ignore_pat);
    assert_int_equal(ept_region_set_type(&list, 0x10000, 0x1000, (enum memory_type)3, true), EPT_BAD_TYPE);
}

static void test_remove(void **state)
{
    struct ept_region storage[3];
    struct ept_region_list list;

    (void)state;
    empty(&list, storage, 3);
    assert_int_equal(add(&list, ram(0x10000, 0x10000, 0x90000)), EPT_OK);
    assert_int_equal(ept_region_remove(&list, 0x12000, 0x1000), EPT_OK);
    assert_int_equal(list.count, 2);
    assert_int_equal(list.regions[0].size, 0x2000);
    assert_int_equal(list.regions[1].gpa, 0x13000);
    assert_int_equal(list.regions[1].hpa, 0x93000);
    assert_int_equal(ept_region_remove(&list, 0, 0x13000), EPT_OK); /* not all of it is listed */
    assert_int_equal(list.count, 1);
    assert_int_equal(ept_region_remove(&list, 0x1f000, 0x100000), EPT_OK);
    assert_int_equal(list.regions[0].size, 0xc000);
    assert_int_equal(ept_region_remove(&list, 0, TB), EPT_OK);
    assert_int_equal(list.count, 0);
    assert_int_equal(ept_region_remove(&list, 0, 2 * TB), EPT_BEYOND_WIDTH);
}

/* A hole takes part in the order but has no memory. */
static void test_hole(void **state)
{
    struct ept_region storage[4];
    struct ept_region_list list;
    struct ept_region hole = {
        .gpa = 0xa0000, .size = 0x20000, .kind = EPT_REGION_HOLE, .hpa = 0x123, .memory_type = 6};

    (void)state;
    empty(&list, storage, 4);
    assert_int_equal(ept_region_add(&list, &hole), EPT_OK);
    assert_int_equal(list.regions[0].hpa, 0);
    assert_int_equal(list.regions[0].memory_type, 0);
    assert_int_equal(ept_region_set_rights(&list, 0xa0000, 0x1000, R), EPT_NOT_LISTED);
    assert_int_equal(ept_region_remove(&list, 0xa8000, 0x1000), EPT_OK);
    assert_int_equal(list.count, 2);
    hole.gpa = 0xa8000;
    hole.size = 0x1000;
    assert_int_equal(ept_region_add(&list, &hole), EPT_OK);
    assert_int_equal(list.count, 1);
    assert_int_equal(ept_region_validate(&list), EPT_OK);
}

static void test_random_against_pages(void **state)
{
    static struct ept_region storage[64];
    struct ept_region_list list;
    struct {
        bool listed;
        uint8_t rights;
        uint64_t hpa;
    } pages[64] = {0};
    uint64_t seed = 99;

    (void)state;
    empty(&list, storage, 64);
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t first, count, hpa;
        unsigned operation, rights;
        bool all = true, none = true;
        enum ept_status status;

        seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
        first = seed >> 40 & 63;
        count = 1 + (seed >> 50) % (64 - first);
        if ((seed >> 20 & 3) != 0 && count > 6)
            count = 1 + count % 6;
        operation = seed >> 30 & 3;
        rights = (const unsigned[]){RWX, RW, R, RX}[seed >> 33 & 3];
        hpa = (seed >> 36 & 3) * 0x100 + first;
        for (uint64_t n = first; n < first + count; n++) {
            all = all && pages[n].listed;
            none = none && !pages[n].listed;
        }
        if (operation <= 1) {
            struct ept_region region = ram(first << 12, count << 12, hpa << 12);

            region.rights = (uint8_t)rights;
            status = ept_region_add(&list, &region);
            assert_int_equal(status, none ? EPT_OK : EPT_OVERLAP);
        } else if (operation == 2) {
            status = ept_region_remove(&list, first << 12, count << 12);
            assert_int_equal(status, EPT_OK);
        } else {
            status = ept_region_set_rights(&list, first << 12, count << 12, rights);
            assert_int_equal(status, all ? EPT_OK : EPT_NOT_LISTED);
        }
        for (uint64_t n = first; n < first + count && status == EPT_OK; n++) {
            if (operation <= 1)
                pages[n].hpa = hpa + (n - first);
            pages[n].listed = operation != 2;
            pages[n].rights = (uint8_t)rights;
        }
        assert_int_equal(ept_region_validate(&list), EPT_OK);
        for (unsigned n = 0; n < 64; n++) {
            const struct ept_region *region = ept_region_find(&list, (uint64_t)n << 12);

            assert_int_equal(region != NULL, pages[n].listed);
            if (region != NULL) {
                assert_int_equal(region->rights, pages[n].rights);
                assert_int_equal((region->hpa + ((uint64_t)n << 12) - region->gpa) >> 12, pages[n].hpa);
            }
        }
        /* Neighbours that are alike were merged. */
        for (unsigned n = 1; n < list.count; n++)
            assert_false(storage[n - 1].gpa + storage[n - 1].size == storage[n].gpa &&
                         storage[n - 1].rights == storage[n].rights &&
                         storage[n - 1].hpa + storage[n - 1].size == storage[n].hpa);
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(ept_region_kind_name(EPT_REGION_RAM), "RAM");
    assert_string_equal(ept_region_kind_name(EPT_REGION_HOLE), "hole");
    assert_string_equal(ept_region_kind_name((enum ept_region_kind)77), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_checks),
        cmocka_unit_test(test_order_overlap_find),
        cmocka_unit_test(test_merge),
        cmocka_unit_test(test_set_rights_cuts_and_merges),
        cmocka_unit_test(test_remove),
        cmocka_unit_test(test_hole),
        cmocka_unit_test(test_random_against_pages),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
