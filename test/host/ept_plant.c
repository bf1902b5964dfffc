/* SPDX-License-Identifier: MIT */
/* Tests of ept/plant.c, ept/planted.c and ept_repair(): every kind at every level, spoilt, seen, and put
 * right. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/audit.h"
#include "ept/misconfig.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

#define GPA (3 * GB + 0x201000)

static bool is_violation(enum ept_plant_kind kind)
{
    return kind <= EPT_PLANT_NO_EXECUTE;
}

/* Written from hypercall_abi.h, not from the code: which kinds exist where. */
static bool expected(uint64_t capabilities, unsigned level, enum ept_plant_kind kind)
{
    bool large = (level == 2 && capabilities & 1u << 16) || (level == 3 && capabilities & 1u << 17);

    switch (kind) {
    case EPT_PLANT_EXECUTE_ONLY:
        return !(capabilities & 1);
    case EPT_PLANT_MEMORY_TYPE_2:
    case EPT_PLANT_MEMORY_TYPE_3:
    case EPT_PLANT_MEMORY_TYPE_7:
        return level == 1 || large;
    case EPT_PLANT_RESERVED_LOW:
        return level >= 2;
    case EPT_PLANT_RESERVED_ALIGNMENT:
        return large;
    case EPT_PLANT_LARGE_PAGE:
        return level == 4 || ((level == 3 || level == 2) && !large);
    default:
        return true;
    }
}

static void check_clean(struct bed *bed)
{
    uint64_t scratch[128];
    struct ept_audit_check check = {.scratch = scratch, .scratch_words = 128};
    struct ept_audit audit;

    assert_true(ept_audit(&bed->ept, &check, &audit));
    assert_false(audit.incomplete);
    assert_int_equal(bed->ept.table_count, bed->pool.in_use);
}

static void plant_and_repair(uint64_t capabilities, unsigned level, enum ept_plant_kind kind)
{
    struct bed bed;
    struct ept_change change;
    struct ept_fault_result result;
    struct ept_walk walk;
    uint32_t frames;

    assert_true(bed_init(&bed, capabilities, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 8 * GB, 16 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, GPA - 0x201000, 8 * MB).status, EPT_OK);
    change = ept_plant(&bed.ept, GPA, level, kind);
    if (!expected(capabilities, level, kind)) {
        assert_int_equal(change.status, EPT_UNSUPPORTED);
        check_clean(&bed);
        assert_true(bed_done(&bed));
        return;
    }
    assert_int_equal(change.status, EPT_OK);
    assert_int_equal(change.flush, EPT_FLUSH_CONTEXT);
    ept_reclaim(&bed.ept);
    check_clean(&bed);
    frames = bed.pool.in_use;
    walk = ept_walk(&bed.ept, GPA);
    if (is_violation(kind)) {
        assert_int_equal(ept_misconfig_analyse(&bed.ept, GPA).count, 0);
        assert_true(kind == EPT_PLANT_NOT_PRESENT ? walk.end == EPT_WALK_NOT_PRESENT && walk.level == level
                                                  : walk.rights == (kind == EPT_PLANT_READ_ONLY ? R : RW));
        result = ept_fault(&bed.ept, GPA, kind == EPT_PLANT_NO_EXECUTE ? EPT_EXECUTE : EPT_WRITE);
    } else {
        struct ept_misconfig found = ept_misconfig_analyse(&bed.ept, GPA);

        assert_int_equal(walk.end, EPT_WALK_MISCONFIG);
        assert_int_equal(walk.level, level);
        assert_int_equal(found.count, 1);
        assert_int_equal(found.entries[0].level, level);
        assert_int_equal(found.entries[0].entry_hpa, walk.steps[walk.count - 1].entry_hpa);
        assert_int_equal(ept_misconfig_plant_kind(&found.entries[0]), kind);
        assert_int_not_equal(found.entries[0].offending, 0);
        result = ept_repair(&bed.ept, GPA, 0);
    }
    /* A leaf that was made not present is simply mapped again. */
    if (kind == EPT_PLANT_NOT_PRESENT && walk.level == result.level)
        assert_int_equal(result.kind, EPT_FAULT_INSTALLED);
    else
        assert_int_equal(result.kind, EPT_FAULT_REPAIRED);
    assert_int_equal(result.tables_added, 0);
    assert_int_equal(bed.pool.in_use, frames);
    assert_int_equal(bed.ept.planted_count, 0);
    walk = ept_walk(&bed.ept, GPA);
    assert_int_equal(walk.end, EPT_WALK_MAPPED);
    assert_int_equal(walk.hpa, GPA + 16 * GB);
    assert_int_equal(walk.rights, RWX);
    assert_int_equal(ept_fault(&bed.ept, GPA, RWX).kind, EPT_FAULT_SPURIOUS);
    check_clean(&bed);
    assert_true(bed_done(&bed));
}

