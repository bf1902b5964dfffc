/* SPDX-License-Identifier: MIT */
/* Tests of ept/map.c and ept/map_one.c: what a fault installs, denies, repairs, and what it costs. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

static struct ept_fault_result touch(struct bed *bed, uint64_t gpa, unsigned access)
{
    struct ept_fault_result result = ept_fault(&bed->ept, gpa, access);

    assert_int_equal(bed->ept.table_count, bed->pool.in_use);
    return result;
}

static void expect_page(struct bed *bed, uint64_t gpa, uint64_t hpa, unsigned level, unsigned rights)
{
    struct ept_walk walk = ept_walk(&bed->ept, gpa);

    assert_int_equal(walk.end, EPT_WALK_MAPPED);
    assert_int_equal(walk.hpa, hpa);
    assert_int_equal(walk.level, level);
    assert_int_equal(walk.rights, rights);
}

static void test_lazy_4k(void **state)
{
    struct bed bed;
    struct ept_fault_result result;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 16));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 16 * MB, 64 * MB, RWX));
    assert_int_equal(ept_walk(&bed.ept, 0x1234).end, EPT_WALK_NOT_PRESENT);
    result = touch(&bed, 0x1234, EPT_WRITE);
    assert_int_equal(result.kind, EPT_FAULT_INSTALLED);
    assert_int_equal(result.flush, EPT_FLUSH_NONE);
    assert_int_equal(result.level, 1);
    assert_int_equal(result.rights, RWX);
    assert_int_equal(result.memory_type, MEMORY_TYPE_WB);
    assert_int_equal(result.tables_added, 3);
    assert_int_equal(result.hpa, 64 * MB + 0x1234);
    assert_ptr_equal(result.region, &bed.storage[0]);
    expect_page(&bed, 0x1234, 64 * MB + 0x1234, 1, RWX);
    assert_int_equal(ept_walk(&bed.ept, 0x2000).end, EPT_WALK_NOT_PRESENT);
    result = touch(&bed, 0x1fff, EPT_READ);
    assert_int_equal(result.kind, EPT_FAULT_SPURIOUS);
    assert_int_equal(result.level, 1);
    assert_int_equal(result.hpa, 64 * MB + 0x1fff);
    assert_int_equal(touch(&bed, 0x2000, EPT_READ).tables_added, 0);
    assert_true(bed_done(&bed));
}

static void test_largest_page(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 640 * KB, 4 * GB, RWX)); /* too short for 2M */
    assert_true(bed_add(&bed, EPT_REGION_RAM, 1 * MB, 3 * GB - 1 * MB, 4 * GB + 1 * MB, RWX));
    assert_true(
        bed_add(&bed, EPT_REGION_RAM, 8 * GB, 2 * GB, 16 * GB + 2 * MB, RWX)); /* hpa aligned for 2M only */
    assert_true(bed_add(&bed, EPT_REGION_RAM, 12 * GB, 2 * GB, 24 * GB + 4 * KB, RWX)); /* for 4K only */
    assert_int_equal(touch(&bed, 0x1000, 0).level, 1);
    assert_int_equal(touch(&bed, 1 * MB, 0).level, 1);
    assert_int_equal(touch(&bed, 2 * MB, 0).level, 2);
    assert_int_equal(touch(&bed, 1 * GB - 1, 0).level, 2); /* its 1G page would begin outside */
    assert_int_equal(touch(&bed, 1 * GB, 0).level, 3);
    assert_int_equal(touch(&bed, 2 * GB, 0).level, 3);
    assert_int_equal(touch(&bed, 3 * GB - 1, 0).kind, EPT_FAULT_SPURIOUS);
    assert_int_equal(touch(&bed, 8 * GB, 0).level, 2);
    expect_page(&bed, 8 * GB + 12345, 16 * GB + 2 * MB + 12345, 2, RWX);
    assert_int_equal(touch(&bed, 12 * GB, 0).level, 1);
    expect_page(&bed, 12 * GB + 123, 24 * GB + 4 * KB + 123, 1, RWX);
    assert_true(bed_done(&bed));

    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * GB, 4 * GB, RWX));
    assert_int_equal(touch(&bed, 1 * GB, 0).level, 2);
    assert_true(bed_done(&bed));
}

