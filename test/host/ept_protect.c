/* SPDX-License-Identifier: MIT */
/* Tests of ept/protect.c: the list and what is mapped change together. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/merge.h"
#include "ept/misconfig.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "test/host/ept_processor.h"
#include <sched.h>

/* All that is mapped of [gpa, end) is there, with these rights, at this level. */
static void expect(struct bed *bed, uint64_t gpa, uint64_t end, unsigned rights, unsigned level)
{
    for (; gpa < end; gpa += 4 * KB) {
        struct ept_walk walk = ept_walk(&bed->ept, gpa);

        assert_int_equal(walk.end, EPT_WALK_MAPPED);
        assert_int_equal(walk.hpa, gpa + 4 * GB);
        assert_int_equal(walk.rights, rights);
        assert_int_equal(walk.level, level);
    }
}

static struct ept_walk_step leaf_of(struct bed *bed, uint64_t gpa)
{
    struct ept_walk walk = ept_walk(&bed->ept, gpa);

    assert_int_equal(walk.end, EPT_WALK_MAPPED);
    return walk.steps[walk.count - 1];
}

/* What a caller does after a change. */
static unsigned merge_again(struct bed *bed, uint64_t gpa, uint64_t size)
{
    unsigned merged = 0;

    for (unsigned level = 2; level <= 3; level++) {
        for (uint64_t at = gpa; at < gpa + size;) {
            struct ept_merge_batch batch = {.count = 0};
            enum ept_flush flush;

            at = ept_merge(&bed->ept, at, gpa + size, level, &batch, &flush);
            merged += batch.count;
            ept_merge_finish(&bed->ept, &batch);
        }
    }
    ept_reclaim(&bed->ept);
    return merged;
}

static void test_set_rights(void **state)
{
    struct bed bed;
    struct ept_change change;
    const uint64_t page = 4 * MB + 0x3000;
    uint64_t tables;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 16 * MB, 4 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 16 * MB).status, EPT_OK);
    tables = bed.ept.table_count;
    *pool_entry(&bed.pool, &bed.ept, page, 2) |= EPT_ACCESSED | EPT_DIRTY;
    change = ept_set_rights(&bed.ept, page, 0x1000, R);
    assert_int_equal(change.status, EPT_OK);
    assert_int_equal(change.flush, EPT_FLUSH_CONTEXT);
    expect(&bed, 0, 4 * MB, RWX, 2);
    expect(&bed, 4 * MB, page, RWX, 1);
    expect(&bed, page, page + 0x1000, R, 1);
    expect(&bed, page + 0x1000, 6 * MB, RWX, 1);
    expect(&bed, 6 * MB, 16 * MB, RWX, 2);
    assert_int_equal(leaf_of(&bed, page).entry.raw & (EPT_ACCESSED | EPT_DIRTY), EPT_ACCESSED | EPT_DIRTY);
    assert_int_equal(ept_fault(&bed.ept, page, EPT_WRITE).kind, EPT_FAULT_DENIED_RIGHTS);
    assert_int_equal(merge_again(&bed, page, 0x1000), 0); /* they differ */

    change = ept_set_rights(&bed.ept, page, 0x1000, RWX);
    assert_int_equal(change.flush, EPT_FLUSH_NONE);
    assert_int_equal(bed.list.count, 1);
    expect(&bed, 4 * MB, 6 * MB, RWX, 1); /* without a fault */
    assert_int_equal(merge_again(&bed, page, 0x1000), 1);
    expect(&bed, 0, 16 * MB, RWX, 2);
    assert_true(ept_walk(&bed.ept, page).dirty);
    assert_int_equal(bed.ept.table_count, tables);

    assert_int_equal(ept_set_rights(&bed.ept, 0, 0x1000, 0).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_walk(&bed.ept, 0).end, EPT_WALK_NOT_PRESENT);
    expect(&bed, 0x1000, 2 * MB, RWX, 1);
    assert_int_equal(ept_fault(&bed.ept, 0, EPT_READ).kind, EPT_FAULT_DENIED_RIGHTS);
    assert_true(bed_done(&bed));
}

