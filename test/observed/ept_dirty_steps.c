/* SPDX-License-Identifier: MIT */
/*
 * Harvests and the dirty log, and every other operation while one runs, step by step: see one_operation.h.
 * What is asked here: no write is forgotten, whichever access of the engine it comes before, and each page
 * logs again.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/harvest.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/split.h"
#include "ept/used.h"
#include "ept/zap.h"
#include "test/observed/one_operation.h"

#define EPT        (&world.bed.ept)
#define CAP_NO_AD  (CAP_ALL & ~EPT_BIT(21))
#define LOG_CONFIG 6u /* variants: source and granularity */

static void map(uint64_t gpa, unsigned access)
{
    expect(ept_fault_resolved(ept_fault(EPT, gpa, access).kind));
}

/* Two 2 MiB pages, one 2 MiB in small pages, and read-only memory. */
static void prepare_plain(unsigned variant)
{
    (void)variant;
    expect(bed_add(&world.bed, EPT_REGION_RAM, 0, 4 * MB, GB, RWX));
    expect(bed_add(&world.bed, EPT_REGION_RAM, 4 * MB, 2 * MB, 2 * GB + 4 * KB, RWX));
    expect(bed_add(&world.bed, EPT_REGION_RAM, 6 * MB, 2 * MB, 2 * GB + 6 * MB, R));
    world_probe(0x1000);
    world_probe(0x2000);
    world_probe(2 * MB);
    world_probe(4 * MB);
    world_probe(4 * MB + 0x1000);
    world_probe(6 * MB);
    map(0x1000, 0);
    map(4 * MB, 0);
    map(4 * MB + 0x1000, 0);
    map(6 * MB, 0);
}

static enum ept_dirty_source source_of(unsigned variant)
{
    return EPT_DIRTY_PML + variant % 3;
}

static struct ept_change start(unsigned variant)
{
    world.bed.ept.caps.page_modification_log = true;
    world.page_modification_log = source_of(variant) == EPT_DIRTY_PML;
    return ept_dirty_start(EPT, &world.log, source_of(variant), 1 + variant / 3 % 2,
                           WORLD_PAGES * UINT64_C(4096), world.words);
}

/* A log runs; some pages were written since, some not. */
static void prepare_log(unsigned variant)
{
    const uint64_t written[] = {0x1000, 4 * MB};

    expect(ept_dirty_log_words(WORLD_PAGES) <= WORLD_WORDS);
    prepare_plain(variant);
    expect(start(variant).status == EPT_OK);
    for (unsigned n = 0; n < 2; n++) {
        if (!world_access(written[n], EPT_WRITE)) {
            map(written[n], EPT_WRITE);
            expect(world_access(written[n], EPT_WRITE));
        }
    }
    ept_dirty_drain(EPT, world.modified, world.modified_count);
    world.modified_count = 0;
    ept_reclaim(EPT);
}

static void operate_start(unsigned variant)
{
    struct ept_change change = start(variant);

    expect(change.status == EPT_OK);
    operated(change.flush);
}

static void operate_stop(unsigned variant)
{
    struct ept_change change = ept_dirty_stop(EPT);

    (void)variant;
    expect(change.status == EPT_OK);
    operated(change.flush);
}

static void operate_collect(unsigned variant)
{
    struct ept_dirty_collected collected = ept_dirty_collect(EPT, world.collected);

    (void)variant;
    expect(collected.pages > 0);
    operated(collected.flush);
    collected = ept_dirty_collect(EPT, world.collected);
    operated(collected.flush);
}

static void operate_fault(unsigned variant)
{
    const uint64_t pages[] = {0x2000, 4 * MB + 0x1000, 2 * MB, 4 * MB};
    unsigned access = variant / LOG_CONFIG / 4 == 0 ? EPT_WRITE : EPT_READ;
    struct ept_fault_result result = ept_fault(EPT, pages[variant / LOG_CONFIG % 4], access);

    expect(ept_fault_resolved(result.kind));
    operated(result.flush);
}

static void operate_zap(unsigned variant)
{
    const struct {
        uint64_t gpa, size;
    } ranges[] = {{0x1000, 0x1000}, {0, 2 * MB}, {4 * MB, 0x1000}, {4 * MB, 2 * MB}, {0, UINT64_MAX}};

    operated(ept_zap(EPT, ranges[variant / LOG_CONFIG].gpa, ranges[variant / LOG_CONFIG].size));
}

static void operate_split(unsigned variant)
{
    struct ept_change change = ept_split(EPT, variant / LOG_CONFIG == 0 ? 0x1000 : 2 * MB, 1);

    expect(change.status == EPT_OK || change.status == EPT_NOT_LISTED);
    operated(change.flush);
}