static void test_identity_terabyte(void **state)
{
    struct bed bed;
    struct ept_change change;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 46, 16));
    assert_true(bed_add(&bed, EPT_REGION_IDENTITY, 0, TB, 0, RWX));
    change = ept_map_range(&bed.ept, 0, TB);
    assert_int_equal(change.status, EPT_OK);
    assert_int_equal(change.flush, EPT_FLUSH_NONE);
    assert_int_equal(bed.ept.table_count, 3);
    for (uint64_t gpa = 0; gpa < TB; gpa += GB)
        expect_page(&bed, gpa + 0x123456, gpa + 0x123456, 3, RWX);
    assert_true(bed_done(&bed));

    assert_true(bed_init(&bed, CAP_ALL, 46, 16));
    assert_true(bed_add(&bed, EPT_REGION_IDENTITY, 0, TB / 2, 0, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, TB / 2).status, EPT_OK);
    assert_int_equal(bed.ept.table_count, 2);
    assert_true(bed_done(&bed));
}

static void test_five_levels(void **state)
{
    struct bed bed;
    const uint64_t high = UINT64_C(1) << 50;

    (void)state;
    assert_true(bed_init(&bed, CAP_5_LEVEL, 52, 16));
    assert_int_equal(bed.ept.caps.levels, 5);
    assert_true(bed_add(&bed, EPT_REGION_RAM, high, 2 * MB, 2 * MB, RWX));
    assert_int_equal(touch(&bed, high + 5, EPT_READ).tables_added, 3);
    expect_page(&bed, high + 5, 2 * MB + 5, 2, RWX);
    assert_int_equal(ept_walk(&bed.ept, high).count, 4);
    assert_int_equal(ept_zap(&bed.ept, high, 4096), EPT_FLUSH_CONTEXT);
    assert_true(bed_done(&bed));
}

static void test_denials(void **state)
{
    struct bed bed;
    struct ept_fault_result result;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 16));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 64 * KB, 4 * MB, RW));
    assert_true(bed_add(&bed, EPT_REGION_HOLE, 0xa0000, 0x20000, 0, 0));
    assert_true(bed_add(&bed, EPT_REGION_ROM, 0xc0000, 0x40000, 5 * MB, RX));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 1 * MB, 64 * KB, 6 * MB, R));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 2 * MB, 64 * KB, 8 * MB, 0));
    result = touch(&bed, 0xc0010, EPT_WRITE);
    assert_int_equal(result.kind, EPT_FAULT_DENIED_ROM_WRITE);
    assert_int_equal(result.region->kind, EPT_REGION_ROM);
    assert_int_equal(result.level, 0);
    assert_int_equal(touch(&bed, 0xc0010, EPT_WRITE | EPT_READ).kind, EPT_FAULT_DENIED_ROM_WRITE);
    assert_int_equal(touch(&bed, 0x1000, EPT_EXECUTE).kind, EPT_FAULT_DENIED_NX);
    assert_int_equal(touch(&bed, 1 * MB, EPT_WRITE).kind, EPT_FAULT_DENIED_RIGHTS);
    assert_int_equal(touch(&bed, 2 * MB, 0).kind, EPT_FAULT_DENIED_RIGHTS);
    assert_int_equal(touch(&bed, 2 * MB, EPT_READ).kind, EPT_FAULT_DENIED_RIGHTS);
    result = touch(&bed, 0xb8000, EPT_READ);
    assert_int_equal(result.kind, EPT_FAULT_DENIED_HOLE);
    assert_int_equal(result.region->kind, EPT_REGION_HOLE);
    result = touch(&bed, 0x20000, EPT_READ);
    assert_int_equal(result.kind, EPT_FAULT_DENIED_HOLE);
    assert_null(result.region);
    assert_int_equal(touch(&bed, TB, EPT_READ).kind, EPT_FAULT_BEYOND_WIDTH);
    assert_int_equal(touch(&bed, UINT64_MAX, EPT_READ).kind, EPT_FAULT_BEYOND_WIDTH);
    assert_int_equal(bed.pool.in_use, 1); /* a denial costs nothing */
    assert_true(bed_done(&bed));
}