/* 1 GiB to 4 KiB and back, both borders inside of large pages. */
static void test_three_sizes(void **state)
{
    struct bed bed;
    uint64_t from = GB + 6 * MB - 0x2000, to = GB + 10 * MB + 0x5000, tables;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * GB, 4 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 4 * GB).status, EPT_OK);
    tables = bed.ept.table_count;
    assert_int_equal(tables, 2);
    assert_int_equal(ept_set_rights(&bed.ept, from, to - from, RX).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(bed.ept.table_count, tables + 3);
    expect(&bed, 0, GB, RWX, 3);
    expect(&bed, GB, GB + 4 * MB, RWX, 2);
    expect(&bed, GB + 4 * MB, from, RWX, 1);
    expect(&bed, from, GB + 6 * MB, RX, 1);
    expect(&bed, GB + 6 * MB, GB + 10 * MB, RX, 2);
    expect(&bed, GB + 10 * MB, to, RX, 1);
    expect(&bed, to, GB + 12 * MB, RWX, 1);
    expect(&bed, GB + 12 * MB, 2 * GB, RWX, 2);
    assert_int_equal(ept_set_rights(&bed.ept, from, to - from, RWX).flush, EPT_FLUSH_NONE);
    assert_int_equal(merge_again(&bed, from, to - from), 3);
    expect(&bed, 0, 4 * GB, RWX, 3);
    assert_int_equal(bed.ept.table_count, tables);
    assert_true(bed_done(&bed));
}

/* Another processor: walks all the time, and sees every page of the large one at every moment. */
struct walker {
    struct bed *bed;
    uint64_t page;
    unsigned generation, seen; /* a flush is done when the walker has seen its generation */
    uint64_t walks, wrong;
};