static void test_every_kind_and_level(void **state)
{
    const uint64_t capabilities[] = {CAP_ALL, CAP_NO_1G, CAP_NO_LARGE, CAP_NO_X};

    (void)state;
    for (unsigned c = 0; c < 4; c++) {
        for (unsigned level = 1; level <= 4; level++) {
            for (int kind = 0; kind < EPT_PLANT_KIND_COUNT; kind++)
                plant_and_repair(capabilities[c], level, (enum ept_plant_kind)kind);
        }
    }
}

/* Rights are taken away where a spoilt entry stands: no page is due there, and yet the bad entry goes, so
 * that the next access is a violation and no misconfiguration again. */
static void test_repair_of_denied(void **state)
{
    (void)state;
    for (unsigned level = 1; level <= 4; level++) {
        for (int kind = EPT_PLANT_WRITE_ONLY; kind < EPT_PLANT_KIND_COUNT; kind++) {
            for (unsigned gone = 0; gone < 2; gone++) {
                struct ept_fault_result result;
                struct bed bed;

                assert_true(bed_init(&bed, CAP_NO_X, 40, 64));
                assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 8 * GB, 16 * GB, RWX));
                if (ept_plant(&bed.ept, GPA, level, (enum ept_plant_kind)kind).status != EPT_OK) {
                    assert_true(bed_done(&bed));
                    continue;
                }
                /* The list alone, as if the plant had come in between. */
                assert_int_equal(gone ? ept_region_remove(bed.ept.regions, GPA, 4096)
                                      : ept_region_set_rights(bed.ept.regions, GPA, 4096, 0),
                                 EPT_OK);
                result = ept_repair(&bed.ept, GPA, 0);
                assert_int_equal(result.kind, gone ? EPT_FAULT_DENIED_HOLE : EPT_FAULT_DENIED_RIGHTS);
                assert_int_not_equal(ept_walk(&bed.ept, GPA).end, EPT_WALK_MISCONFIG);
                assert_int_equal(ept_misconfig_analyse(&bed.ept, GPA).count, 0);
                assert_int_equal(bed.ept.planted_count, 0);
                assert_true(bed_done(&bed));
            }
        }
    }
}

static void test_leaf_level_zero(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_1G, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 8 * GB, 16 * GB, RWX));
    assert_int_equal(ept_plant(&bed.ept, GPA, 0, EPT_PLANT_MEMORY_TYPE_3).status, EPT_OK);
    assert_int_equal(ept_walk(&bed.ept, GPA).level, 2);
    assert_int_equal(ept_repair(&bed.ept, GPA, EPT_READ).repaired_level, 2);
    assert_int_equal(ept_plant(&bed.ept, GPA, 0, EPT_PLANT_RESERVED_LOW).status,
                     EPT_OK); /* by splitting it is no leaf */
    assert_int_equal(ept_walk(&bed.ept, GPA).level, 2);
    assert_int_equal(ept_repair(&bed.ept, GPA, EPT_READ).level, 1);
    assert_int_equal(ept_plant(&bed.ept, GPA, 0, EPT_PLANT_RESERVED_LOW).status, EPT_UNSUPPORTED);
    assert_true(bed_done(&bed));
}