static void test_memory_type_of_identity(void **state)
{
    struct bed bed;
    struct mtrr_snapshot mtrr = {.def_type = 0x800 | MEMORY_TYPE_WB, .phys_width = 40};
    struct ept_region region = {
        .size = 8 * GB, .kind = EPT_REGION_IDENTITY, .rights = RWX, .type_from_mtrr = true};

    (void)state;
    mtrr.variable[0].base = 3 * GB | MEMORY_TYPE_UC;
    mtrr.variable[0].mask = (TB - GB) | 0x800;
    mtrr.variable[1].base = (GB + 2 * MB) | MEMORY_TYPE_WC;
    mtrr.variable[1].mask = (TB - 2 * MB) | 0x800;
    mtrr.variable[2].base = (GB + 8 * MB + 64 * KB) | MEMORY_TYPE_WT;
    mtrr.variable[2].mask = (TB - 64 * KB) | 0x800;
    mtrr.variable_count = 3;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_int_equal(ept_region_add(&bed.list, &region), EPT_OK);
    assert_int_equal(touch(&bed, 5 * GB, 0).memory_type, MEMORY_TYPE_UC); /* no snapshot: unknown */
    bed.ept.mtrr = &mtrr;
    assert_int_equal(touch(&bed, 6 * GB, 0).memory_type, MEMORY_TYPE_WB);
    assert_int_equal(touch(&bed, 6 * GB, 0).level, 3);
    assert_int_equal(touch(&bed, 3 * GB, 0).memory_type, MEMORY_TYPE_UC);
    assert_int_equal(touch(&bed, 3 * GB, 0).level, 3);
    assert_int_equal(touch(&bed, GB, 0).level, 2); /* not uniform over its 1G */
    assert_int_equal(touch(&bed, GB, 0).memory_type, MEMORY_TYPE_WB);
    assert_int_equal(touch(&bed, GB + 3 * MB, 0).memory_type, MEMORY_TYPE_WC);
    assert_int_equal(touch(&bed, GB + 3 * MB, 0).level, 2);
    assert_int_equal(touch(&bed, GB + 8 * MB, 0).level, 1); /* not uniform over its 2M */
    assert_int_equal(touch(&bed, GB + 8 * MB, 0).memory_type, MEMORY_TYPE_WB);
    assert_int_equal(touch(&bed, GB + 8 * MB + 64 * KB, 0).memory_type, MEMORY_TYPE_WT);
    /* The entry of before is now a wrong type: it is replaced, and that needs a flush. */
    assert_int_equal(touch(&bed, 5 * GB, 0).kind, EPT_FAULT_REPAIRED);
    assert_int_equal(ept_walk(&bed.ept, 5 * GB).memory_type, MEMORY_TYPE_WB);
    assert_true(bed_done(&bed));
}

static void test_out_of_frames(void **state)
{
    struct bed bed;
    struct ept_memory memory;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 8));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * GB, 0, RWX));
    for (uint32_t limit = 1; limit < 4; limit++) {
        bed.pool.limit = limit;
        assert_int_equal(touch(&bed, 0, EPT_READ).kind, EPT_FAULT_NO_FRAME);
        assert_int_equal(ept_map_range(&bed.ept, 0, 0x1000).status, EPT_NO_FRAME_LEFT);
        assert_int_equal(ept_map_one(&bed.ept, 0, 0, RWX, MEMORY_TYPE_WB).status, EPT_NO_FRAME_LEFT);
    }
    bed.pool.limit = 4;
    assert_int_equal(touch(&bed, 0, EPT_READ).kind, EPT_FAULT_INSTALLED);
    assert_int_equal(touch(&bed, 2 * MB, EPT_READ).kind, EPT_FAULT_NO_FRAME);
    bed.pool.limit = 0;
    memory = pool_memory(&bed.pool);
    {
        struct ept other;

        assert_int_equal(ept_init(&other, &memory, &bed.caps, &bed.list), EPT_NO_FRAME_LEFT);
    }
    assert_true(bed_done(&bed));
}

/* The race that matters: while this fault takes a frame for a table, another CPU installs the same. */
static void other_cpu(struct pool *pool)
{
    struct bed *bed = pool->argument;

    assert_int_equal(ept_fault(&bed->ept, 0x5000, EPT_READ).kind, EPT_FAULT_INSTALLED);
}

static void test_lost_race(void **state)
{
    struct bed bed;
    struct ept_fault_result result;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 16));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 0, RWX));
    bed.pool.argument = &bed;
    bed.pool.on_alloc = other_cpu;
    result = touch(&bed, 0x6000, EPT_READ);
    assert_int_equal(result.kind, EPT_FAULT_INSTALLED);
    assert_int_equal(result.tables_added, 0);
    assert_int_equal(bed.pool.allocations, 7); /* root, three, and the three that came too late */
    assert_int_equal(bed.pool.in_use, 4);
    assert_int_equal(ept_zap(&bed.ept, 0, 4 * MB), EPT_FLUSH_CONTEXT);
    bed.pool.on_alloc = other_cpu;
    result = touch(&bed, 0x5000, EPT_WRITE); /* the very same page */
    assert_int_equal(result.kind, EPT_FAULT_SPURIOUS);
    assert_int_equal(result.tables_added, 0);
    assert_true(bed_done(&bed));
}

