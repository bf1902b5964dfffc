/* SPDX-License-Identifier: MIT */
/*
 * Random operations on an EPT, told by bytes, each checked against what the region list says. Shared by
 * test/host/ept_random.c and the fuzzer test/fuzz/ept_map.c. What must hold whatever happens, corruption of
 * entries included: a resolved fault leaves exactly the listed translation; frames are counted exactly, and
 * each comes back once; nothing crashes or hangs. While nothing is corrupted, what is mapped agrees with the
 * list everywhere.
 */
#ifndef TEST_HOST_EPT_MODEL_H
#define TEST_HOST_EPT_MODEL_H

#include "ept/audit.h"
#include "ept/cold.h"
#include "ept/dump.h"
#include "ept/misconfig.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/split.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"
#include <stdio.h>

#define MODEL_FRAMES 96
#define MODEL_WINDOW (16 * MB)

#define require(condition)                                                                                   \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                  \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

struct model {
    struct bed bed;
    const uint8_t *bytes;
    size_t left;
    bool corrupted;   /* now */
    bool frames_lost; /* ever: what corruption cut off stays lost until the end */
    uint64_t temporary[16];
    unsigned temporary_count;
};

static inline uint64_t model_take(struct model *model, unsigned count)
{
    uint64_t value = 0;

    while (count-- > 0) {
        value <<= 8;
        if (model->left > 0) {
            value |= *model->bytes++;
            model->left--;
        }
    }
    return value;
}

/* An address around one of the places where table borders are. */
static inline uint64_t model_address(struct model *model)
{
    const uint64_t bases[] = {0, GB - MODEL_WINDOW / 2, 512 * GB - MODEL_WINDOW / 2, 3 * GB};
    uint64_t word = model_take(model, 2);

    return bases[word >> 12 & 3] + (word & 0xfff) * 4 * KB;
}

static inline uint64_t model_size(struct model *model)
{
    uint64_t byte = model_take(model, 1);

    return byte < 128   ? (1 + byte % 8) * 4 * KB
           : byte < 200 ? (byte - 127) * 64 * KB
                        : (byte - 199) * 1 * GB / 16;
}

/* What is mapped, if it is not temporary, is what is listed. */
static inline void model_check_page(const struct model *model, uint64_t gpa)
{
    struct ept_walk walk = ept_walk(&model->bed.ept, gpa);
    const struct ept_region *region = ept_region_find(&model->bed.list, gpa);

    if (walk.end != EPT_WALK_MAPPED || model->corrupted)
        return;
    if (walk.steps[walk.count - 1].entry.raw & EPT_SOFTWARE_TEMPORARY) {
        for (unsigned n = 0; n < model->temporary_count; n++) {
            if (model->temporary[n] == (gpa & ~UINT64_C(0xfff)))
                return;
        }
        require(!"a temporary page that nobody made");
    }
    require(region != NULL);
    require(walk.hpa == region->hpa + (gpa - region->gpa));
    require((walk.rights & ~region->rights) == 0);
    require(walk.memory_type == region->memory_type);
}

static inline void model_fault(struct model *model, bool repair)
{
    uint64_t gpa = model_address(model) + 0x123;
    unsigned access = model_take(model, 1) & 7;
    const struct ept_region *region = ept_region_find(&model->bed.list, gpa);
    struct ept_misconfig before = ept_misconfig_analyse(&model->bed.ept, gpa);
    struct ept_fault_result result =
        repair ? ept_repair(&model->bed.ept, gpa, access) : ept_fault(&model->bed.ept, gpa, access);
    struct ept_walk walk = ept_walk(&model->bed.ept, gpa);

    require(before.count <= 4);
    if (region == NULL || region->kind == EPT_REGION_HOLE) {
        require(result.kind == EPT_FAULT_DENIED_HOLE);
    } else if (region->rights == 0 || (access & ~(unsigned)region->rights) != 0) {
        require(result.kind == EPT_FAULT_DENIED_RIGHTS || result.kind == EPT_FAULT_DENIED_NX ||
                (result.kind == EPT_FAULT_DENIED_ROM_WRITE && region->kind == EPT_REGION_ROM));
    } else if (result.kind == EPT_FAULT_NO_FRAME) {
        /* Less than one for each level below the last one that there is. */
        require(model->bed.pool.in_use + model->bed.caps.levels - walk.count > model->bed.pool.limit);
    } else {
        require(ept_fault_resolved(result.kind));
        require(walk.end == EPT_WALK_MAPPED);
        require(walk.level == result.level);
        require(walk.hpa == region->hpa + (gpa - region->gpa) && walk.hpa == result.hpa);
        require((access & ~(unsigned)walk.rights) == 0 && (walk.rights & ~region->rights) == 0);
        require(walk.memory_type == region->memory_type);
        require(ept_misconfig_analyse(&model->bed.ept, gpa).count == 0);
        if (before.count > 0)
            require(result.kind == EPT_FAULT_REPAIRED);
    }
    if (repair && result.kind != EPT_FAULT_NO_FRAME)
        require(ept_misconfig_analyse(&model->bed.ept, gpa).count == 0);
}

