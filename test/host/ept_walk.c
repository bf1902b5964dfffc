/* SPDX-License-Identifier: MIT */
/* Tests of ept/walk.c and ept/dump.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/dump.h"
#include "ept/plant.h"
#include "ept/walk.h"
#include "test/host/ept_pool.h"

static void test_steps(void **state)
{
    struct bed bed;
    struct ept_walk walk;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 16));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * GB, 4 * GB, RX));
    walk = ept_walk(&bed.ept, 0x123456);
    assert_int_equal(walk.end, EPT_WALK_NOT_PRESENT);
    assert_int_equal(walk.count, 1);
    assert_int_equal(walk.level, 4);
    assert_true(ept_fault_resolved(ept_fault(&bed.ept, 3 * GB + 0x123456, 0).kind));
    walk = ept_walk(&bed.ept, 3 * GB + 0x123456);
    assert_int_equal(walk.end, EPT_WALK_MAPPED);
    assert_int_equal(walk.count, 4);
    assert_int_equal(walk.rights, RX);
    assert_int_equal(walk.steps[0].entry_hpa, bed.ept.root);
    for (unsigned n = 0; n < 4; n++) {
        unsigned level = 4 - n;
        uint64_t *entry = pool_entry(&bed.pool, &bed.ept, 3 * GB + 0x123456, level);

        assert_int_equal(walk.steps[n].level, level);
        assert_int_equal(walk.steps[n].entry.raw, *entry);
        assert_ptr_equal(pool_at(&bed.pool, walk.steps[n].entry_hpa & ~UINT64_C(0xfff)),
                         (void *)((uintptr_t)entry & ~UINT64_C(0xfff)));
        assert_int_equal(walk.steps[n].entry_hpa & 0xfff, (uintptr_t)entry & 0xfff);
    }
    *pool_entry(&bed.pool, &bed.ept, 3 * GB + 0x123456, 3) &= ~EPT_EXECUTE; /* rights are the AND of all */
    assert_int_equal(ept_walk(&bed.ept, 3 * GB + 0x123456).rights, R);
    assert_int_equal(ept_walk(&bed.ept, TB).end, EPT_WALK_BEYOND_WIDTH);
    assert_int_equal(ept_walk(&bed.ept, TB).count, 0);
    for (int end = 0; end <= EPT_WALK_BEYOND_WIDTH; end++)
        assert_true(strlen(ept_walk_end_text((enum ept_walk_end)end)) > 1);
    assert_string_equal(ept_walk_end_text((enum ept_walk_end)9), "?");
    assert_true(bed_done(&bed));
}

struct ranges {
    struct ept_dump_range range[32];
    unsigned count;
};

static void collect(void *context, const struct ept_dump_range *range)
{
    struct ranges *ranges = context;

    assert_true(ranges->count < 32);
    ranges->range[ranges->count++] = *range;
}

static void test_dump(void **state)
{
    struct bed bed;
    struct ranges ranges = {.count = 0};

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 16));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 640 * KB, GB, RWX));
    assert_true(bed_add(&bed, EPT_REGION_ROM, 768 * KB, 256 * KB, 2 * GB, RX));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 2 * MB, 8 * MB, GB + 2 * MB, RWX));
    ept_dump(&bed.ept, collect, &ranges);
    assert_int_equal(ranges.count, 0);
    assert_int_equal(ept_map_range(&bed.ept, 0, 16 * MB).status, EPT_OK);
    *pool_entry(&bed.pool, &bed.ept, 4 * MB, 2) |= EPT_ACCESSED | EPT_DIRTY;
    assert_int_equal(ept_map_one(&bed.ept, 700 * KB, 0x7000, R, MEMORY_TYPE_UC).status, EPT_OK);
    ept_dump(&bed.ept, collect, &ranges);
    assert_int_equal(ranges.count, 6);
    assert_int_equal(ranges.range[0].gpa, 0);
    assert_int_equal(ranges.range[0].size, 640 * KB);
    assert_int_equal(ranges.range[0].hpa, GB);
    assert_int_equal(ranges.range[0].level, 1);
    assert_int_equal(ranges.range[0].rights, RWX);
    assert_int_equal(ranges.range[0].memory_type, MEMORY_TYPE_WB);
    assert_true(ranges.range[1].temporary);
    assert_int_equal(ranges.range[1].size, 4 * KB);
    assert_int_equal(ranges.range[2].rights, RX);
    assert_int_equal(ranges.range[2].size, 256 * KB);
    assert_int_equal(ranges.range[3].level, 2);
    assert_int_equal(ranges.range[3].size, 2 * MB);
    assert_true(ranges.range[4].accessed && ranges.range[4].dirty);
    assert_int_equal(ranges.range[5].gpa, 6 * MB);
    assert_int_equal(ranges.range[5].size, 4 * MB);

    assert_int_equal(ept_plant(&bed.ept, 0, 2, EPT_PLANT_NOT_PRESENT).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 6 * MB, 2, EPT_PLANT_MEMORY_TYPE_7).status, EPT_OK);
    ranges.count = 0;
    ept_dump(&bed.ept, collect, &ranges);
    assert_int_equal(ranges.count, 5);
    assert_int_equal(ranges.range[0].kind, EPT_DUMP_PLANTED);
    assert_int_equal(ranges.range[0].size, 2 * MB);
    assert_int_equal(ranges.range[3].kind, EPT_DUMP_BAD);
    assert_int_equal(ranges.range[3].gpa, 6 * MB);
    assert_int_equal(ept_entry_memory_type(ranges.range[3].entry), 7);
    assert_int_equal(ranges.range[4].kind, EPT_DUMP_PAGES);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),
        cmocka_unit_test(test_dump),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
