/* SPDX-License-Identifier: MIT */
/* Each operation that maps, splits, merges or takes away, step by step: see one_operation.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/merge.h"
#include "ept/misconfig.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/split.h"
#include "ept/zap.h"
#include "test/observed/one_operation.h"

#define EPT (&world.bed.ept)

static void map(uint64_t gpa, unsigned access)
{
    expect(ept_fault_resolved(ept_fault(EPT, gpa, access).kind));
}

static void fault(uint64_t gpa, unsigned access, enum ept_fault_kind kind)
{
    struct ept_fault_result result = ept_fault(EPT, gpa, access);

    if (result.kind != kind)
        world_fail("%s instead of %s", ept_fault_kind_name(result.kind), ept_fault_kind_name(kind));
    operated(result.flush);
}

static void changed(struct ept_change change, enum ept_status status)
{
    if (change.status != status)
        world_fail("%s", ept_status_text(change.status));
    operated(change.flush);
}

static void probe_all(const uint64_t *gpa, unsigned count)
{
    for (unsigned n = 0; n < count; n++)
        world_probe(gpa[n]);
}

#define PROBES(...)                                                                                          \
    probe_all((const uint64_t[]){__VA_ARGS__}, sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

/* RAM in pages of each size, ROM, and memory that is not executable. */
static void regions(void)
{
    expect(bed_add(&world.bed, EPT_REGION_RAM, 0, 4 * MB, GB, RWX));
    expect(bed_add(&world.bed, EPT_REGION_ROM, 4 * MB, 2 * MB, 2 * GB + 4 * KB, RX));
    expect(bed_add(&world.bed, EPT_REGION_RAM, 6 * MB, 2 * MB, 2 * GB + 6 * MB, RW));
    expect(bed_add(&world.bed, EPT_REGION_RAM, GB, GB, 4 * GB, RWX));
}

/* --- Faults -----------------------------------------------------------------------------------------------
 */

static const uint64_t pages[] = {0x1000, 4 * MB + 0x3000, 6 * MB + 0x5000, GB + 0x7000};

static void prepare_empty(unsigned variant)
{
    regions();
    PROBES(0x1000, 0x2000, 3 * MB, 4 * MB + 0x3000, 4 * MB, 6 * MB + 0x5000, GB + 0x7000, GB + 700 * MB,
           8 * MB);
    for (unsigned n = 0; n < variant % 4; n++) /* tables are there, or are not */
        map(pages[n] + 0x1000, 0);
}

static void operate_install(unsigned variant)
{
    for (unsigned n = 0; n < 4; n++) {
        unsigned page = (n + variant % 4) % 4;
        bool there = world_translate(pages[page]).how == MAPPED;

        fault(pages[page], 0, there ? EPT_FAULT_SPURIOUS : EPT_FAULT_INSTALLED);
    }
}

static void operate_denied(unsigned variant)
{
    (void)variant;
    fault(8 * MB, EPT_READ, EPT_FAULT_DENIED_HOLE);
    fault(4 * MB, EPT_WRITE, EPT_FAULT_DENIED_ROM_WRITE);
    fault(6 * MB, EPT_EXECUTE, EPT_FAULT_DENIED_NX);
    fault(TB, EPT_READ, EPT_FAULT_BEYOND_WIDTH);
}

static void operate_no_frame(unsigned variant)
{
    (void)variant;
    world.bed.pool.limit = world.bed.pool.in_use + 2;
    fault(4 * MB, EPT_READ, EPT_FAULT_NO_FRAME);
}

static void prepare_more_rights(unsigned variant)
{
    expect(bed_add(&world.bed, EPT_REGION_RAM, 0, 4 * MB, GB + (variant & 1) * 4 * KB, R));
    PROBES(0x1000, 0x2000, 3 * MB);
    map(0x1000, 0);
    map(0x2000, 0);
    expect(ept_region_set_rights(&world.bed.list, 0, 4 * MB, RWX) == EPT_OK);
}

