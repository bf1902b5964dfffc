/* SPDX-License-Identifier: MIT */
/* Tests of ept/audit.c: a sound hierarchy passes, and every kind of damage is found. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/audit.h"
#include "ept/plant.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

static uint64_t scratch[64];

static bool table_is_ours(void *context, uint64_t hpa)
{
    return pool_owns(context, hpa);
}

static bool page_is_ours(void *context, uint64_t gpa, uint64_t hpa, uint64_t size, unsigned rights)
{
    (void)context;
    (void)gpa;
    (void)rights;
    return hpa + size <= 64 * GB;
}

static bool audit(struct bed *bed, struct ept_audit *result)
{
    struct ept_audit_check check = {.context = &bed->pool,
                                    .table = table_is_ours,
                                    .page = page_is_ours,
                                    .scratch = scratch,
                                    .scratch_words = 64};

    return ept_audit(&bed->ept, &check, result);
}

static void start(struct bed *bed)
{
    assert_true(bed_init(bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(bed, EPT_REGION_RAM, 0, 1 * MB, 4 * GB, RWX));
    assert_true(bed_add(bed, EPT_REGION_RAM, 2 * MB, 6 * MB, 4 * GB + 2 * MB, RW));
    assert_int_equal(ept_map_range(&bed->ept, 0, 8 * MB).status, EPT_OK);
}

static void test_sound(void **state)
{
    struct bed bed;
    struct ept_audit result;

    (void)state;
    start(&bed);
    assert_true(audit(&bed, &result));
    assert_int_equal(result.tables, 4);
    assert_int_equal(result.leaves[1], 256);
    assert_int_equal(result.leaves[2], 3);
    assert_true(result.first_bad_gpa == UINT64_MAX);
    assert_int_equal(ept_map_one(&bed.ept, 1 * MB, 0, R, MEMORY_TYPE_WB).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 0, 2, EPT_PLANT_RESERVED_ADDRESS).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 2 * MB, 2, EPT_PLANT_MEMORY_TYPE_2).status, EPT_OK);
    assert_int_equal(ept_zap(&bed.ept, 4 * MB, 2 * MB), EPT_FLUSH_CONTEXT);
    assert_true(audit(&bed, &result)); /* planted, temporary and retired are no damage */
    assert_int_equal(result.planted, 2);
    assert_int_equal(result.temporary, 1);
    assert_true(bed_done(&bed));
}

static void test_damage(void **state)
{
    struct bed bed;
    struct ept_audit result;
    uint64_t *pde;

    (void)state;
    start(&bed);
    *pool_entry(&bed.pool, &bed.ept, 0x5000, 1) |= EPT_BIT(3); /* type 7 */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.malformed, 1);
    assert_int_equal(result.first_bad_gpa, 0x5000);
    assert_true(bed_done(&bed));

    start(&bed);
    *pool_entry(&bed.pool, &bed.ept, 0x5000, 1) ^= EPT_BIT(38); /* a frame of somebody else */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.foreign_pages, 1);
    assert_int_equal(result.unlisted, 1);
    assert_true(bed_done(&bed));

    start(&bed);
    *pool_entry(&bed.pool, &bed.ept, 2 * MB, 2) |= EPT_EXECUTE; /* more than the list grants */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.unlisted, 1);
    assert_int_equal(result.first_bad_gpa, 2 * MB);
    assert_true(bed_done(&bed));

    start(&bed);
    *pool_entry(&bed.pool, &bed.ept, 1 * MB, 1) =
        *pool_entry(&bed.pool, &bed.ept, 0, 1); /* where nothing is listed */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.unlisted, 1);
    assert_true(bed_done(&bed));

    start(&bed);
    pde = pool_entry(&bed.pool, &bed.ept, 0, 2);
    pde[100] = pde[0];
    assert_false(audit(&bed, &result));
    assert_int_equal(result.shared, 1);
    assert_int_equal(result.tables, 4);
    pde[100] = bed.ept.root | RWX;
    assert_false(audit(&bed, &result));
    assert_int_equal(result.cycles, 1);
    pde[100] = (64 * GB + 0x1000) | RWX;
    assert_false(audit(&bed, &result));
    assert_int_equal(result.foreign_tables, 1);
    pde[100] = 0;
    pde[0] = 0; /* the only reference */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.lost, 1);
    assert_true(bed_done(&bed));
}