static void *walk_on(void *argument)
{
    struct walker *walker = argument;
    unsigned generation = 0;

    for (uint64_t n = 0; generation != UINT32_MAX; n++) {
        uint64_t gpa = n * 37 % 512 * 4096;
        struct ept_walk walk;

        generation = __atomic_load_n(&walker->generation, __ATOMIC_ACQUIRE);
        walk = ept_walk(&walker->bed->ept, gpa);
        if (walk.end != EPT_WALK_MAPPED || walk.hpa != 4 * GB + gpa ||
            (walk.rights != RWX && (gpa != walker->page || walk.rights != R)))
            walker->wrong++;
        walker->walks++;
        __atomic_store_n(&walker->seen, generation, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void flush_walker(struct walker *walker, enum ept_flush flush)
{
    unsigned generation = walker->generation + 1;

    if (flush == EPT_FLUSH_NONE)
        return;
    __atomic_store_n(&walker->generation, generation, __ATOMIC_RELEASE);
    while (__atomic_load_n(&walker->seen, __ATOMIC_ACQUIRE) != generation)
        sched_yield();
}

static void test_nothing_is_missing_for_another_cpu(void **state)
{
    struct bed bed;
    struct walker walker = {.bed = &bed, .page = 0x7000};
    pthread_t thread;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 4 * GB, RWX));
    assert_int_equal(ept_fault(&bed.ept, 0, 0).level, 2);
    assert_int_equal(pthread_create(&thread, NULL, walk_on, &walker), 0);
    for (unsigned n = 0; n < 300; n++) {
        struct ept_merge_batch batch = {.count = 0};
        enum ept_flush flush;

        flush_walker(&walker, ept_set_rights(&bed.ept, walker.page, 0x1000, R).flush);
        flush_walker(&walker, ept_set_rights(&bed.ept, walker.page, 0x1000, RWX).flush);
        assert_int_equal(ept_merge(&bed.ept, walker.page, walker.page + 1, 2, &batch, &flush), 2 * MB);
        assert_int_equal(batch.count, 1);
        flush_walker(&walker, flush);
        ept_merge_finish(&bed.ept, &batch);
        assert_int_equal(ept_reclaim(&bed.ept), 1);
    }
    __atomic_store_n(&walker.generation, UINT32_MAX, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    assert_int_equal(walker.wrong, 0);
    assert_true(walker.walks > 1000);
    assert_true(bed_done(&bed));
}

static bool collected(struct bed *bed, struct processor *processor, uint64_t gpa)
{
    uint64_t bitmap[64] = {0};

    processor_drain(processor);
    processor_flush(processor, ept_dirty_collect(&bed->ept, bitmap).flush);
    return (bitmap[gpa >> 18] >> (gpa >> 12 & 63) & 1) != 0;
}

/* What was written before the rights went is reported, and what is written when they are back, too. */
static void test_dirty_log_loses_nothing(void **state)
{
    for (enum ept_dirty_source source = EPT_DIRTY_PML; source < EPT_DIRTY_SOURCE_COUNT; source++) {
        static struct processor processor;
        static uint64_t words[256];
        struct bed bed;
        struct ept_dirty_log log;

        (void)state;
        assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
        bed.ept.caps.page_modification_log = true;
        assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 4 * GB, RWX));
        processor_init(&processor, &bed);
        assert_non_null(processor_access(&processor, 0x5000, EPT_WRITE));
        assert_true(ept_dirty_log_words(1024) <= 256);
        processor_flush(&processor, ept_dirty_start(&bed.ept, &log, source, 1, 4 * MB, words).flush);
        processor.pml = source == EPT_DIRTY_PML;
        for (unsigned round = 0; round < 3; round++) {
            assert_false(collected(&bed, &processor, 0x5000));
            assert_non_null(processor_access(&processor, 0x5000, EPT_WRITE));
            processor_flush(&processor, ept_set_rights(&bed.ept, 0x5000, 0x1000, round == 2 ? 0 : R).flush);
            assert_null(processor_access(&processor, 0x5000, EPT_WRITE));
            assert_true(collected(&bed, &processor, 0x5000));
            assert_false(collected(&bed, &processor, 0x5000));
            processor_flush(&processor, ept_set_rights(&bed.ept, 0x5000, 0x1000, RWX).flush);
            assert_false(collected(&bed, &processor, 0x5000)); /* may be written is not written */
            assert_non_null(processor_access(&processor, 0x5000, EPT_WRITE));
            assert_true(collected(&bed, &processor, 0x5000));
        }
        assert_int_equal(ept_dirty_stop(&bed.ept).status, EPT_OK);
        assert_int_equal(merge_again(&bed, 0, 4 * MB), 1);
        expect(&bed, 0, 2 * MB, RWX, 2);
        assert_true(bed_done(&bed));
    }
}

/* A stand-in and a planted fault give way to what the list says; a stand-in's dirty flag is not the page's.
 */
static void test_what_is_not_the_lists(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 4 * GB, RWX));
    assert_int_equal(ept_map_one(&bed.ept, 0x5000, 0x7000, RW, MEMORY_TYPE_UC).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 0x6000, 1, EPT_PLANT_NO_EXECUTE).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 0x8000, 1, EPT_PLANT_WRITE_ONLY).status, EPT_OK);
    assert_int_equal(ept_set_rights(&bed.ept, 0x5000, 0x4000, RX).flush, EPT_FLUSH_CONTEXT);
    expect(&bed, 0x5000, 0x7000, RX, 1);
    assert_int_equal(leaf_of(&bed, 0x5000).entry.raw & (EPT_SOFTWARE | EPT_DIRTY), 0);
    assert_int_equal(leaf_of(&bed, 0x6000).entry.raw & EPT_SOFTWARE, 0);
    assert_int_equal(ept_walk(&bed.ept, 0x8000).end, EPT_WALK_MISCONFIG); /* until it is met */
    assert_int_equal(ept_repair(&bed.ept, 0x8000, EPT_READ).rights, RX);
    assert_true(bed_done(&bed));
}

