/* SPDX-License-Identifier: MIT */
/* The actors of ept_interleavings.c: operations of the engine with their shootdowns, and guests that write.
 */
#ifndef TEST_OBSERVED_ACTORS_H
#define TEST_OBSERVED_ACTORS_H

#include "ept/harvest.h"
#include "ept/merge.h"
#include "ept/misconfig.h"
#include "ept/plant.h"
#include "ept/split.h"
#include "ept/zap.h"
#include "test/observed/interleaving.h"

#define EPT   (&world.bed.ept)
#define SMALL (4 * MB) /* pages of 4 KiB from here on */
#define NEXT  (4 * MB + 0x1000)
#define LARGE UINT64_C(0) /* pages of 2 MiB from here on */

/* What guests have written, by probe; what was copied after a collection; a guest's cached translations. */
static struct guests {
    uint64_t contents[WORLD_PROBES], copy[WORLD_PROBES];
    bool cached[ACTORS][WORLD_PROBES]; /* writable, and dirty where that matters */
    bool inside[ACTORS];               /* in the middle of an access */
    uint64_t flushes;
} guests, guests_at_start;

/* --- What a guest and a hypervisor do ---------------------------------------------------------------------
 */

/* One walk with its flags, each access by itself. False: a violation or a misconfiguration. */
static bool guest_walk(uint64_t gpa)
{
    bool flags = world.bed.caps.accessed_dirty;
    uint64_t table = EPT->root;

    for (unsigned level = world.bed.caps.levels;; level--) {
        uint64_t *slot = (uint64_t *)(void *)(world.bed.pool.memory + (table - POOL_BASE)) +
                         (gpa >> (12 + 9 * (level - 1)) & 511);
        uint64_t entry = actor_load(slot), wanted = entry;
        bool leaf = level == 1 || (level <= 3 && (entry & EPT_LARGE) != 0);

        if ((entry & 3) != 3 || (!leaf && (entry & 0x78) != 0) || (leaf && (entry >> 3 & 7) == 2))
            return false;
        if (flags)
            wanted |= leaf ? EPT_ACCESSED | EPT_DIRTY : EPT_ACCESSED;
        if (wanted != entry && !actor_replace(slot, entry, wanted)) {
            level++;
            continue;
        }
        if (leaf) {
            if (world.page_modification_log && (entry & EPT_DIRTY) == 0)
                world.modified[world.modified_count++] = gpa;
            return true;
        }
        table = entry & EPT_ADDRESS;
    }
}

static void guest_writes(unsigned probe)
{
    uint64_t gpa = world.probes[probe].gpa;
    unsigned me = interleaving_actor();

    for (unsigned tries = 0; tries < 20; tries++) {
        (void)actor_load(&guests.flushes);
        guests.inside[me] = true;
        if (guests.cached[me][probe] || guest_walk(gpa)) {
            guests.cached[me][probe] = true;
            actor_add(&guests.contents[probe], 1);
            guests.inside[me] = false;
            return;
        }
        guests.inside[me] = false;
        if (!ept_fault_resolved(ept_repair(EPT, gpa, EPT_WRITE).kind))
            world_fail("a listed page cannot be had");
    }
    world_fail("a guest does not get on");
}

/* A shootdown: waits for guests in the middle of an instruction, and all drop what they have cached. */
static void shoot_down(enum ept_flush flush)
{
    if (flush == EPT_FLUSH_NONE)
        return;
    actor_add(&guests.flushes, 1);
    for (unsigned n = 0; n < ACTORS; n++) {
        while (guests.inside[n])
            interleaving_wait();
    }
    memset(guests.cached, 0, sizeof(guests.cached));
}