/* While a table is being linked, another CPU zaps and retires the table above. */
static void zap_all(struct pool *pool)
{
    struct bed *bed = pool->argument;

    (void)!ept_zap(&bed->ept, 0, TB);
}

static void test_race_with_zap(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 16));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * GB, 0, RWX));
    assert_int_equal(touch(&bed, 0, EPT_READ).kind, EPT_FAULT_INSTALLED);
    bed.pool.argument = &bed;
    bed.pool.on_alloc = zap_all;
    assert_int_equal(touch(&bed, 2 * MB, EPT_READ).kind, EPT_FAULT_INSTALLED); /* started again at the root */
    expect_page(&bed, 2 * MB, 2 * MB, 1, RWX);
    assert_int_equal(ept_walk(&bed.ept, 0).end, EPT_WALK_NOT_PRESENT);
    assert_int_equal(bed.ept.retired_count, 3);
    assert_int_equal(ept_reclaim(&bed.ept), 3);
    assert_int_equal(bed.ept.table_count, 4);
    assert_true(bed_done(&bed));
}

static void test_wrong_entries_are_repaired(void **state)
{
    struct bed bed;
    struct ept_fault_result result;
    uint64_t *pte;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 32));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 64 * MB, RWX));
    assert_int_equal(touch(&bed, 0x3000, 0).kind, EPT_FAULT_INSTALLED);
    pte = pool_entry(&bed.pool, &bed.ept, 0x3000, 1);

    *pte &= ~EPT_WRITE; /* fewer rights: more are added, no flush */
    result = touch(&bed, 0x3000, EPT_WRITE);
    assert_int_equal(result.kind, EPT_FAULT_REPAIRED);
    assert_int_equal(result.flush, EPT_FLUSH_NONE);
    assert_int_equal(result.repaired_level, 1);
    *pte ^= 0x1000; /* another address: flush */
    result = touch(&bed, 0x3000, EPT_WRITE);
    assert_int_equal(result.kind, EPT_FAULT_REPAIRED);
    assert_int_equal(result.flush, EPT_FLUSH_CONTEXT);
    *pte |= EPT_ACCESSED | EPT_DIRTY; /* the processor's flags are no difference */
    assert_int_equal(touch(&bed, 0x3000, EPT_WRITE).kind, EPT_FAULT_SPURIOUS);
    *pte &= ~EPT_WRITE; /* and survive a repair */
    assert_int_equal(touch(&bed, 0x3000, EPT_WRITE).kind, EPT_FAULT_REPAIRED);
    assert_int_equal(*pte & 0x300, 0x300);
    *pte = EPT_SOFTWARE_FROZEN; /* frozen in a table that is in use: nobody did that */
    assert_int_equal(touch(&bed, 0x3000, EPT_WRITE).kind, EPT_FAULT_REPAIRED);
    *pte = UINT64_C(1) << 40; /* not present, not empty */
    assert_int_equal(touch(&bed, 0x3000, EPT_WRITE).kind, EPT_FAULT_REPAIRED);
    *pte = UINT64_MAX;
    assert_int_equal(touch(&bed, 0x3000, EPT_WRITE).kind, EPT_FAULT_REPAIRED);
    expect_page(&bed, 0x3000, 64 * MB + 0x3000, 1, RWX);
    assert_true(bed_done(&bed));
}

/* A reference with a changed address must not be followed, and its table is not freed until the end. */
static void test_corrupt_reference(void **state)
{
    struct bed bed;
    struct ept_fault_result result;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 32));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 64 * MB, RWX));
    for (unsigned level = 2; level <= 4; level++) {
        uint32_t before;

        assert_true(ept_fault_resolved(touch(&bed, 0x3000, 0).kind));
        before = bed.pool.in_use;
        *pool_entry(&bed.pool, &bed.ept, 0x3000, level) ^= UINT64_C(1)
                                                           << 38; /* well-formed, but no table of ours */
        assert_int_equal(ept_walk(&bed.ept, 0x3000).end, EPT_WALK_FOREIGN);
        result = touch(&bed, 0x3000, EPT_READ);
        assert_int_equal(result.kind, EPT_FAULT_REPAIRED);
        assert_int_equal(result.repaired_level, level);
        assert_int_equal(result.flush, EPT_FLUSH_CONTEXT);
        assert_int_equal(result.tables_added, level - 1);
        assert_int_equal(bed.pool.in_use, before + level - 1); /* the old ones are lost, not given back */
    }
    assert_true(bed_done(&bed)); /* where any_table finds them */
}

