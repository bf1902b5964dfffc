/* SPDX-License-Identifier: MIT */
/*
 * Two and three operations of the engine, and guests that write meanwhile, in all interleavings with few
 * preemptions: interleaving.h. The rules of world.h hold at every moment. In the end every frame is accounted
 * for, every page can be had as the list says, and every write of a guest has been copied or is in the next
 * collection. Two actors are preempted up to three times, three twice; EPT_PREEMPTIONS in the environment (2
 * to 4) is the number for two, and EPT_SCENE names one scene to run alone.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/audit.h"
#include "test/observed/actors.h"

static bool may_unmap, may_plant;
static unsigned variant;

/* --- Where they start --------------------------------------------------------------------------------------
 */

static void map(uint64_t gpa)
{
    if (!ept_fault_resolved(ept_fault(EPT, gpa, EPT_READ).kind))
        world_fail("it cannot be mapped");
}

static void prepare_empty(void)
{
    if (!bed_add(&world.bed, EPT_REGION_RAM, 0, 4 * MB, GB, RWX) ||
        !bed_add(&world.bed, EPT_REGION_RAM, 4 * MB, 4 * MB, 2 * GB + 4 * KB, RWX))
        world_fail("regions");
    world_probe(SMALL);
    world_probe(NEXT);
    world_probe(LARGE + 0x3000);
    world_probe(LARGE + 0x1ff000);
}

static void prepare_mapped(void)
{
    prepare_empty();
    map(SMALL);
    map(NEXT);
    map(LARGE);
}

static void prepare_split(void)
{
    prepare_mapped();
    (void)!ept_split(EPT, LARGE, 1).flush;
    (void)!ept_zap(EPT, LARGE + 0x3000, 0x1000);
}

/* A dirty log, by each source; each guest has written some pages before, and their translations are cached.
 */
static void prepare_log_of(unsigned pages)
{
    enum ept_dirty_source source = EPT_DIRTY_PML + variant % 3;

    prepare_mapped();
    EPT->caps.page_modification_log = true;
    world.page_modification_log = source == EPT_DIRTY_PML;
    if (ept_dirty_start(EPT, &world.log, source, 1 + variant / 3, WORLD_PAGES * UINT64_C(4096), world.words)
            .status != EPT_OK)
        world_fail("no log");
    for (unsigned n = 0; n < pages; n++)
        (void)!ept_fault_resolved(ept_fault(EPT, world.probes[n].gpa, EPT_WRITE).kind);
    for (unsigned n = 0; n < pages; n++) {
        if (!world_access(world.probes[n].gpa, EPT_WRITE))
            world_fail("a page cannot be written");
        guests.contents[n] = 1;
        for (unsigned actor = 0; actor < ACTORS; actor++)
            guests.cached[actor][n] = true;
    }
    ept_reclaim(EPT);
}

static void prepare_log(void)
{
    prepare_log_of(3);
}

static void prepare_log_of_one(void)
{
    prepare_log_of(1);
}

static void prepare_planted_log(void)
{
    prepare_log();
    (void)!ept_plant(EPT, SMALL, 2, EPT_PLANT_RESERVED_LOW).flush;
}

/* --- The search -------------------------------------------------------------------------------------------
 */

static void start(void)
{
    guests = guests_at_start;
}

static void finish(void)
{
    uint64_t scratch[2 * WORLD_FRAMES];
    struct ept_audit_check check = {.scratch = scratch, .scratch_words = 2 * WORLD_FRAMES};
    struct ept_audit audit;

    if (!ept_audit(EPT, &check, &audit))
        world_fail("audit: shared %llu, malformed %llu, unlisted %llu, lost %llu, at 0x%llx",
                   (unsigned long long)audit.shared, (unsigned long long)audit.malformed,
                   (unsigned long long)audit.unlisted, (unsigned long long)audit.lost,
                   (unsigned long long)audit.first_bad_gpa);
    if (EPT->table_count != world.bed.pool.in_use)
        world_fail("frames are not counted");
    if (EPT->dirty != NULL) {
        collect_and_copy();
        for (unsigned n = 0; n < world.probe_count; n++) {
            if (guests.copy[n] != guests.contents[n])
                world_fail("write %llu to 0x%llx is lost", (unsigned long long)guests.contents[n],
                           (unsigned long long)world.probes[n].gpa);
        }
    } else if (!may_unmap) {
        for (unsigned n = 0; n < world.probe_count; n++) {
            if (guests.contents[n] != 0 && !world_knows_write(&world.probes[n]))
                world_fail("a dirty flag of 0x%llx is lost", (unsigned long long)world.probes[n].gpa);
        }
    }
    memset(world.level_of, 0, sizeof(world.level_of));
    ept_reclaim(EPT);
    for (unsigned n = 0; n < world.probe_count; n++) {
        uint64_t gpa = world.probes[n].gpa;
        struct translation now;

        (void)!ept_fault_resolved(ept_repair(EPT, gpa, RWX).kind);
        now = world_translate(gpa);
        if (now.how != MAPPED || now.rights != RWX ||
            now.hpa != (gpa < SMALL ? GB + gpa : 2 * GB + 4 * KB + gpa - SMALL))
            world_fail("0x%llx is not as listed in the end", (unsigned long long)gpa);
    }
}