/* Leaves that a processor may take, but that the engine would not write. */
static void test_leaves_that_are_not_canonical(void **state)
{
    const unsigned bits[] = {7, 10, 11, 55, 56, 57, 58, 60, 61, 63};
    struct bed bed;
    struct ept_audit result;

    (void)state;
    start(&bed);
    for (unsigned n = 0; n < sizeof(bits) / sizeof(bits[0]); n++) {
        for (unsigned level = bits[n] == 7 ? 1 : 2; level >= 1; level--) {
            uint64_t gpa = level == 2 ? 4 * MB : 0x5000;
            uint64_t *entry = pool_entry(&bed.pool, &bed.ept, gpa, level);

            *entry ^= EPT_BIT(bits[n]);
            assert_false(audit(&bed, &result));
            assert_int_equal(result.noncanonical, 1);
            assert_int_equal(result.malformed, 0);
            assert_int_equal(result.first_bad_gpa, gpa);
            *entry ^= EPT_BIT(bits[n]);
        }
    }
    *pool_entry(&bed.pool, &bed.ept, 4 * MB, 2) |= EPT_SOFTWARE_TEMPORARY; /* such pages are small */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.noncanonical, 1);
    *pool_entry(&bed.pool, &bed.ept, 4 * MB, 2) &= ~EPT_SOFTWARE_TEMPORARY;
    for (unsigned level = 1; level <= 2; level++)
        *pool_entry(&bed.pool, &bed.ept, level == 2 ? 4 * MB : 0x5000, level) |= EPT_ACCESSED | EPT_DIRTY;
    assert_true(audit(&bed, &result));
    assert_true(bed_done(&bed));

    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 4 * MB, 4 * GB, RWX));
    assert_int_equal(ept_fault(&bed.ept, 0, 0).rights, RWX);
    assert_true(audit(&bed, &result));
    bed.ept.no_executable_large = true; /* a processor that such a page can stop */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.noncanonical, 1);
    assert_true(bed_done(&bed));
}

static void test_unreachable_regions(void **state)
{
    struct bed bed;
    struct ept_audit result;
    uint64_t *entry;

    (void)state;
    start(&bed);
    bed.storage[1].size = 2 * TB; /* beyond the guest-physical width */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.unreachable, 1);
    assert_int_equal(result.first_bad_gpa, 2 * MB);
    bed.storage[1].size = 6 * MB;
    bed.storage[1].hpa = TB; /* beyond the physical one */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.unreachable, 1);
    bed.storage[1].hpa = 4 * GB + 2 * MB;
    bed.storage[0].size = 3 * MB; /* overlap */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.unreachable, 1);
    bed.storage[0].size = 1 * MB;
    assert_true(audit(&bed, &result));

    /* An entry in the way: of the first region, of the second, of both, of none. */
    entry = pool_entry(&bed.pool, &bed.ept, 0, 2);
    *entry |= EPT_BIT(3);
    assert_false(audit(&bed, &result));
    assert_int_equal(result.malformed, 1);
    assert_int_equal(result.unreachable, 1);
    *entry &= ~EPT_BIT(3);
    entry = pool_entry(&bed.pool, &bed.ept, 2 * MB, 2);
    *entry |= EPT_BIT(13);
    assert_false(audit(&bed, &result));
    assert_int_equal(result.unreachable, 1);
    assert_int_equal(result.first_bad_gpa, 2 * MB);
    *entry &= ~EPT_BIT(13);
    assert_true(bed_add(&bed, EPT_REGION_RAM, 16 * MB, 4 * KB, 4 * GB, 0)); /* wants none */
    assert_true(audit(&bed, &result));
    entry = pool_entry(&bed.pool, &bed.ept, 0, 3);
    *entry ^= EPT_BIT(37); /* another's frame */
    assert_false(audit(&bed, &result));
    assert_int_equal(result.foreign_tables, 1);
    assert_int_equal(result.unreachable, 2);
    *entry ^= EPT_BIT(37);
    pool_entry(&bed.pool, &bed.ept, 0, 3)[100] = bed.ept.root | RWX;
    assert_false(audit(&bed, &result));
    assert_int_equal(result.cycles, 1);
    assert_int_equal(result.unreachable, 0);
    assert_true(bed_done(&bed));
}

static void test_small_scratch(void **state)
{
    struct bed bed;
    struct ept_audit result;
    struct ept_audit_check check = {.scratch = scratch, .scratch_words = 3};

    (void)state;
    start(&bed);
    assert_true(ept_audit(&bed.ept, &check, &result));
    assert_true(result.incomplete);
    check.scratch = NULL;
    assert_true(ept_audit(&bed.ept, &check, &result));
    assert_true(result.incomplete);
    assert_true(bed_done(&bed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sound),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_leaves_that_are_not_canonical),
        cmocka_unit_test(test_unreachable_regions),
        cmocka_unit_test(test_small_scratch),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