static void test_no_executable_large(void **state)
{
    struct bed bed;
    struct ept_fault_result result;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 32));
    bed.ept.no_executable_large = true;
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 2 * GB, 4 * GB, RWX));
    result = touch(&bed, 0x1000, EPT_WRITE);
    assert_int_equal(result.level, 3);
    assert_int_equal(result.rights, RW);
    result = touch(&bed, 0x1000, EPT_EXECUTE);
    assert_int_equal(result.level, 1);
    assert_int_equal(result.rights, RWX);
    assert_int_equal(result.flush, EPT_FLUSH_CONTEXT);
    expect_page(&bed, 0x2000, 4 * GB + 0x2000, 1, RWX); /* its neighbours are there too */
    expect_page(&bed, 4 * MB, 4 * GB + 4 * MB, 2, RW);
    assert_int_equal(touch(&bed, GB + 0x1000, EPT_EXECUTE).level, 1); /* fetched first: small at once */
    assert_int_equal(touch(&bed, GB + 2 * MB, EPT_READ).level, 2);
    assert_true(bed_done(&bed));
}

static void test_map_range(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 640 * KB, 4 * MB, RWX));
    assert_true(bed_add(&bed, EPT_REGION_HOLE, 640 * KB, 128 * KB, 0, 0));
    assert_true(bed_add(&bed, EPT_REGION_ROM, 768 * KB, 256 * KB, 8 * MB, RX));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 1 * MB, 15 * MB, 17 * MB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 32 * MB).status, EPT_OK);
    for (uint64_t gpa = 0; gpa < 32 * MB; gpa += 4 * KB) {
        const struct ept_region *region = ept_region_find(&bed.list, gpa);
        struct ept_walk walk = ept_walk(&bed.ept, gpa);

        if (region == NULL || region->rights == 0) {
            assert_int_equal(walk.end, EPT_WALK_NOT_PRESENT);
        } else {
            assert_int_equal(walk.hpa, region->hpa + (gpa - region->gpa));
            assert_int_equal(walk.rights, region->rights);
            assert_int_equal(walk.level, gpa < 2 * MB ? 1 : 2);
        }
    }
    assert_int_equal(bed.ept.table_count, 4);
    assert_int_equal(ept_map_range(&bed.ept, 0x10, 0x1000).status, EPT_UNALIGNED);
    assert_int_equal(ept_map_range(&bed.ept, 0, 0).status, EPT_UNALIGNED);
    assert_int_equal(ept_map_range(&bed.ept, TB, 0x1000).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_map_range(&bed.ept, 0x1000, TB).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_map_range(&bed.ept, 100 * MB, 0x1000).status,
                     EPT_OK); /* nothing there, nothing to do */
    assert_true(bed_done(&bed));
}

