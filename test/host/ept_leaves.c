/* SPDX-License-Identifier: MIT */
/* Tests of ept/leaves.c: the parts that long work on a range is done in. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/leaves.h"
#include "ept/protect.h"
#include "test/host/ept_processor.h"

#define END (2 * GB)

/* Portions follow each other to the end, none is much work, and none divides a leaf. */
static void check_portions(struct ept *ept, uint64_t start, unsigned pages)
{
    unsigned count = 0;

    for (uint64_t at = start, next; at < END; at = next) {
        struct ept_run run;
        unsigned slots = 0;

        next = ept_portion(ept, at, END, pages);
        assert_in_range(next, at + 1, END);
        for (uint64_t in = at; in < next;) {
            (void)!ept_find_run(ept, in, &run);
            if (run.level == EPT_LEVEL_PT) {
                assert_int_equal(in, at);
                assert_true(next - at <= pages * 4 * KB);
                assert_true(next % (pages * 4 * KB) == 0);
                break;
            }
            slots++;
            in = run.gpa + ept_level_size(run.level);
            assert_true(in <= next || next == END);
        }
        assert_true(slots <= 32);
        count++;
    }
    assert_true(count > 1);
}

static void test_portions(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 2048));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, GB + 0x1000, RWX)); /* 4 KiB pages */
    assert_true(bed_add(&bed, EPT_REGION_RAM, 4 * MB, 600 * MB, 2 * GB + 4 * MB, RWX));
    assert_true(bed_add(&bed, EPT_REGION_RAM, GB, GB, 4 * GB, RWX)); /* one page */
    assert_int_equal(ept_map_range(&bed.ept, 0, 604 * MB).status, EPT_OK);
    assert_int_equal(ept_map_range(&bed.ept, GB, GB).status, EPT_OK);
    for (unsigned pages = 64; pages <= EPT_ENTRIES; pages *= 2) {
        check_portions(&bed.ept, 0, pages);
        check_portions(&bed.ept, 0x5000, pages);
    }
    /* A border in a large page: small ones on both sides, before anything else changes. */
    assert_int_equal(ept_split_borders(&bed.ept, 5 * MB, GB), EPT_FLUSH_CONTEXT);
    check_portions(&bed.ept, 5 * MB, EPT_PORTION_PAGES);
    assert_int_equal(ept_portion(&bed.ept, 5 * MB, END, EPT_PORTION_PAGES), 5 * MB + 512 * KB);
    assert_int_equal(ept_portion(&bed.ept, GB + 5 * MB, END, EPT_PORTION_PAGES), GB + 5 * MB + 512 * KB);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_portions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