static void operate_more_rights(unsigned variant)
{
    (void)variant;
    fault(0x1000, EPT_WRITE, EPT_FAULT_REPAIRED);
}

/* Rights were added to one page of a large one: it comes back smaller. */
static void prepare_too_large(unsigned variant)
{
    expect(bed_add(&world.bed, EPT_REGION_RAM, 0, 4 * MB, GB, R));
    PROBES(0x1000, 0x2000, 0x3000, 3 * MB);
    map(0x1000, 0);
    expect(ept_region_set_rights(&world.bed.list, 0x1000, 4 * KB, RW) == EPT_OK);
    (void)variant;
}

static void operate_too_large(unsigned variant)
{
    (void)variant;
    fault(0x1000, EPT_WRITE, EPT_FAULT_REPAIRED);
}

/* Large pages are not executable, and the first fetch splits one. */
static void prepare_fetch(unsigned variant)
{
    EPT->no_executable_large = true;
    expect(bed_add(&world.bed, EPT_REGION_RAM, 0, GB, GB, RWX));
    PROBES(0x1000, 0x2000, 0x1ff000, 2 * MB, GB - 0x1000);
    map(0x1000, EPT_READ);
    (void)variant;
}

static void operate_fetch(unsigned variant)
{
    struct ept_fault_result result = ept_fault(EPT, 0x1000, EPT_EXECUTE);

    (void)variant;
    expect(ept_fault_resolved(result.kind));
    operated(result.flush);
}

static void prepare_stand_in(unsigned variant)
{
    prepare_empty(0);
    if (variant >= 1)
        map(0x2000, 0);
    if (variant == 2)
        (void)!ept_split(EPT, 0x1000, 1).flush;
}

static void operate_map_one(unsigned variant)
{
    (void)variant;
    changed(ept_map_one(EPT, 0x1000, 0x5000, RW, MEMORY_TYPE_WB), EPT_OK);
}

static void prepare_take_back(unsigned variant)
{
    prepare_stand_in(variant);
    expect(ept_map_one(EPT, 0x1000, 0x5000, R, MEMORY_TYPE_WB).status == EPT_OK);
}

static void operate_take_back(unsigned variant)
{
    (void)variant;
    fault(0x1000, EPT_WRITE, EPT_FAULT_REPAIRED);
}

static void operate_map_range(unsigned variant)
{
    (void)variant;
    changed(ept_map_range(EPT, 4 * MB - 0x2000, 8 * 0x1000), EPT_OK);
}

/* --- Split and merge --------------------------------------------------------------------------------------
 */

static void prepare_split(unsigned variant)
{
    regions();
    map(GB, 0);
    map(0, 0);
    PROBES(0, 0x1000, 0x1ff000, 2 * MB, GB, GB + 0x1000, GB + 2 * MB, 2 * GB - 0x1000);
    if ((variant & 1) != 0)
        expect(world_access(0x1000, EPT_READ) && world_access(GB, EPT_WRITE));
}

static void operate_split(unsigned variant)
{
    if (variant < 2)
        changed(ept_split(EPT, 0x1000, 1), EPT_OK);
    else if (variant < 4)
        changed(ept_split(EPT, GB + 0x1000, 2), EPT_OK);
    else
        changed(ept_split(EPT, GB + 0x1000, 1), EPT_OK);
}

static void prepare_merge(unsigned variant)
{
    regions();
    map(GB, 0);
    map(0, 0);
    PROBES(0x1000, 0x2000, GB + 0x1000, GB + 8 * MB, 2 * GB - 0x1000);
    if ((variant & 1) != 0)
        expect(world_access(0x1000, EPT_READ) && world_access(GB, EPT_WRITE));
    changed(ept_split(EPT, 0x1000, 1), EPT_OK);
    changed(ept_split(EPT, GB + 0x1000, variant < 4 ? 2 : 1), EPT_OK);
    if ((variant & 2) != 0) {
        (void)!ept_zap(EPT, 0x2000, 0x3000);
        (void)!ept_zap(EPT, GB + 8 * MB, 2 * MB);
    }
    ept_reclaim(EPT);
}