/* No frame for the split: the large page goes, and nothing is ever mapped with more than the list grants. */
static void test_without_a_frame(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 4 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 4 * MB).status, EPT_OK);
    bed.pool.limit = bed.pool.in_use;
    assert_int_equal(ept_set_rights(&bed.ept, 0x7000, 0x1000, R).status, EPT_OK);
    assert_int_equal(ept_walk(&bed.ept, 0x7000).end, EPT_WALK_NOT_PRESENT);
    expect(&bed, 2 * MB, 4 * MB, RWX, 2);
    assert_int_equal(ept_remove(&bed.ept, 2 * MB + 0x7000, 0x1000).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_walk(&bed.ept, 2 * MB + 0x7000).end, EPT_WALK_NOT_PRESENT);
    bed.pool.limit = bed.pool.count;
    assert_int_equal(ept_fault(&bed.ept, 0x7000, EPT_READ).rights, R);
    assert_true(bed_done(&bed));
}

/* Where large pages may not be executable, none becomes so. */
static void test_no_executable_large(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    bed.ept.no_executable_large = true;
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 4 * GB, RW));
    assert_int_equal(ept_map_range(&bed.ept, 0, 4 * MB).status, EPT_OK);
    expect(&bed, 0, 4 * MB, RW, 2);
    assert_int_equal(ept_set_rights(&bed.ept, 0, 4 * MB, RWX).flush, EPT_FLUSH_NONE);
    expect(&bed, 0, 4 * MB, RW, 2);
    assert_int_equal(ept_set_rights(&bed.ept, 0x1000, 0x1000, R).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_fault(&bed.ept, 0x2000, EPT_EXECUTE).rights, RWX);
    assert_int_equal(ept_set_rights(&bed.ept, 0x1000, 0x1000, RWX).status, EPT_OK);
    assert_int_equal(merge_again(&bed, 0, 4 * MB), 0);
    assert_int_equal(ept_walk(&bed.ept, 0x2000).level, 1);
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

static void test_remove_and_add(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 16 * MB, 4 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 16 * MB).status, EPT_OK);
    assert_int_equal(ept_remove(&bed.ept, 2 * MB, 4 * MB).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_fault(&bed.ept, 3 * MB, EPT_READ).kind, EPT_FAULT_DENIED_HOLE);
    assert_int_equal(ept_walk(&bed.ept, 3 * MB).end, EPT_WALK_NOT_PRESENT);
    expect(&bed, 0, 2 * MB, RWX, 2);
    expect(&bed, 6 * MB, 16 * MB, RWX, 2);
    assert_int_equal(ept_remove(&bed.ept, 8 * MB + 0x5000, 0x2000).flush, EPT_FLUSH_CONTEXT);
    expect(&bed, 8 * MB, 8 * MB + 0x5000, RWX, 1); /* what is beside it is there still */
    expect(&bed, 8 * MB + 0x7000, 10 * MB, RWX, 1);
    assert_int_equal(ept_walk(&bed.ept, 8 * MB + 0x5000).end, EPT_WALK_NOT_PRESENT);
    assert_int_equal(ept_walk(&bed.ept, 8 * MB + 0x6000).end, EPT_WALK_NOT_PRESENT);
    assert_int_equal(ept_remove(&bed.ept, 8 * MB + 0x5000, 0x2000).flush, EPT_FLUSH_NONE);
    assert_int_equal(merge_again(&bed, 8 * MB, 2 * MB), 0);
    assert_true(bed_add(&bed, EPT_REGION_RAM, 8 * MB + 0x5000, 0x2000, 4 * GB + 8 * MB + 0x5000, RWX));
    assert_int_equal(bed.list.count, 2);
    assert_int_equal(merge_again(&bed, 8 * MB, 2 * MB), 1);
    expect(&bed, 6 * MB, 16 * MB, RWX, 2);
    assert_int_equal(ept_remove(&bed.ept, 10 * MB, 0x1000).flush,
                     EPT_FLUSH_CONTEXT); /* one border alone divides */
    expect(&bed, 10 * MB + 0x1000, 12 * MB, RWX, 1);
    assert_int_equal(ept_remove(&bed.ept, 14 * MB - 0x1000, 0x1000).flush, EPT_FLUSH_CONTEXT);
    expect(&bed, 12 * MB, 14 * MB - 0x1000, RWX, 1);
    assert_true(bed_done(&bed));
}