static void test_map_one(void **state)
{
    struct bed bed;
    struct ept_change change;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_X, 40, 32));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 64 * MB, RX));
    assert_int_equal(touch(&bed, 0x3000, 0).level, 2);
    change = ept_map_one(&bed.ept, 0x3000, 0x99000, RW, MEMORY_TYPE_WC); /* splits */
    assert_int_equal(change.status, EPT_OK);
    assert_int_equal(change.flush, EPT_FLUSH_CONTEXT);
    expect_page(&bed, 0x3010, 0x99010, 1, RW);
    assert_int_equal(ept_walk(&bed.ept, 0x3000).memory_type, MEMORY_TYPE_WC);
    expect_page(&bed, 0x4000, 64 * MB + 0x4000, 1, RX);
    assert_int_equal(ept_zap(&bed.ept, 0x3000, 0x1000), EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_walk(&bed.ept, 0x3000).end, EPT_WALK_NOT_PRESENT);
    assert_int_equal(touch(&bed, 0x3000, EPT_READ).kind, EPT_FAULT_INSTALLED);
    expect_page(&bed, 0x3000, 64 * MB + 0x3000, 1, RX);

    change = ept_map_one(&bed.ept, 32 * GB, 0x99000, R, MEMORY_TYPE_WB); /* where no region is */
    assert_int_equal(change.status, EPT_OK);
    assert_int_equal(change.flush, EPT_FLUSH_NONE);
    expect_page(&bed, 32 * GB, 0x99000, 1, R);
    change = ept_map_one(&bed.ept, 32 * GB, 0x99000, RW, MEMORY_TYPE_WB); /* more rights */
    assert_int_equal(change.flush, EPT_FLUSH_NONE);
    assert_int_equal(ept_zap(&bed.ept, 32 * GB, 0x1000), EPT_FLUSH_CONTEXT);

    assert_int_equal(ept_map_one(&bed.ept, 0x10, 0, R, MEMORY_TYPE_WB).status, EPT_UNALIGNED);
    assert_int_equal(ept_map_one(&bed.ept, TB, 0, R, MEMORY_TYPE_WB).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_map_one(&bed.ept, 0, TB, R, MEMORY_TYPE_WB).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_map_one(&bed.ept, 0, 0, 0, MEMORY_TYPE_WB).status, EPT_BAD_RIGHTS);
    assert_int_equal(ept_map_one(&bed.ept, 0, 0, 2, MEMORY_TYPE_WB).status, EPT_BAD_RIGHTS);
    assert_int_equal(ept_map_one(&bed.ept, 0, 0, 4, MEMORY_TYPE_WB).status, EPT_BAD_RIGHTS);
    assert_int_equal(ept_map_one(&bed.ept, 0, 0, 8, MEMORY_TYPE_WB).status, EPT_BAD_RIGHTS);
    assert_int_equal(ept_map_one(&bed.ept, 0, 0, R, (enum memory_type)2).status, EPT_BAD_TYPE);
    assert_true(bed_done(&bed));
}

static void test_direct_map(void **state)
{
    struct bed bed;
    struct ept_memory memory;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 16));
    ept_destroy(&bed.ept);
    memory = pool_memory(&bed.pool);
    memory.table_at = NULL;
    memory.direct_map = (uintptr_t)bed.pool.memory - POOL_BASE;
    assert_int_equal(ept_init(&bed.ept, &memory, &bed.caps, &bed.list), EPT_OK);
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 64 * MB, RWX));
    assert_int_equal(touch(&bed, 0x3000, 0).kind, EPT_FAULT_INSTALLED);
    expect_page(&bed, 0x3000, 64 * MB + 0x3000, 1, RWX);
    assert_true(bed_done(&bed));
}

static void test_init_needs_a_walk(void **state)
{
    struct bed bed;
    struct ept_memory memory;
    struct ept_caps caps;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 4));
    memory = pool_memory(&bed.pool);
    caps = bed.caps;
    caps.walk_4 = false;
    {
        struct ept other;

        assert_int_equal(ept_init(&other, &memory, &caps, &bed.list), EPT_UNSUPPORTED);
    }
    assert_true(bed_done(&bed));
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(ept_fault_kind_name(EPT_FAULT_INSTALLED), "INSTALLED");
    assert_string_equal(ept_fault_kind_name(EPT_FAULT_NO_FRAME), "NO_FRAME");
    assert_string_equal(ept_fault_kind_name((enum ept_fault_kind)99), "?");
    for (int kind = 0; kind < EPT_FAULT_KIND_COUNT; kind++) {
        assert_true(strlen(ept_fault_kind_name((enum ept_fault_kind)kind)) > 1);
        assert_int_equal(ept_fault_resolved((enum ept_fault_kind)kind), kind == EPT_FAULT_INSTALLED ||
                                                                            kind == EPT_FAULT_SPURIOUS ||
                                                                            kind == EPT_FAULT_REPAIRED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lazy_4k),
        cmocka_unit_test(test_largest_page),
        cmocka_unit_test(test_identity_terabyte),
        cmocka_unit_test(test_five_levels),
        cmocka_unit_test(test_denials),
        cmocka_unit_test(test_memory_type_of_identity),
        cmocka_unit_test(test_out_of_frames),
        cmocka_unit_test(test_lost_race),
        cmocka_unit_test(test_race_with_zap),
        cmocka_unit_test(test_wrong_entries_are_repaired),
        cmocka_unit_test(test_corrupt_reference),
        cmocka_unit_test(test_no_executable_large),
        cmocka_unit_test(test_map_range),
        cmocka_unit_test(test_map_one),
        cmocka_unit_test(test_direct_map),
        cmocka_unit_test(test_init_needs_a_walk),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