static void operate_protect(unsigned variant)
{
    struct ept_change change;

    if (variant / LOG_CONFIG == 0)
        change = ept_set_rights(EPT, 0x1000, 4 * MB, R);
    else if (variant / LOG_CONFIG == 1)
        change = ept_set_type(EPT, 0x1000, 4 * MB, MEMORY_TYPE_UC, true);
    else
        change = ept_remove(EPT, 0x1000, 4 * MB);
    expect(change.status == EPT_OK);
    operated(change.flush);
}

static void operate_map_one(unsigned variant)
{
    struct ept_change change =
        ept_map_one(EPT, variant / LOG_CONFIG == 0 ? 0x1000 : 4 * MB, 0x5000, R, MEMORY_TYPE_WB);

    expect(change.status == EPT_OK);
    operated(change.flush);
}

/* Six ways to plant each kind: the level, on a large page and on a small one. */
static uint64_t planted_at(unsigned variant)
{
    return (variant / LOG_CONFIG & 1) != 0 ? 0x1000 : 4 * MB;
}

static struct ept_change plant(unsigned variant)
{
    return ept_plant(EPT, planted_at(variant), variant / LOG_CONFIG / 2 % 3,
                     (enum ept_plant_kind)(variant / LOG_CONFIG / 6));
}

static void operate_plant(unsigned variant)
{
    struct ept_change change = plant(variant);

    expect(change.status == EPT_OK || change.status == EPT_UNSUPPORTED);
    operated(change.flush);
}

static void prepare_planted(unsigned variant)
{
    prepare_log(variant);
    (void)!plant(variant).flush;
}

static void operate_repair(unsigned variant)
{
    struct ept_fault_result result = ept_fault(EPT, planted_at(variant), RWX);

    expect(ept_fault_resolved(result.kind));
    operated(result.flush);
}

/* --- Harvests ---------------------------------------------------------------------------------------------
 */

static void harvested(void *context, uint64_t gpa, uint64_t size, uint64_t flags)
{
    (void)context;
    for (unsigned n = 0; n < world.probe_count; n++) {
        if (world.probes[n].gpa - gpa < size)
            world.probes[n].reported |= flags;
    }
}

static void prepare_harvest(unsigned variant)
{
    prepare_plain(variant);
    expect(world_access(0x1000, EPT_WRITE) && world_access(4 * MB, EPT_WRITE) &&
           world_access(6 * MB, EPT_READ));
}

static void operate_harvest(unsigned variant)
{
    uint64_t flags = (variant % 3 != 1 ? EPT_ACCESSED : 0) | (variant % 3 != 0 ? EPT_DIRTY : 0);
    struct ept_harvest harvest =
        ept_harvest(EPT, variant < 3 ? 0 : 0x1000, 8 * MB - 0x1000, flags, harvested, NULL);

    expect(harvest.status == EPT_OK);
    operated(harvest.flush);
}

static void operate_harvest_logged(unsigned variant)
{
    struct ept_harvest harvest = ept_harvest(EPT, 0, 8 * MB, EPT_DIRTY, NULL, NULL);

    (void)variant;
    expect(harvest.status == EPT_OK);
    operated(harvest.flush);
}

static void operate_used_clear(unsigned variant)
{
    (void)variant;
    operated(ept_used_clear(EPT));
}

#define LOGGED    (MAY_BE_LISTED | KEEPS_DIRTY)
#define LOGGED_AS (LOGGED | MAY_UNMAP)
static const struct operation operations[] = {
    {"harvest", CAP_ALL, prepare_harvest, operate_harvest, 6, KEEPS_FLAGS},
    {"used clear", CAP_ALL, prepare_harvest, operate_used_clear, 1, FLUSHES_MORE},
    {"log start", CAP_ALL, prepare_plain, operate_start, LOG_CONFIG, MAY_BE_LISTED},
    {"log stop", CAP_ALL, prepare_log, operate_stop, LOG_CONFIG, LOGGED},
    {"log collect", CAP_ALL, prepare_log, operate_collect, LOG_CONFIG, LOGGED | FLUSHES_MORE},
    {"log fault", CAP_ALL, prepare_log, operate_fault, 8 * LOG_CONFIG, LOGGED},
    {"log split", CAP_ALL, prepare_log, operate_split, 2 * LOG_CONFIG, LOGGED},
    {"log harvest", CAP_ALL, prepare_log, operate_harvest_logged, LOG_CONFIG, LOGGED},
    {"log zap", CAP_ALL, prepare_log, operate_zap, 5 * LOG_CONFIG, LOGGED_AS},
    {"log protect", CAP_ALL, prepare_log, operate_protect, 3 * LOG_CONFIG, LOGGED_AS},
    {"log map one", CAP_ALL, prepare_log, operate_map_one, 2 * LOG_CONFIG, LOGGED_AS},
    {"log plant", CAP_ALL, prepare_log, operate_plant, 6 * EPT_PLANT_KIND_COUNT *LOG_CONFIG, LOGGED_AS},
    {"log repair", CAP_ALL, prepare_planted, operate_repair, 6 * EPT_PLANT_KIND_COUNT *LOG_CONFIG, LOGGED_AS},
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