static void operate_merge(unsigned variant)
{
    struct ept_merge_batch batch = {0};
    enum ept_flush flush, more;
    unsigned merged = 0;

    for (unsigned level = EPT_LEVEL_PD; level <= EPT_LEVEL_PDPT; level++) {
        expect(ept_merge(EPT, 0, 2 * MB, level, &batch, &flush) >= 2 * MB);
        expect(ept_merge(EPT, GB, GB + 2 * MB, level, &batch, &more) >= GB + 2 * MB);
        flush = ept_flush_both(flush, more);
        merged += batch.count;
        operated(flush);
        ept_merge_finish(EPT, &batch);
        operated(EPT_FLUSH_NONE);
        ept_reclaim(EPT);
    }
    expect(merged == (variant < 4 ? 2 : 3));
}

/* --- Taking away ------------------------------------------------------------------------------------------
 */

static void prepare_zap(unsigned variant)
{
    prepare_split(0);
    changed(ept_split(EPT, 0x1000, 1), EPT_OK);
    changed(ept_split(EPT, GB + 0x1000, 1), EPT_OK);
    map(4 * MB, 0);
    world_probe(4 * MB);
    if ((variant & 1) != 0) {
        expect(ept_plant(EPT, 0, 2, EPT_PLANT_RESERVED_LOW).status == EPT_OK);
        expect(ept_plant(EPT, 4 * MB, 1, EPT_PLANT_NO_EXECUTE).status == EPT_OK);
    }
}

static void operate_zap(unsigned variant)
{
    const struct {
        uint64_t gpa, size;
    } ranges[] = {{0x1000, 0x1000}, {GB + 0x1000, 0x1000}, {2 * MB, 0x1000}, {0, 2 * MB}, {0x1000, 4 * MB},
                  {GB, GB},         {0, UINT64_MAX}};

    operated(ept_zap(EPT, ranges[variant / 2].gpa, ranges[variant / 2].size));
}

static void operate_reclaim(unsigned variant)
{
    operate_zap(variant);
    ept_reclaim(EPT);
    expect(EPT->retired_count == 0);
    operated(EPT_FLUSH_NONE);
}

static void operate_destroy(unsigned variant)
{
    (void)variant;
    ept_destroy(EPT);
}

static void operate_protect(unsigned variant)
{
    switch (variant) {
    case 0:
        changed(ept_set_rights(EPT, 0, 4 * MB, R), EPT_OK);
        break;
    case 1:
        changed(ept_set_rights(EPT, 4 * MB, 2 * MB, RWX), EPT_OK);
        break;
    case 2:
        changed(ept_set_rights(EPT, GB + 0x1000, 0x1000, 0), EPT_OK);
        break;
    case 3:
        changed(ept_set_type(EPT, 0x1000, 2 * MB, MEMORY_TYPE_UC, true), EPT_OK);
        break;
    default:
        changed(ept_remove(EPT, 0x1000, 3 * MB), EPT_OK);
        break;
    }
}

/* --- Faults on purpose ------------------------------------------------------------------------------------
 */

#define PLANTS (EPT_PLANT_KIND_COUNT * 5)

static void prepare_plant(unsigned variant)
{
    regions();
    PROBES(0x1000, 0x2000, 3 * MB, 4 * MB, 4 * MB + 0x1000);
    map(0x1000, 0);
    map(4 * MB, 0);
    (void)variant;
}

static void operate_plant(unsigned variant)
{
    struct ept_change change =
        ept_plant(EPT, variant & 1 ? 0x1000 : 4 * MB, variant / 2 % 5, (enum ept_plant_kind)(variant / 10));

    expect(change.status == EPT_OK || change.status == EPT_UNSUPPORTED);
    operated(change.flush);
}

static void prepare_repair(unsigned variant)
{
    prepare_plant(variant);
    (void)!ept_plant(EPT, variant & 1 ? 0x1000 : 4 * MB, variant / 2 % 5, (enum ept_plant_kind)(variant / 10))
        .flush;
}

