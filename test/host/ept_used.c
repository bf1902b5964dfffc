/* SPDX-License-Identifier: MIT */
/* Tests of ept/used.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/plant.h"
#include "ept/used.h"
#include "test/host/ept_pool.h"

#define HIGH (8 * GB)

static struct bed bed;

/* 256 pages of 4 KiB at 0, one of 2 MiB at HIGH. */
static void begin(uint64_t capabilities)
{
    assert_true(bed_init(&bed, capabilities, 40, 32));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, MB, 4 * GB, RWX));
    assert_true(bed_add(&bed, EPT_REGION_RAM, HIGH, 2 * MB, 4 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, MB).status, EPT_OK);
    assert_int_equal(ept_map_range(&bed.ept, HIGH, 2 * MB).status, EPT_OK);
}

struct seen {
    unsigned entries, leaves, accessed;
};

static void see(void *context, uint64_t entry_hpa, unsigned level, struct ept_entry entry)
{
    struct seen *seen = context;
    uint64_t *table = pool_at(&bed.pool, entry_hpa & ~UINT64_C(0xfff));

    assert_non_null(table);
    assert_int_equal(table[(entry_hpa & 0xfff) / 8], entry.raw);
    seen->entries++;
    seen->leaves += ept_entry_maps_page(entry, level);
    seen->accessed += (entry.raw & (EPT_ACCESSED | EPT_DIRTY)) != 0;
}

static void test_used(void **state)
{
    struct seen seen = {0};

    (void)state;
    begin(CAP_NO_1G);
    *pool_entry(&bed.pool, &bed.ept, 0x8000, 1) |= EPT_ACCESSED | EPT_DIRTY;
    *pool_entry(&bed.pool, &bed.ept, 0x8000, 4) |= EPT_ACCESSED;
    *pool_entry(&bed.pool, &bed.ept, HIGH, 2) |= EPT_ACCESSED;
    ept_used_each(&bed.ept, see, &seen);
    assert_int_equal(seen.leaves, 256 + 1);
    assert_int_equal(seen.entries, 256 + 1 + 1 + 2 + 1); /* PDE, two PDPTEs, PML4E */
    assert_int_equal(seen.accessed, 3);
    assert_int_equal(ept_used_clear(&bed.ept), EPT_FLUSH_CONTEXT);
    seen = (struct seen){0};
    ept_used_each(&bed.ept, see, &seen);
    assert_int_equal(seen.entries, 261);
    assert_int_equal(seen.accessed, 0);
    /* A planted reference must stay as its record has it, or it could not be restored. */
    *pool_entry(&bed.pool, &bed.ept, 0x8000, 2) |= EPT_ACCESSED;
    assert_int_equal(ept_plant(&bed.ept, 0x8000, 2, EPT_PLANT_RESERVED_LOW).status, EPT_OK);
    assert_int_equal(ept_used_clear(&bed.ept), EPT_FLUSH_CONTEXT);
    assert_true(ept_fault_resolved(ept_fault(&bed.ept, 0x8000, R).kind));
    seen = (struct seen){0};
    ept_used_each(&bed.ept, see, &seen);
    assert_int_equal(seen.entries, 261);
    assert_true(bed_done(&bed));
    begin(CAP_NO_1G & ~UINT64_C(0x200000));
    assert_int_equal(ept_used_clear(&bed.ept), EPT_FLUSH_NONE);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_used),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