static inline void model_list(struct model *model, unsigned operation)
{
    uint64_t gpa = model_address(model);
    uint64_t size = model_size(model);
    unsigned choice = (unsigned)model_take(model, 1);
    unsigned rights = (const unsigned[]){RWX, RW, RX, R, 0, 4, RWX, RWX}[choice & 7];

    if (operation == 0) {
        struct ept_region region = {.gpa = gpa,
                                    .size = size,
                                    .hpa = gpa + (choice & 8    ? 64 * GB
                                                  : choice & 16 ? 64 * GB + 4 * KB
                                                                : 2 * MB),
                                    .kind = choice & 32 ? EPT_REGION_ROM : EPT_REGION_RAM,
                                    .rights = (uint8_t)rights,
                                    .memory_type = choice & 64 ? MEMORY_TYPE_UC : MEMORY_TYPE_WB};

        if (choice & 128)
            region = (struct ept_region){.gpa = gpa, .size = size, .kind = EPT_REGION_HOLE};
        (void)!ept_region_add(&model->bed.list, &region);
    } else if (operation == 1) {
        (void)!ept_remove(&model->bed.ept, gpa, size).flush;
    } else if (operation == 2) {
        (void)!ept_set_rights(&model->bed.ept, gpa, size, rights).flush;
    } else {
        (void)!ept_set_type(&model->bed.ept, gpa, size, choice & 1 ? MEMORY_TYPE_WC : MEMORY_TYPE_WB,
                            choice & 2)
            .flush;
    }
    require(ept_region_validate(&model->bed.list) == EPT_OK);
    model_check_page(model, gpa);
    model_check_page(model, gpa + size - 1);
}

static inline void model_map_one(struct model *model)
{
    uint64_t gpa = model_address(model);
    struct ept_change change;

    if (model->temporary_count == 16) {
        while (model->temporary_count > 0)
            (void)!ept_zap(&model->bed.ept, model->temporary[--model->temporary_count], 4 * KB);
    }
    change = ept_map_one(&model->bed.ept, gpa, 0x77000, RW, MEMORY_TYPE_WB);
    require(change.status == EPT_OK || change.status == EPT_NO_FRAME_LEFT);
    if (change.status == EPT_OK) {
        struct ept_walk walk = ept_walk(&model->bed.ept, gpa);

        require(walk.end == EPT_WALK_MAPPED && walk.hpa == 0x77000 && walk.rights == RW);
        model->temporary[model->temporary_count++] = gpa;
    }
}

/* Any entry of any frame, linked or retired, gets any value. */
static inline void model_corrupt(struct model *model)
{
    struct pool *pool = &model->bed.pool;
    uint32_t frame = (uint32_t)model_take(model, 1) % MODEL_FRAMES;
    uint64_t where = model_take(model, 2) & 511;
    uint64_t mode = model_take(model, 1);
    uint64_t value = model_take(model, 8);
    uint64_t *entry = (uint64_t *)(void *)(pool->memory + frame * (size_t)4096) + where;

    if (!pool->taken[frame])
        return;
    if (mode < 100)
        *entry ^= UINT64_C(1) << (value & 63);
    else if (mode < 180)
        *entry = (POOL_BASE + (value % MODEL_FRAMES) * 4096) | RWX; /* some table, perhaps its own */
    else
        *entry = value;
    model->corrupted = model->frames_lost = true;
}

static inline void model_count_range(void *context, const struct ept_dump_range *range)
{
    require(range->size != 0);
    (*(uint64_t *)context)++;
}

/* From here on nothing is mapped, so nothing is corrupted. */
static inline void model_heal(struct model *model)
{
    (void)!ept_zap(&model->bed.ept, 0, UINT64_MAX);
    ept_reclaim(&model->bed.ept);
    for (unsigned n = 0; n < EPT_ENTRIES; n++)
        require(model->bed.ept.root_table[n].raw == 0 || model->corrupted);
    if (model->corrupted) {
        /* A frozen entry in the root is one that a zap respects; no operation of the engine makes it. */
        memset(model->bed.ept.root_table, 0, 4096);
    }
    model->temporary_count = 0;
    model->corrupted = false;
}