static void test_type(void **state)
{
    struct bed bed;
    struct mtrr_snapshot mtrr = {.cap = 8, .def_type = 0x800 | MEMORY_TYPE_WB, .phys_width = 40};
    struct ept_region region = {.size = 16 * MB,
                                .hpa = 4 * GB,
                                .kind = EPT_REGION_RAM,
                                .rights = RWX,
                                .memory_type = MEMORY_TYPE_WP,
                                .type_from_mtrr = true}; /* then the type of its own says nothing */

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    bed.ept.mtrr = &mtrr;
    assert_int_equal(ept_region_add(&bed.list, &region), EPT_OK);
    assert_int_equal(ept_map_range(&bed.ept, 0, 16 * MB).status, EPT_OK);
    assert_int_equal(ept_set_type(&bed.ept, 8 * MB, 2 * MB, MEMORY_TYPE_WC, true).flush, EPT_FLUSH_CONTEXT);
    expect(&bed, 0, 16 * MB, RWX, 2);
    assert_int_equal(ept_walk(&bed.ept, 8 * MB).memory_type, MEMORY_TYPE_WC);
    assert_true(ept_walk(&bed.ept, 8 * MB).ignore_pat);
    assert_int_equal(ept_walk(&bed.ept, 10 * MB).memory_type, MEMORY_TYPE_WB);
    assert_int_equal(ept_set_type(&bed.ept, 8 * MB, 2 * MB, MEMORY_TYPE_WC, true).flush,
                     EPT_FLUSH_NONE); /* the same */
    assert_int_equal(ept_set_type(&bed.ept, 4 * MB + 0x7000, 0x1000, MEMORY_TYPE_UC, false).flush,
                     EPT_FLUSH_CONTEXT);
    expect(&bed, 4 * MB, 6 * MB, RWX, 1);
    assert_int_equal(ept_walk(&bed.ept, 4 * MB + 0x7000).memory_type, MEMORY_TYPE_UC);
    assert_int_equal(ept_walk(&bed.ept, 4 * MB + 0x6000).memory_type, MEMORY_TYPE_WB);
    assert_int_equal(merge_again(&bed, 4 * MB, 2 * MB), 0);
    assert_int_equal(ept_set_type_from_mtrr(&bed.ept, 4 * MB + 0x7000, 0x1000, false).flush,
                     EPT_FLUSH_CONTEXT);
    assert_int_equal(merge_again(&bed, 4 * MB, 2 * MB), 1);
    expect(&bed, 4 * MB, 6 * MB, RWX, 2);
    assert_int_equal(ept_set_type_from_mtrr(&bed.ept, 8 * MB, 2 * MB, false).status, EPT_OK);
    assert_int_equal(ept_walk(&bed.ept, 8 * MB).memory_type, MEMORY_TYPE_WB);
    assert_int_equal(bed.list.count, 1);
    assert_int_equal(ept_set_type_from_mtrr(&bed.ept, 15 * MB, 2 * MB, false).status, EPT_NOT_LISTED);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_rights),
        cmocka_unit_test(test_three_sizes),
        cmocka_unit_test(test_nothing_is_missing_for_another_cpu),
        cmocka_unit_test(test_dirty_log_loses_nothing),
        cmocka_unit_test(test_what_is_not_the_lists),
        cmocka_unit_test(test_without_a_frame),
        cmocka_unit_test(test_no_executable_large),
        cmocka_unit_test(test_errors_change_nothing),
        cmocka_unit_test(test_remove_and_add),
        cmocka_unit_test(test_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