static void test_refusals(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_ALL, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 1 * MB, 16 * GB, R));
    assert_true(bed_add(&bed, EPT_REGION_HOLE, 1 * MB, 1 * MB, 0, 0));
    assert_int_equal(ept_plant(&bed.ept, 1 * MB, 1, EPT_PLANT_NOT_PRESENT).status, EPT_NOT_LISTED);
    assert_int_equal(ept_plant(&bed.ept, 3 * MB, 0, EPT_PLANT_NOT_PRESENT).status, EPT_NOT_LISTED);
    assert_int_equal(ept_plant(&bed.ept, TB, 1, EPT_PLANT_NOT_PRESENT).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_plant(&bed.ept, 0, 5, EPT_PLANT_NOT_PRESENT).status, EPT_UNSUPPORTED);
    assert_int_equal(ept_plant(&bed.ept, 0, 1, EPT_PLANT_KIND_COUNT).status, EPT_UNSUPPORTED);
    assert_int_equal(ept_plant(&bed.ept, 0, 1, (enum ept_plant_kind)1000).status, EPT_UNSUPPORTED);
    assert_int_equal(ept_plant(&bed.ept, 0, 1, EPT_PLANT_READ_ONLY).status,
                     EPT_UNSUPPORTED); /* it is no more anyway */
    assert_int_equal(ept_plant(&bed.ept, 0, 2, EPT_PLANT_MEMORY_TYPE_2).status,
                     EPT_UNSUPPORTED); /* no 2M page fits */
    bed.pool.limit = bed.pool.in_use;
    assert_int_equal(ept_zap(&bed.ept, 0, TB), EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_plant(&bed.ept, 0, 1, EPT_PLANT_NOT_PRESENT).status, EPT_NO_FRAME_LEFT);
    assert_true(bed_done(&bed));

    assert_true(bed_init(&bed, CAP_ALL, 52, 64)); /* no address bit is reserved */
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 1 * MB, 16 * GB, RWX));
    assert_int_equal(ept_plant(&bed.ept, 0, 1, EPT_PLANT_RESERVED_ADDRESS).status, EPT_UNSUPPORTED);
    assert_true(bed_done(&bed));
}

/* Several at once on one path: the lower first, for planting below a spoilt entry mends that. */
static void test_stacked(void **state)
{
    struct bed bed;
    struct ept_misconfig found;
    struct ept_fault_result result;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 8 * GB, 16 * GB, RWX));
    assert_int_equal(ept_map_range(&bed.ept, 0, 2 * MB).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 0x5000, 1, EPT_PLANT_MEMORY_TYPE_7).status, EPT_OK);
    *pool_entry(&bed.pool, &bed.ept, 0x5000, 1) |= EPT_BIT(47);
    found = ept_misconfig_analyse(&bed.ept, 0x5000);
    assert_int_equal(found.count, 1);
    assert_int_equal(found.entries[0].reasons, EPT_REASON_MEMORY_TYPE | EPT_REASON_ADDRESS);
    /* A plant at another address under the same table spoils the shared upper entries. */
    assert_int_equal(ept_plant(&bed.ept, 0x6000, 2, EPT_PLANT_RESERVED_ADDRESS).status, EPT_OK);
    found = ept_misconfig_analyse(&bed.ept, 0x5000);
    assert_int_equal(found.count, 2);
    assert_int_equal(found.entries[0].level, 2);
    assert_int_equal(found.entries[1].level, 1);
    result = ept_repair(&bed.ept, 0x5000, EPT_READ);
    assert_int_equal(result.kind, EPT_FAULT_REPAIRED);
    assert_int_equal(result.repaired_level, 2);
    assert_int_equal(ept_misconfig_analyse(&bed.ept, 0x5000).count, 0);
    check_clean(&bed);
    assert_true(bed_done(&bed));
}

static void test_replant_and_accessed_flag(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 8 * GB, 16 * GB, RWX));
    assert_int_equal(ept_plant(&bed.ept, 0, 3, EPT_PLANT_READ_ONLY).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 0, 3, EPT_PLANT_NO_EXECUTE).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 0, 3, EPT_PLANT_RESERVED_LOW).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 0, 3, EPT_PLANT_READ_ONLY).status, EPT_OK);
    assert_int_equal(bed.ept.planted_count, 1);
    *pool_entry(&bed.pool, &bed.ept, 0, 3) |= EPT_ACCESSED; /* the processor used it for reads meanwhile */
    assert_int_equal(ept_fault(&bed.ept, 0, EPT_WRITE).kind, EPT_FAULT_REPAIRED);
    assert_true(*pool_entry(&bed.pool, &bed.ept, 0, 3) & EPT_ACCESSED);
    assert_int_equal(bed.ept.planted_count, 0);
    check_clean(&bed);
    assert_true(bed_done(&bed));
}

static void test_too_many(void **state)
{
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 128));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 8 * GB, 16 * GB, RWX));
    for (uint64_t n = 0; n < EPT_PLANTED_MAX; n++)
        assert_int_equal(ept_plant(&bed.ept, n * 2 * MB, 2, EPT_PLANT_RESERVED_ADDRESS).status, EPT_OK);
    assert_int_equal(ept_plant(&bed.ept, 500 * MB, 2, EPT_PLANT_RESERVED_ADDRESS).status, EPT_TOO_MANY);
    assert_int_equal(ept_walk(&bed.ept, 500 * MB).end, EPT_WALK_MAPPED);
    assert_int_equal(ept_repair(&bed.ept, 0, 0).kind, EPT_FAULT_REPAIRED);
    assert_int_equal(ept_plant(&bed.ept, 500 * MB, 2, EPT_PLANT_RESERVED_ADDRESS).status, EPT_OK);
    /* What hangs below spoilt references goes with the rest. */
    assert_int_equal(ept_zap(&bed.ept, 0, TB), EPT_FLUSH_CONTEXT);
    assert_int_equal(bed.ept.planted_count, 0);
    ept_reclaim(&bed.ept);
    assert_int_equal(bed.pool.in_use, 1);
    assert_true(bed_done(&bed));
}