static inline void model_audit(struct model *model)
{
    static uint64_t scratch[4 * MODEL_FRAMES];
    struct ept_audit_check check = {.scratch = scratch, .scratch_words = 4 * MODEL_FRAMES};
    struct ept_audit result;
    uint64_t ranges = 0;
    bool sound = ept_audit(&model->bed.ept, &check, &result);

    require(!result.incomplete);
    require(sound || model->corrupted ||
            (model->frames_lost && (result.foreign_tables | result.cycles | result.shared | result.malformed |
                                    result.unlisted | result.noncanonical | result.unreachable) == 0));
    ept_dump(&model->bed.ept, model_count_range, &ranges);
}

static inline void model_step(struct model *model)
{
    unsigned operation = (unsigned)model_take(model, 1);
    uint64_t gpa;

    switch (operation % 24) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5:
        model_fault(model, false);
        break;
    case 6:
    case 7:
        model_fault(model, true);
        break;
    case 8:
    case 9:
    case 10:
        model_list(model, 0);
        break;
    case 11:
    case 12:
    case 13:
        model_list(model, operation % 24 - 10);
        break;
    case 14:
    case 15:
    case 16:
        gpa = model_address(model);
        operation = (unsigned)model_take(model, 1);
        (void)!ept_plant(&model->bed.ept, gpa, operation >> 4 & 7, (enum ept_plant_kind)(operation % 13))
            .flush;
        break;
    case 17:
        gpa = model_address(model);
        (void)!ept_zap(&model->bed.ept, gpa, model_size(model));
        if (!model->corrupted)
            require(ept_walk(&model->bed.ept, gpa).end != EPT_WALK_MAPPED);
        break;
    case 18:
        gpa = model_address(model);
        (void)!ept_map_range(&model->bed.ept, gpa, (1 + model_take(model, 1)) * 4 * KB).flush;
        break;
    case 19:
        gpa = model_address(model);
        (void)!ept_split(&model->bed.ept, gpa, 1 + (unsigned)model_take(model, 1) % 2).flush;
        model_check_page(model, gpa);
        break;
    case 20:
        model_map_one(model);
        break;
    case 21:
        model_corrupt(model);
        break;
    case 22:
        if (operation / 24 % 2 == 1) {
            enum ept_flush flush;
            uint64_t before = model->bed.ept.retired_count;
            uint64_t taken = ept_take_cold(&model->bed.ept, 0, operation / 24, &flush);

            require(taken <= operation / 24);
            require(model->corrupted || model->bed.ept.retired_count >= before + taken);
        }
        ept_reclaim(&model->bed.ept);
        model_audit(model);
        break;
    default:
        operation = (unsigned)model_take(model, 1);
        if (operation < 64) {
            model->bed.pool.limit = operation < 16 ? model->bed.pool.in_use : MODEL_FRAMES;
        } else if (operation < 160) {
            model_heal(model);
        } else { /* a caller decides before anything is mapped */
            (void)!ept_zap(&model->bed.ept, 0, UINT64_MAX);
            model->bed.ept.no_executable_large = operation & 1;
        }
    }
    require(model->bed.ept.table_count == model->bed.pool.in_use);
    require(model->bed.pool.double_frees == 0);
}

/* Runs the bytes to their end; the number of operations. */
static inline unsigned model_run(const uint8_t *bytes, size_t size)
{
    static struct model model;
    const uint64_t capabilities[] = {
        CAP_ALL, CAP_NO_1G, CAP_NO_LARGE, CAP_NO_X, CAP_ALL & ~EPT_BIT(21), CAP_NO_1G & CAP_NO_X};
    unsigned operations = 0;

    model = (struct model){.bytes = bytes, .left = size};
    require(bed_init(&model.bed, capabilities[model_take(&model, 1) % 6], 40, MODEL_FRAMES));
    for (; model.left > 0; operations++)
        model_step(&model);
    for (uint64_t gpa = 0; gpa < MODEL_WINDOW; gpa += 4 * KB) {
        model_check_page(&model, gpa);
        model_check_page(&model, GB - MODEL_WINDOW / 2 + gpa);
    }
    require(bed_done(&model.bed));
    return operations;
}

#endif