static void collect_and_copy(void)
{
    uint64_t bitmap[WORLD_PAGES / 64] = {0};
    struct ept_dirty_collected collected;

    ept_dirty_drain(EPT, world.modified, world.modified_count);
    world.modified_count = 0;
    collected = ept_dirty_collect(EPT, bitmap);
    shoot_down(collected.flush);
    for (unsigned n = 0; n < world.probe_count; n++) {
        uint64_t page = world.probes[n].gpa >> 12;

        if ((bitmap[page / 64] >> page % 64 & 1) != 0)
            guests.copy[n] = actor_load(&guests.contents[n]);
    }
}

/* --- Actors ------------------------------------------------------------------------------------------------
 */

static void fault(uint64_t gpa, unsigned access)
{
    const struct ept_fault_result result = ept_fault(EPT, gpa, access);

    if (!ept_fault_resolved(result.kind))
        world_fail("%s", ept_fault_kind_name(result.kind));
    shoot_down(result.flush);
}

static void changed(struct ept_change change)
{
    if (change.status != EPT_OK && change.status != EPT_NOT_LISTED && change.status != EPT_UNSUPPORTED)
        world_fail("%s", ept_status_text(change.status));
    shoot_down(change.flush);
}

static void fault_small(void)
{
    fault(SMALL, EPT_READ);
}
static void fault_next(void)
{
    fault(NEXT, EPT_WRITE);
}
static void fault_large(void)
{
    fault(LARGE, EPT_WRITE);
}
static void zap_small(void)
{
    shoot_down(ept_zap(EPT, SMALL, 0x1000));
}
static void zap_large(void)
{
    shoot_down(ept_zap(EPT, LARGE, 0x1000));
}
static void zap_tables(void)
{
    shoot_down(ept_zap(EPT, 0, 8 * MB));
}
static void zap_all(void)
{
    shoot_down(ept_zap(EPT, 0, UINT64_MAX));
}
static void split_large(void)
{
    changed(ept_split(EPT, LARGE, 1));
}
static void plant_table(void)
{
    changed(ept_plant(EPT, SMALL, 2, EPT_PLANT_RESERVED_LOW));
}
static void plant_absent(void)
{
    changed(ept_plant(EPT, SMALL, 2, EPT_PLANT_NOT_PRESENT));
}
static void plant_leaf(void)
{
    changed(ept_plant(EPT, SMALL, 0, EPT_PLANT_WRITE_ONLY));
}
static void plant_large(void)
{
    changed(ept_plant(EPT, LARGE, 2, EPT_PLANT_MEMORY_TYPE_2));
}
static void stand_in(void)
{
    changed(ept_map_one(EPT, SMALL, 0x5000, R, MEMORY_TYPE_WB));
}
static void collect(void)
{
    collect_and_copy();
}
static void guest_small(void)
{
    guest_writes(0);
}
static void guest_large(void)
{
    guest_writes(2);
    guest_writes(2);
}
static void guest_both(void)
{
    guest_writes(0);
    guest_writes(0);
}

static void repair(void)
{
    struct ept_fault_result result = ept_repair(EPT, SMALL, EPT_READ);

    if (!ept_fault_resolved(result.kind))
        world_fail("%s", ept_fault_kind_name(result.kind));
    shoot_down(result.flush);
}

static void harvested(void *context, uint64_t gpa, uint64_t size, uint64_t flags)
{
    (void)context;
    for (unsigned n = 0; n < world.probe_count; n++) {
        if (world.probes[n].gpa - gpa < size)
            world.probes[n].reported |= flags;
    }
}

static void harvest(void)
{
    shoot_down(ept_harvest(EPT, 0, 8 * MB, EPT_ACCESSED | EPT_DIRTY, harvested, NULL).flush);
}

/* With the flush that must be between, and what a processor then may not walk any more. */
static void merge(void)
{
    struct ept_merge_batch batch = {0};
    enum ept_flush flush;

    if (ept_merge(EPT, 0, 2 * MB, EPT_LEVEL_PD, &batch, &flush) < 2 * MB)
        world_fail("the batch is full");
    if (batch.count != 0) {
        shoot_down(flush);
        ept_merge_finish(EPT, &batch);
    }
}

#endif