static void test_destroy_with_plants(void **state)
{
    const enum ept_plant_kind kinds[] = {EPT_PLANT_NOT_PRESENT, EPT_PLANT_READ_ONLY,
                                         EPT_PLANT_RESERVED_ADDRESS, EPT_PLANT_LARGE_PAGE};

    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        struct bed bed;

        assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
        bed.ept.memory.any_table = NULL; /* no help: the records alone must do */
        assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 8 * GB, 16 * GB, RWX));
        assert_int_equal(ept_plant(&bed.ept, 0, 2, kinds[k]).status, EPT_OK);
        assert_int_equal(ept_plant(&bed.ept, 2 * GB, 3, kinds[k]).status, EPT_OK);
        assert_true(bed_done(&bed));
    }
}

/* What was planted is overwritten by something else: the record is not believed any more. */
static void test_overwritten_plant(void **state)
{
    struct bed bed;
    uint64_t *entry;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 8 * GB, 16 * GB, RWX));
    assert_int_equal(ept_plant(&bed.ept, 0, 2, EPT_PLANT_RESERVED_ADDRESS).status, EPT_OK);
    entry = pool_entry(&bed.pool, &bed.ept, 0, 2);
    *entry ^= 0x40000;
    assert_int_equal(ept_repair(&bed.ept, 0, 0).tables_added, 1);
    assert_int_equal(ept_plant(&bed.ept, 0, 2, EPT_PLANT_RESERVED_LOW).status, EPT_OK);
    assert_int_equal(bed.ept.planted_count, 1);
    assert_int_equal(ept_repair(&bed.ept, 0, 0).tables_added, 0);
    assert_int_equal(bed.ept.planted_count, 0);
    assert_int_equal(bed.ept.table_count, 5); /* one of them lost */
    assert_true(bed_done(&bed));
}

static void test_repair_where_list_denies(void **state)
{
    struct bed bed;
    struct ept_fault_result result;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 64));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 0x1000, 16 * GB, RWX));
    assert_int_equal(ept_map_one(&bed.ept, 0x1000, 0x5000, R, MEMORY_TYPE_WB).status, EPT_OK);
    *pool_entry(&bed.pool, &bed.ept, 0x1000, 1) |= EPT_WRITE | 3 << 3;
    *pool_entry(&bed.pool, &bed.ept, 0x1000, 1) &= ~EPT_READ;
    assert_int_equal(ept_misconfig_analyse(&bed.ept, 0x1000).count, 1);
    result = ept_repair(&bed.ept, 0x1000, EPT_READ);
    assert_int_equal(result.kind, EPT_FAULT_DENIED_HOLE);
    assert_int_equal(result.repaired_level, 1);
    assert_int_equal(ept_misconfig_analyse(&bed.ept, 0x1000).count, 0);
    assert_int_equal(ept_walk(&bed.ept, 0x1000).end, EPT_WALK_NOT_PRESENT);
    assert_int_equal(ept_repair(&bed.ept, TB, EPT_READ).kind, EPT_FAULT_BEYOND_WIDTH);
    assert_int_equal(ept_repair(&bed.ept, 0, EPT_READ).kind, EPT_FAULT_INSTALLED);
    assert_int_equal(ept_repair(&bed.ept, 0, EPT_READ).kind, EPT_FAULT_SPURIOUS); /* nothing is wrong */
    assert_true(bed_done(&bed));
}

static void test_texts(void **state)
{
    (void)state;
    for (int kind = 0; kind < EPT_PLANT_KIND_COUNT; kind++)
        assert_true(strlen(ept_plant_kind_text((enum ept_plant_kind)kind)) > 1);
    assert_string_equal(ept_plant_kind_text((enum ept_plant_kind)99), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_kind_and_level),
        cmocka_unit_test(test_leaf_level_zero),
        cmocka_unit_test(test_repair_of_denied),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_stacked),
        cmocka_unit_test(test_replant_and_accessed_flag),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_destroy_with_plants),
        cmocka_unit_test(test_overwritten_plant),
        cmocka_unit_test(test_repair_where_list_denies),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