static void operate_repair(unsigned variant)
{
    uint64_t gpa = variant & 1 ? 0x1000 : 4 * MB;
    struct ept_fault_result result = ept_repair(EPT, gpa, EPT_READ);

    expect(ept_fault_resolved(result.kind));
    operated(result.flush);
    result = ept_fault(EPT, gpa, RX);
    expect(ept_fault_resolved(result.kind));
    operated(result.flush);
}

/* Entries that the engine has not written. */
static void prepare_corrupted(unsigned variant)
{
    const uint64_t values[] = {UINT64_MAX, 2, 0x7, EPT_SOFTWARE_FROZEN, EPT_BIT(50) | 1};

    prepare_plant(0);
    *pool_entry(&world.bed.pool, EPT, 0x1000, 1 + variant % 4) = values[variant / 4];
}

static void operate_corrupted(unsigned variant)
{
    struct ept_fault_result result = ept_fault(EPT, 0x1000, EPT_READ);

    (void)variant;
    expect(ept_fault_resolved(result.kind));
    operated(result.flush);
}

#define AS_LISTED (MAY_UNMAP | MAY_BE_LISTED)
static const struct operation operations[] = {
    {"install", CAP_ALL, prepare_empty, operate_install, 4, KEEPS_FLAGS},
    {"install, 2M pages", CAP_NO_1G, prepare_empty, operate_install, 4, KEEPS_FLAGS},
    {"install, 4K pages", CAP_NO_LARGE, prepare_empty, operate_install, 4, KEEPS_FLAGS},
    {"denied", CAP_ALL, prepare_empty, operate_denied, 4, KEEPS_FLAGS},
    {"no frame", CAP_ALL, prepare_empty, operate_no_frame, 1, KEEPS_FLAGS},
    {"more rights", CAP_ALL, prepare_more_rights, operate_more_rights, 2, KEEPS_FLAGS},
    {"too large", CAP_ALL, prepare_too_large, operate_too_large, 1, AS_LISTED},
    {"fetch from a large page", CAP_ALL, prepare_fetch, operate_fetch, 1, MAY_BE_LISTED | KEEPS_FLAGS},
    {"map one", CAP_ALL, prepare_stand_in, operate_map_one, 3, 0},
    {"take back", CAP_ALL, prepare_take_back, operate_take_back, 3, 0},
    {"map range", CAP_ALL, prepare_empty, operate_map_range, 1, KEEPS_FLAGS},
    {"split", CAP_ALL, prepare_split, operate_split, 6, KEEPS_FLAGS},
    {"merge", CAP_ALL, prepare_merge, operate_merge, 6, KEEPS_FLAGS},
    {"zap", CAP_ALL, prepare_zap, operate_zap, 14, AS_LISTED},
    {"reclaim", CAP_ALL, prepare_zap, operate_reclaim, 14, AS_LISTED},
    {"destroy", CAP_ALL, prepare_zap, operate_destroy, 2, AS_LISTED | NOBODY_RUNS},
    {"protect", CAP_ALL, prepare_zap, operate_protect, 5, AS_LISTED},
    {"plant", CAP_ALL, prepare_plant, operate_plant, 2 * PLANTS, AS_LISTED},
    {"repair", CAP_ALL, prepare_repair, operate_repair, 2 * PLANTS, AS_LISTED},
    {"corrupted", CAP_NO_LARGE, prepare_corrupted, operate_corrupted, 20, AS_LISTED | FLUSHES_MORE},
};

static void test_operations(void **state)
{
    (void)state;
    for (unsigned n = 0; n < sizeof(operations) / sizeof(operations[0]); n++) {
        uint64_t accesses = run_operation(&operations[n]);

        print_message("%s: %u variants, %llu accesses\n", operations[n].name, operations[n].variants,
                      (unsigned long long)accesses);
        assert_true(accesses > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_operations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