static const struct scene {
    const char *name;
    void (*prepare)(void);
    void (*actors[ACTORS])(void);
    unsigned variants;
    enum { KEEPS = 0, UNMAPS = 1, PLANTS = 2, STANDS_IN = 4, LONG = 8 } may; /* LONG: one preemption less */
} scenes[] = {
    {"fault, fault", prepare_empty, {fault_small, fault_small}, 1, KEEPS},
    {"fault, fault beside", prepare_empty, {fault_small, fault_next}, 1, KEEPS},
    {"three faults", prepare_empty, {fault_small, fault_next, fault_large}, 1, KEEPS},
    {"fault, zap", prepare_mapped, {fault_next, zap_small}, 1, UNMAPS},
    {"fault, zap of its table", prepare_mapped, {fault_small, zap_tables}, 1, UNMAPS},
    {"fault in nothing, zap of all", prepare_empty, {fault_small, zap_all}, 1, UNMAPS},
    {"fault, zap of all", prepare_mapped, {fault_small, zap_all}, 1, UNMAPS},
    {"zap, zap of its table", prepare_mapped, {zap_small, zap_tables}, 1, UNMAPS},
    {"zap, zap", prepare_mapped, {zap_tables, zap_all}, 1, UNMAPS},
    {"fault, zap, zap", prepare_mapped, {fault_small, zap_tables, zap_all}, 1, UNMAPS},
    {"split, fault", prepare_mapped, {split_large, fault_large}, 1, KEEPS},
    {"split, split", prepare_mapped, {split_large, split_large}, 1, KEEPS},
    {"split, guest", prepare_mapped, {split_large, guest_large}, 1, KEEPS},
    {"split, zap", prepare_mapped, {split_large, zap_large}, 1, UNMAPS},
    {"split, zap of all", prepare_mapped, {split_large, zap_all}, 1, UNMAPS},
    {"split, zap, fault", prepare_mapped, {split_large, zap_large, fault_large}, 1, UNMAPS},
    {"plant, fault", prepare_mapped, {plant_table, fault_small}, 1, PLANTS},
    {"plant, repair", prepare_mapped, {plant_table, repair}, 1, PLANTS},
    {"plant not present, fault", prepare_mapped, {plant_absent, fault_next}, 1, PLANTS | UNMAPS},
    {"plant, plant", prepare_mapped, {plant_table, plant_absent}, 1, PLANTS | UNMAPS},
    {"plant, zap", prepare_mapped, {plant_table, zap_tables}, 1, PLANTS | UNMAPS},
    {"plant, repair, plant", prepare_mapped, {plant_table, repair, plant_absent}, 1, PLANTS | UNMAPS},
    {"plant, repair, zap", prepare_mapped, {plant_table, repair, zap_all}, 1, PLANTS | UNMAPS},
    {"plant a leaf, guest", prepare_mapped, {plant_leaf, guest_small}, 1, PLANTS | UNMAPS},
    {"plant a large page, split", prepare_mapped, {plant_large, split_large}, 1, PLANTS | UNMAPS},
    {"stand-in, fault", prepare_mapped, {stand_in, fault_next}, 1, STANDS_IN},
    {"stand-in, guest", prepare_mapped, {stand_in, guest_small}, 1, STANDS_IN | UNMAPS},
    {"stand-in, zap", prepare_mapped, {stand_in, zap_tables}, 1, STANDS_IN | UNMAPS},
    {"harvest, guest", prepare_mapped, {harvest, guest_both}, 1, KEEPS},
    {"harvest, fault", prepare_mapped, {harvest, fault_next}, 1, KEEPS},
    {"harvest, split, guest", prepare_mapped, {harvest, split_large, guest_large}, 1, KEEPS},
    {"merge, fault", prepare_split, {merge, fault_large}, 1, UNMAPS},
    {"merge, guest", prepare_split, {merge, guest_large}, 1, UNMAPS},
    {"merge, harvest", prepare_split, {merge, harvest}, 1, UNMAPS},
    {"collect, guest", prepare_log, {collect, guest_both}, 6, KEEPS},
    {"collect, guest, large page", prepare_log, {collect, guest_large}, 6, KEEPS},
    {"collect, fault", prepare_log, {collect, fault_next}, 6, KEEPS},
    {"collect, zap", prepare_log, {collect, zap_small}, 6, UNMAPS},
    {"collect, zap, guest", prepare_log, {collect, zap_small, guest_small}, 6, UNMAPS},
    {"collect, zap, guest, one page written",
     prepare_log_of_one,
     {collect, zap_small, guest_small},
     6,
     UNMAPS},
    {"collect, harvest, guest, one page written",
     prepare_log_of_one,
     {collect, harvest, guest_small},
     6,
     KEEPS},
    {"collect, zap of its table, guest", prepare_log, {collect, zap_tables, guest_small}, 6, LONG | UNMAPS},
    {"collect, harvest, guest", prepare_log, {collect, harvest, guest_small}, 6, LONG},
    {"collect, split, guest", prepare_log, {collect, split_large, guest_large}, 6, LONG},
    {"collect, stand-in, guest", prepare_log, {collect, stand_in, guest_small}, 6, LONG | STANDS_IN | UNMAPS},
    {"collect, repair, guest", prepare_planted_log, {collect, repair, guest_small}, 6, PLANTS},
    {"collect, plant, guest", prepare_log, {collect, plant_leaf, guest_small}, 6, LONG | PLANTS | UNMAPS},
};

