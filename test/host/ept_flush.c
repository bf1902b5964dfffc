/* SPDX-License-Identifier: MIT */
/* Tests of ept/flush.c: a test per row of the table in ept/README.md. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/split.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

static enum ept_flush change(const struct ept_caps *caps, unsigned level, uint64_t old, uint64_t new_raw)
{
    return ept_flush_for_change(caps, level, (struct ept_entry){old}, (struct ept_entry){new_raw});
}

static void test_entry_changes(void **state)
{
    struct ept_caps caps, plain;

    (void)state;
    assert_int_equal(ept_caps_init(&caps, CAP_ALL, 40), EPT_OK);
    plain = caps;
    plain.accessed_dirty = false;
    /* was not present, was misconfigured */
    assert_int_equal(change(&caps, 1, 0, 0x1037), EPT_FLUSH_NONE);
    assert_int_equal(change(&caps, 1, 0x1030, 0x2037), EPT_FLUSH_NONE);
    assert_int_equal(change(&caps, 1, 0x1032, 0x2037), EPT_FLUSH_NONE);
    assert_int_equal(change(&caps, 1, 0x103f, 0), EPT_FLUSH_NONE);
    /* rights: fewer, more */
    assert_int_equal(change(&caps, 1, 0x1037, 0), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 1, 0x1037, 0x1033), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 4, 0x1007, 0x1003), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 1, 0x1031, 0x1037), EPT_FLUSH_NONE);
    assert_int_equal(change(&caps, 3, 0x1001, 0x1007), EPT_FLUSH_NONE);
    assert_int_equal(change(&caps, 1, 0x1033, 0x1035), EPT_FLUSH_CONTEXT); /* one less, one more */
    /* address, size of the page */
    assert_int_equal(change(&caps, 1, 0x1037, 0x2037), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 2, 0x2000b7, 0x200007), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 2, 0x200007, 0x2000b7), EPT_FLUSH_CONTEXT);
    /* type and IPAT of a leaf */
    assert_int_equal(change(&caps, 1, 0x1037, 0x1007), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 1, 0x1037, 0x1077), EPT_FLUSH_CONTEXT);
    /* accessed and dirty, only if they are in use; dirty says nothing in a reference */
    assert_int_equal(change(&caps, 1, 0x1137, 0x1037), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 1, 0x1237, 0x1037), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 2, 0x1107, 0x1007), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 2, 0x1207, 0x1007), EPT_FLUSH_NONE);
    assert_int_equal(change(&plain, 1, 0x1337, 0x1037), EPT_FLUSH_NONE);
    assert_int_equal(change(&caps, 1, 0x1037, 0x1337), EPT_FLUSH_NONE);
    /* becomes misconfigured; ignored bits */
    assert_int_equal(change(&caps, 1, 0x1037, 0x103f), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 4, 0x1007, 0x100f), EPT_FLUSH_CONTEXT);
    assert_int_equal(change(&caps, 1, 0x1037, 0x1837), EPT_FLUSH_NONE);
    assert_int_equal(change(&caps, 1, 0x1037, 0x1037 | EPT_SOFTWARE_TEMPORARY), EPT_FLUSH_NONE);
    assert_int_equal(ept_flush_both(EPT_FLUSH_NONE, EPT_FLUSH_CONTEXT), EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_flush_both(EPT_FLUSH_CONTEXT, EPT_FLUSH_NONE), EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_flush_both(EPT_FLUSH_NONE, EPT_FLUSH_NONE), EPT_FLUSH_NONE);
}

static void test_operations(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, GB, 16 * GB, RWX));
    assert_int_equal(ept_zap(&bed.ept, 0, GB), EPT_FLUSH_NONE);               /* nothing was mapped */
    assert_int_equal(ept_fault(&bed.ept, 0, EPT_READ).flush, EPT_FLUSH_NONE); /* installed */
    assert_int_equal(ept_fault(&bed.ept, 0, EPT_READ).flush, EPT_FLUSH_NONE); /* spurious */
    assert_int_equal(ept_split(&bed.ept, 0, 1).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_split(&bed.ept, 0, 1).flush, EPT_FLUSH_NONE); /* it was split */
    assert_int_equal(ept_set_rights(&bed.ept, 0x1000, 0x1000, R).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_set_rights(&bed.ept, 0x1000, 0x1000, R).flush, EPT_FLUSH_NONE);
    assert_int_equal(ept_fault(&bed.ept, 0x1000, EPT_READ).kind, EPT_FAULT_INSTALLED);
    assert_int_equal(ept_set_rights(&bed.ept, 0x1000, 0x1000, RWX).flush, EPT_FLUSH_NONE); /* more rights */
    assert_int_equal(ept_fault(&bed.ept, 0x1000, EPT_WRITE).flush, EPT_FLUSH_NONE);        /* upgraded */
    assert_int_equal(ept_set_type(&bed.ept, 0x2000, 0x1000, MEMORY_TYPE_UC, false).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_remove(&bed.ept, 0x3000, 0x1000).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_remove(&bed.ept, 0x3000, 0x1000).flush, EPT_FLUSH_NONE);
    assert_int_equal(ept_plant(&bed.ept, 0x8000, 1, EPT_PLANT_WRITE_ONLY).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_fault(&bed.ept, 0x8000, 0).flush,
                     EPT_FLUSH_NONE); /* a misconfigured entry is not cached */
    assert_int_equal(ept_plant(&bed.ept, 0x8000, 3, EPT_PLANT_READ_ONLY).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_fault(&bed.ept, 0x8000, EPT_WRITE).flush, EPT_FLUSH_NONE);
    assert_int_equal(ept_map_one(&bed.ept, 0x9000, 0, R, MEMORY_TYPE_WB).flush, EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_map_one(&bed.ept, 32 * GB, 0, R, MEMORY_TYPE_WB).flush, EPT_FLUSH_NONE);
    assert_int_equal(ept_zap(&bed.ept, 0, TB), EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_map_range(&bed.ept, 4 * MB, 4 * MB).flush, EPT_FLUSH_NONE);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entry_changes),
        cmocka_unit_test(test_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
