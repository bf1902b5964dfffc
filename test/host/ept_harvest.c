/* SPDX-License-Identifier: MIT */
/* Tests of ept/harvest.c: each flag is seen once, and large pages count for what they are. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/harvest.h"
#include "ept/leaves.h"
#include "test/host/ept_processor.h"

static void scene(struct bed *bed, struct processor *processor)
{
    assert_true(bed_init(bed, CAP_NO_1G, 40, 256));
    assert_true(bed_add(bed, EPT_REGION_RAM, 0, 4 * MB, GB + 0x1000, RWX)); /* 4 KiB pages */
    assert_true(bed_add(bed, EPT_REGION_RAM, 4 * MB, 60 * MB, 2 * GB + 4 * MB, RWX));
    processor_init(processor, bed);
}

struct seen {
    unsigned calls;
    uint64_t gpa, size, flags;
};

static void note(void *context, uint64_t gpa, uint64_t size, uint64_t flags)
{
    struct seen *seen = context;

    seen->calls++;
    seen->gpa = gpa;
    seen->size = size;
    seen->flags = flags;
}

static void test_each_flag_once(void **state)
{
    struct bed bed;
    struct processor processor;
    struct ept_harvest harvest;
    struct seen seen = {0};

    (void)state;
    scene(&bed, &processor);
    assert_non_null(processor_access(&processor, 0x5123, EPT_READ));
    assert_non_null(processor_access(&processor, 6 * MB + 0x123, EPT_WRITE));
    harvest = ept_harvest(&bed.ept, 0, 4 * MB, EPT_ACCESSED | EPT_DIRTY, note, &seen);
    assert_int_equal(harvest.status, EPT_OK);
    assert_int_equal(harvest.flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(harvest.accessed, 1);
    assert_int_equal(harvest.dirty, 0);
    assert_int_equal(seen.calls, 1);
    assert_int_equal(seen.gpa, 0x5000);
    assert_int_equal(seen.size, 0x1000);
    assert_int_equal(seen.flags, EPT_ACCESSED);
    harvest = ept_harvest(&bed.ept, 0, 64 * MB, EPT_DIRTY, note, &seen); /* one flag, the other stays */
    assert_int_equal(harvest.accessed, 0);
    assert_int_equal(harvest.dirty, 512);
    assert_int_equal(seen.gpa, 6 * MB);
    assert_int_equal(seen.size, 2 * MB);
    assert_int_equal(seen.flags, EPT_DIRTY);
    harvest = ept_harvest(&bed.ept, 0, 64 * MB, EPT_ACCESSED | EPT_DIRTY, NULL, NULL);
    assert_int_equal(harvest.accessed, 512);
    assert_int_equal(harvest.dirty, 0);
    harvest = ept_harvest(&bed.ept, 0, TB, EPT_ACCESSED | EPT_DIRTY, NULL, NULL);
    assert_int_equal(harvest.accessed + harvest.dirty, 0);
    assert_int_equal(harvest.flush, EPT_FLUSH_NONE);
    assert_true(bed_done(&bed));
}

/* A cached translation hides an access from the flags until the flush. */
static void test_flush_is_needed(void **state)
{
    struct bed bed;
    struct processor processor;
    struct ept_harvest harvest;

    (void)state;
    scene(&bed, &processor);
    assert_non_null(processor_access(&processor, 0x5000, EPT_READ));
    harvest = ept_harvest(&bed.ept, 0, 64 * MB, EPT_ACCESSED, NULL, NULL);
    assert_non_null(processor_access(&processor, 0x5000, EPT_READ));
    assert_int_equal(ept_harvest(&bed.ept, 0, 64 * MB, EPT_ACCESSED, NULL, NULL).accessed, 0);
    processor_flush(&processor, harvest.flush);
    assert_non_null(processor_access(&processor, 0x5000, EPT_READ));
    assert_int_equal(ept_harvest(&bed.ept, 0, 64 * MB, EPT_ACCESSED, NULL, NULL).accessed, 1);
    assert_true(bed_done(&bed));
}

static void test_part_of_a_large_page(void **state)
{
    struct bed bed;
    struct processor processor;
    struct seen seen = {0};

    (void)state;
    scene(&bed, &processor);
    assert_non_null(processor_access(&processor, 6 * MB, EPT_WRITE));
    for (unsigned n = 0; n < 2; n++) { /* its flags stay: they are the rest's too */
        struct ept_harvest harvest = ept_harvest(&bed.ept, 7 * MB, 2 * MB, EPT_DIRTY, note, &seen);

        assert_int_equal(harvest.dirty, 256);
        assert_int_equal(harvest.flush, EPT_FLUSH_NONE);
        assert_int_equal(seen.gpa, 7 * MB);
        assert_int_equal(seen.size, MB);
    }
    assert_int_equal(ept_harvest(&bed.ept, 6 * MB, 2 * MB, EPT_DIRTY, NULL, NULL).dirty, 512);
    assert_int_equal(ept_harvest(&bed.ept, 7 * MB, 2 * MB, EPT_DIRTY, NULL, NULL).dirty, 0);
    assert_true(bed_done(&bed));
}

static void test_refusals(void **state)
{
    struct bed bed;
    struct processor processor;
    uint64_t word = 5;

    (void)state;
    scene(&bed, &processor);
    assert_int_equal(ept_harvest(&bed.ept, 1, 4096, EPT_ACCESSED, NULL, NULL).status, EPT_UNALIGNED);
    assert_int_equal(ept_harvest(&bed.ept, 0, 0, EPT_ACCESSED, NULL, NULL).status, EPT_UNALIGNED);
    assert_int_equal(ept_harvest(&bed.ept, 2 * TB, 4096, EPT_ACCESSED, NULL, NULL).accessed, 0);
    bed.ept.caps.accessed_dirty = false;
    assert_int_equal(ept_harvest(&bed.ept, 0, 4096, EPT_ACCESSED, NULL, NULL).status, EPT_UNSUPPORTED);
    assert_int_equal(ept_harvest_idle(&bed.ept, 0, 4096, &word).status, EPT_UNSUPPORTED);
    assert_true(bed_done(&bed));
}

/* Random accesses and harvests of random ranges against a model with one accessed bit for each leaf. */
static void test_idle_map_against_model(void **state)
{
    static uint8_t accessed[16384]; /* pages of 64 MiB */
    static uint64_t bitmap[16384 / 64 + 1];
    struct bed bed;
    struct processor processor;
    uint64_t random = 88172645463325252;

    (void)state;
    memset(accessed, 0, sizeof(accessed));
    scene(&bed, &processor);
    for (unsigned n = 0; n < 4000; n++) {
        uint64_t first, count;
        struct ept_harvest harvest;

        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        first = random >> 8 & 16383;
        if (n % 8 != 0) {
            assert_non_null(processor_access(&processor, first << 12, EPT_READ));
            if (first < 1024)
                accessed[first] = 1;
            else
                memset(&accessed[first & ~511u], 1, 512);
            continue;
        }
        count = 1 + (random >> 32) % (16384 - first);
        bitmap[(count + 63) / 64] = 0x5a5a;
        harvest = ept_harvest_idle(&bed.ept, first << 12, count << 12, bitmap);
        processor_flush(&processor, EPT_FLUSH_CONTEXT);
        assert_int_equal(harvest.status, EPT_OK);
        assert_int_equal(bitmap[(count + 63) / 64], 0x5a5a);
        for (uint64_t page = first; page < first + count; page++) {
            assert_int_equal(bitmap[(page - first) / 64] >> (page - first) % 64 & 1, !accessed[page]);
            harvest.accessed -= accessed[page];
        }
        assert_int_equal(harvest.accessed, 0);
        for (uint64_t bit = count; bit % 64 != 0; bit++)
            assert_int_equal(bitmap[bit / 64] >> bit % 64 & 1, 0);
        for (uint64_t page = first; page < first + count; page++) {
            uint64_t block = page & ~UINT64_C(511);

            if (page < 1024 || (block >= first && block + 512 <= first + count))
                accessed[page] = 0;
        }
    }
    assert_true(bed_done(&bed));
}

/* Part by part it is the same map, from whichever page on it begins. */
static void test_idle_map_in_parts(void **state)
{
    enum { WORDS = 64 * 256 / 64 };
    struct bed beds[2];
    struct processor processors[2];
    uint64_t maps[2][WORDS];

    (void)state;
    for (uint64_t base = 0; base < 5 * 0x1000; base += 0x1000) {
        uint64_t end = 64 * MB, accessed = 0, next;
        struct ept_harvest whole;

        for (unsigned n = 0; n < 2; n++) {
            scene(&beds[n], &processors[n]);
            for (uint64_t at = 0x1000; at < 64 * MB; at = at * 3 / 2)
                assert_non_null(processor_access(&processors[n], at, EPT_READ));
            memset(maps[n], 0x5a, sizeof(maps[n]));
        }
        whole = ept_harvest_idle(&beds[0].ept, base, end - base, maps[0]);
        assert_int_equal(whole.status, EPT_OK);
        for (uint64_t at = base; at < end; at = next) {
            struct ept_harvest part;

            next = ept_portion(&beds[1].ept, at, end, EPT_PORTION_PAGES);
            part = ept_harvest_idle_part(&beds[1].ept, base, at, next - at, maps[1]);
            assert_int_equal(part.status, EPT_OK);
            accessed += part.accessed;
        }
        assert_int_equal(accessed, whole.accessed);
        assert_memory_equal(maps[0], maps[1], sizeof(maps[0]));
        assert_true(bed_done(&beds[0]));
        assert_true(bed_done(&beds[1]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_flag_once),         cmocka_unit_test(test_flush_is_needed),
        cmocka_unit_test(test_part_of_a_large_page),   cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_idle_map_against_model), cmocka_unit_test(test_idle_map_in_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