static void allow(struct probe *probe)
{
    const struct translation stand_in_page = {
        .how = MAPPED, .rights = R, .hpa = 0x5000, .attributes = MEMORY_TYPE_WB << 3};
    struct translation now = world_translate(probe->gpa), bad = {.how = MISCONFIGURED};

    world_allow_listed(probe);
    if (may_unmap || now.how == NOT_PRESENT)
        world_allow_not_present(probe);
    if (may_plant)
        world_allow(probe, &bad);
    if (probe->gpa == SMALL)
        world_allow(probe, &stand_in_page);
}

static void run_scene(const struct scene *scene, unsigned preemptions)
{
    struct interleaving what = {.start = start, .finish = finish};
    uint64_t count = 0;

    memcpy(what.actors, scene->actors, sizeof(what.actors));
    may_unmap = (scene->may & UNMAPS) != 0;
    may_plant = (scene->may & PLANTS) != 0;
    for (variant = 0; variant < scene->variants; variant++) {
        guests = (struct guests){0};
        world_init(CAP_NO_1G);
        scene->prepare();
        guests_at_start = guests;
        world_flush();
        for (unsigned n = 0; n < world.probe_count; n++)
            allow(&world.probes[n]);
        world_save();
        count += interleave(&what, preemptions - (scene->actors[2] != NULL) - ((scene->may & LONG) != 0));
        if (world.failure[0] != '\0') {
            print_error("%s, variant %u, %s: %s\n", scene->name, variant, interleaving_text(), world.failure);
            fail();
        }
        world_done();
    }
    print_message("%s: %llu interleavings\n", scene->name, (unsigned long long)count);
    assert_true(count > scene->variants);
}

static void test_scenes(void **state)
{
    const char *wanted = getenv("EPT_PREEMPTIONS");
    unsigned preemptions = wanted != NULL ? (unsigned)strtoul(wanted, NULL, 10) : 3;
    const char *only = getenv("EPT_SCENE");

    (void)state;
    for (unsigned n = 0; n < sizeof(scenes) / sizeof(scenes[0]); n++) {
        if (only == NULL || strcmp(only, scenes[n].name) == 0)
            run_scene(&scenes[n], preemptions < 2 ? 2 : preemptions);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scenes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
