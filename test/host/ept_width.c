/* SPDX-License-Identifier: MIT */
/*
 * Widths at every level: for each physical-address width, walk length and page size, the highest addresses
 * are mapped, no entry has a bit beyond the width, and the first address beyond it is a named error of every
 * call.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/cold.h"
#include "ept/merge.h"
#include "ept/misconfig.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/split.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

#define FRAMES 16
#define BASE   UINT64_C(0x10000) /* host-physical: frames that every width can express */

static _Alignas(4096) uint64_t frames[FRAMES][512];
static unsigned used;

static uint64_t alloc_frame(void *context)
{
    (void)context;
    if (used == FRAMES)
        return EPT_NO_FRAME;
    memset(frames[used], 0, sizeof(frames[used]));
    return BASE + used++ * UINT64_C(4096);
}

static void free_frame(void *context, uint64_t hpa)
{
    (void)context;
    (void)hpa;
}

static const struct ept_memory memory = {.alloc_table = alloc_frame, .free_table = free_frame};

struct setting {
    struct ept ept;
    struct ept_caps caps;
    struct ept_region storage[4];
    struct ept_region_list list;
};

static void start(struct setting *setting, uint64_t capabilities, unsigned width)
{
    struct ept_memory direct = memory;

    used = 0;
    direct.direct_map = (uintptr_t)frames - BASE;
    assert_int_equal(ept_caps_init(&setting->caps, capabilities, width), EPT_OK);
    ept_region_list_init(&setting->list, setting->storage, 4, &setting->caps);
    assert_int_equal(ept_init(&setting->ept, &direct, &setting->caps, &setting->list), EPT_OK);
}

/* The last page below both widths, by a page of `level`. */
static void check_highest(uint64_t capabilities, unsigned width, unsigned level)
{
    struct setting setting;
    struct ept_region region = {.kind = EPT_REGION_RAM, .rights = RWX, .memory_type = MEMORY_TYPE_WB};
    uint64_t size = ept_level_size(level), gpa_end, hpa_end;
    struct ept_fault_result result;
    struct ept_walk walk;

    start(&setting, capabilities, width);
    gpa_end = UINT64_C(1) << setting.caps.guest_width;
    hpa_end = UINT64_C(1) << setting.caps.physical_width;
    region.gpa = gpa_end - size;
    region.size = size;
    region.hpa = hpa_end - size;
    assert_int_equal(ept_region_add(&setting.list, &region), EPT_OK);
    result = ept_fault(&setting.ept, gpa_end - 1, EPT_READ);
    assert_int_equal(result.kind, EPT_FAULT_INSTALLED);
    assert_int_equal(result.level, level);
    assert_int_equal(result.hpa, hpa_end - 1);
    walk = ept_walk(&setting.ept, gpa_end - 1);
    assert_int_equal(walk.end, EPT_WALK_MAPPED);
    assert_int_equal(walk.count, setting.caps.levels - level + 1);
    for (unsigned n = 0; n < walk.count; n++) {
        uint64_t offending;

        assert_int_equal(walk.steps[n].entry.raw & setting.caps.reserved_address, 0);
        assert_int_equal(
            ept_misconfig_reasons(&setting.caps, walk.steps[n].level, walk.steps[n].entry, &offending), 0);
    }
    if (level > EPT_LEVEL_PT) { /* its parts, too */
        assert_int_equal(ept_split(&setting.ept, gpa_end - 1, EPT_LEVEL_PT).status, EPT_OK);
        assert_int_equal(ept_walk(&setting.ept, gpa_end - 1).hpa, hpa_end - 1);
        assert_int_equal(ept_set_rights(&setting.ept, gpa_end - 4 * KB, 4 * KB, R).status, EPT_OK);
        assert_int_equal(ept_walk(&setting.ept, gpa_end - 1).rights, R);
        assert_int_equal(ept_walk(&setting.ept, gpa_end - 4 * KB - 1).rights, RWX);
    }
    assert_int_equal(ept_zap(&setting.ept, gpa_end - size, UINT64_MAX), EPT_FLUSH_CONTEXT);
    assert_int_equal(ept_walk(&setting.ept, gpa_end - 1).end, EPT_WALK_NOT_PRESENT);
    ept_destroy(&setting.ept);
    assert_int_equal(setting.ept.table_count, 0);
}

/* The first page beyond the width, and the last of all. */
static void check_beyond(struct setting *setting, uint64_t gpa)
{
    struct ept *ept = &setting->ept;
    struct ept_region region = {
        .gpa = gpa, .size = 4 * KB, .kind = EPT_REGION_RAM, .rights = RWX, .memory_type = MEMORY_TYPE_WB};
    struct ept_merge_batch batch = {.count = 0};
    enum ept_flush flush;

    assert_int_equal(ept_fault(ept, gpa, EPT_READ).kind, EPT_FAULT_BEYOND_WIDTH);
    assert_int_equal(ept_repair(ept, gpa, EPT_READ).kind, EPT_FAULT_BEYOND_WIDTH);
    assert_int_equal(ept_walk(ept, gpa).end, EPT_WALK_BEYOND_WIDTH);
    assert_int_equal(ept_misconfig_analyse(ept, gpa).count, 0);
    assert_int_equal(ept_region_add(&setting->list, &region), EPT_BEYOND_WIDTH);
    assert_int_equal(ept_map_range(ept, gpa, 4 * KB).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_map_one(ept, gpa, 0, R, MEMORY_TYPE_WB).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_split(ept, gpa, 1).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_plant(ept, gpa, 1, EPT_PLANT_NOT_PRESENT).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_set_rights(ept, gpa, 4 * KB, R).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_set_type(ept, gpa, 4 * KB, MEMORY_TYPE_UC, false).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_set_type_from_mtrr(ept, gpa, 4 * KB, false).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_remove(ept, gpa, 4 * KB).status, EPT_BEYOND_WIDTH);
    assert_int_equal(ept_zap(ept, gpa, 4 * KB), EPT_FLUSH_NONE);
    assert_true(ept_merge(ept, gpa, UINT64_MAX, 2, &batch, &flush) >= UINT64_C(1) << ept->caps.guest_width);
    assert_int_equal(ept_take_cold(ept, gpa, 1, &flush), 0);
}

static void test_every_width(void **state)
{
    const uint64_t capabilities[] = {CAP_ALL, CAP_5_LEVEL, CAP_5_LEVEL & ~EPT_BIT(6)};

    (void)state;
    for (unsigned c = 0; c < 3; c++) {
        for (unsigned width = 32; width <= 52; width++) {
            struct setting setting;
            struct ept_region region = {.size = 4 * KB, .kind = EPT_REGION_RAM, .rights = RWX};
            uint64_t limit;

            for (unsigned level = EPT_LEVEL_PT; level <= EPT_LEVEL_PDPT; level++)
                check_highest(capabilities[c], width, level);
            start(&setting, capabilities[c], width);
            assert_int_equal(setting.caps.guest_width, width > 48 && c == 0 ? 48 : width);
            limit = UINT64_C(1) << setting.caps.guest_width;
            check_beyond(&setting, limit);
            check_beyond(&setting, UINT64_MAX & ~UINT64_C(0xfff));
            region.hpa = UINT64_C(1) << width; /* the other space */
            assert_int_equal(ept_region_add(&setting.list, &region), EPT_BEYOND_WIDTH);
            assert_int_equal(ept_map_one(&setting.ept, 0, region.hpa, R, MEMORY_TYPE_WB).status,
                             EPT_BEYOND_WIDTH);
            assert_int_equal(used, 1); /* no error costs a table */
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_width),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
