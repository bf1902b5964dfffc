/* SPDX-License-Identifier: MIT */
/* Tests of ept/dirty.c: every source gives exactly the pages written, whatever else happens to them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/audit.h"
#include "ept/dirty.h"
#include "ept/leaves.h"
#include "ept/harvest.h"
#include "ept/merge.h"
#include "ept/misconfig.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/split.h"
#include "test/host/ept_processor.h"

#define LOG_SIZE  (2 * GB)
#define LOG_PAGES (LOG_SIZE / 4096)
#define WORDS     (LOG_PAGES / 64)

struct scene {
    struct bed bed;
    struct processor processor;
    struct ept_dirty_log log;
    enum ept_dirty_source source;
    unsigned granularity;
    uint64_t *words, *bitmap, *model;
    uint64_t collected;
};

/* Pages of 4 KiB alone, of 2 MiB, and one of 1 GiB. */
static void scene_init(struct scene *scene, enum ept_dirty_source source, unsigned granularity)
{
    uint64_t caps = source == EPT_DIRTY_WRITE_PROTECTION ? CAP_ALL & ~(UINT64_C(1) << 21) : CAP_ALL;

    assert_true(bed_init(&scene->bed, caps, 40, 2048));
    scene->bed.ept.caps.page_modification_log = true;
    assert_true(bed_add(&scene->bed, EPT_REGION_RAM, 0, 8 * MB, GB + 0x1000, RWX));
    assert_true(bed_add(&scene->bed, EPT_REGION_RAM, 8 * MB, 56 * MB, 2 * GB + 8 * MB, RWX));
    assert_true(bed_add(&scene->bed, EPT_REGION_ROM, 64 * MB, 4 * MB, 3 * GB, RX));
    assert_true(bed_add(&scene->bed, EPT_REGION_RAM, GB, GB, 4 * GB, RWX));
    processor_init(&scene->processor, &scene->bed);
    scene->source = source;
    scene->granularity = granularity;
    scene->words = malloc(ept_dirty_log_words(LOG_PAGES) * 8);
    scene->bitmap = calloc(WORDS, 8);
    scene->model = calloc(WORDS, 8);
    scene->collected = 0;
}

static void scene_done(struct scene *scene)
{
    assert_true(bed_done(&scene->bed));
    free(scene->words);
    free(scene->bitmap);
    free(scene->model);
}

/* Start, collections and stop go part by part. */
static bool in_parts;

static struct ept_change start_in_parts(struct scene *scene)
{
    struct ept *ept = &scene->bed.ept;
    struct ept_change change = {
        ept_dirty_begin(ept, &scene->log, scene->source, scene->granularity, LOG_SIZE, scene->words),
        EPT_FLUSH_NONE};

    for (uint64_t at = 0, next; change.status == EPT_OK && at < LOG_SIZE; at = next) {
        next = ept_portion(ept, at, LOG_SIZE, EPT_PORTION_PAGES);
        change.flush = ept_flush_both(change.flush, ept_dirty_prepare(ept, at, next));
    }
    return change;
}

static struct ept_dirty_collected collect_in_parts(struct scene *scene)
{
    struct ept *ept = &scene->bed.ept;
    struct ept_dirty_collected sum = {.flush = EPT_FLUSH_NONE}, part;

    for (uint64_t at = 0, next; at < LOG_SIZE; at = next) {
        next = ept_portion(ept, at, LOG_SIZE, EPT_PORTION_PAGES);
        ept_dirty_gather(ept, at, next);
    }
    do {
        part = ept_dirty_take(ept, scene->bitmap, 1);
        sum.pages += part.pages;
        sum.flush = ept_flush_both(sum.flush, part.flush);
    } while (part.more);
    return sum;
}

static struct ept_change stop_in_parts(struct scene *scene)
{
    struct ept *ept = &scene->bed.ept;
    struct ept_change change = {ept_dirty_end(ept), EPT_FLUSH_NONE};

    for (uint64_t at = 0, next; change.status == EPT_OK && at < LOG_SIZE; at = next) {
        next = ept_portion(ept, at, LOG_SIZE, EPT_PORTION_PAGES);
        ept_dirty_restore(ept, at, next);
    }
    return change;
}

static void start(struct scene *scene)
{
    struct ept_change change = in_parts ? start_in_parts(scene)
                                        : ept_dirty_start(&scene->bed.ept, &scene->log, scene->source,
                                                          scene->granularity, LOG_SIZE, scene->words);

    assert_int_equal(change.status, EPT_OK);
    processor_flush(&scene->processor, change.flush);
    scene->processor.pml = scene->source == EPT_DIRTY_PML;
    memset(scene->model, 0, WORDS * 8);
}

/* The change and its flush, and 512 equal pages become one again. */
static void stop(struct scene *scene)
{
    struct ept_change change = in_parts ? stop_in_parts(scene) : ept_dirty_stop(&scene->bed.ept);

    assert_int_equal(change.status, EPT_OK);
    processor_flush(&scene->processor, change.flush);
    scene->processor.pml = false;
    scene->processor.log_used = 0;
    for (unsigned level = 2; level <= 3; level++) {
        for (uint64_t at = 0; at < LOG_SIZE;) {
            struct ept_merge_batch batch = {.count = 0};
            enum ept_flush flush;

            at = ept_merge(&scene->bed.ept, at, LOG_SIZE, level, &batch, &flush);
            processor_flush(&scene->processor, flush);
            ept_merge_finish(&scene->bed.ept, &batch);
        }
    }
    ept_reclaim(&scene->bed.ept);
}

static void model_mark(struct scene *scene, uint64_t gpa, uint64_t size)
{
    for (uint64_t page = gpa >> 12; page < (gpa + size) >> 12; page++)
        scene->model[page / 64] |= UINT64_C(1) << page % 64;
}

static void guest_access(struct scene *scene, uint64_t gpa, unsigned access)
{
    const struct cached *cached = processor_access(&scene->processor, gpa, access);

    if (cached == NULL || (access & EPT_WRITE) == 0)
        return;
    if (scene->bed.ept.dirty != NULL)
        assert_true(cached->level <= scene->granularity);
    model_mark(scene, gpa & ~(ept_level_size(cached->level) - 1), ept_level_size(cached->level));
}

static void collect(struct scene *scene)
{
    struct ept_dirty_collected collected;
    uint64_t pages = 0;

    processor_drain(&scene->processor);
    memset(scene->bitmap, 0, WORDS * 8);
    collected = in_parts ? collect_in_parts(scene) : ept_dirty_collect(&scene->bed.ept, scene->bitmap);
    processor_flush(&scene->processor, collected.flush);
    for (unsigned n = 0; n < WORDS; n++) {
        if (scene->bitmap[n] != scene->model[n])
            print_error("word %u: %#lx, not %#lx\n", n, scene->bitmap[n], scene->model[n]);
        assert_true(scene->bitmap[n] == scene->model[n]);
        pages += (uint64_t)__builtin_popcountll(scene->model[n]);
    }
    assert_int_equal(collected.pages, pages);
    memset(scene->model, 0, WORDS * 8);
    scene->collected += pages;
}

#define for_each_way(source, granularity)                                                                    \
    for (enum ept_dirty_source source = EPT_DIRTY_PML; source < EPT_DIRTY_SOURCE_COUNT; source++)            \
        for (unsigned granularity = 1; granularity <= 2; granularity++)

static void test_same_set(void **state)
{
    (void)state;
    for_each_way(source, granularity)
    {
        struct scene scene;

        scene_init(&scene, source, granularity);
        guest_access(&scene, 9 * MB, EPT_WRITE); /* mapped and dirty before */
        guest_access(&scene, GB + 5 * MB, EPT_READ);
        guest_access(&scene, 0x5000, EPT_WRITE);
        start(&scene);
        collect(&scene);
        for (unsigned round = 0; round < 3; round++) {
            for (uint64_t gpa = 10 * MB; gpa < 14 * MB; gpa += 4 * KB) /* twice the page-modification log */
                guest_access(&scene, gpa, EPT_WRITE);
            guest_access(&scene, 0x5000, EPT_READ);
            guest_access(&scene, 0x6fff, EPT_WRITE | EPT_READ);
            guest_access(&scene, 0x6000, EPT_WRITE);
            guest_access(&scene, 20 * MB, EPT_READ); /* mapped while the log runs, and not written */
            guest_access(&scene, GB + 5 * MB, EPT_WRITE);
            guest_access(&scene, GB + 900 * MB, EPT_READ | EPT_WRITE);
            guest_access(&scene, GB + 901 * MB, EPT_EXECUTE);
            guest_access(&scene, 65 * MB, EPT_WRITE); /* ROM */
            collect(&scene);
            collect(&scene);
        }
        if (source == EPT_DIRTY_PML && granularity == 1)
            assert_true(scene.processor.log_full > 0);
        stop(&scene);
        assert_int_equal(ept_walk(&scene.bed.ept, 10 * MB).level, 2);
        assert_int_equal(ept_walk(&scene.bed.ept, 20 * MB).rights, RWX);
        assert_int_equal(ept_walk(&scene.bed.ept, 0x5000).rights, RWX);
        scene_done(&scene);
    }
}

/* A write after a collection without its flush goes unseen: so the flush that is returned matters, and is
 * enough. */
static void test_flush_is_needed(void **state)
{
    (void)state;
    for_each_way(source, granularity)
    {
        struct scene scene;
        struct ept_dirty_collected collected;

        scene_init(&scene, source, granularity);
        start(&scene);
        guest_access(&scene, 9 * MB, EPT_WRITE);
        processor_drain(&scene.processor);
        collected = ept_dirty_collect(&scene.bed.ept, scene.bitmap);
        assert_int_equal(collected.flush, EPT_FLUSH_CONTEXT);
        assert_non_null(
            processor_access(&scene.processor, 9 * MB, EPT_WRITE)); /* by the cached translation */
        processor_flush(&scene.processor, collected.flush);
        processor_drain(&scene.processor);
        collected = ept_dirty_collect(&scene.bed.ept, scene.bitmap);
        assert_int_equal(collected.pages, 0);
        assert_int_equal(collected.flush, EPT_FLUSH_NONE);
        assert_non_null(processor_access(&scene.processor, 9 * MB, EPT_WRITE));
        processor_drain(&scene.processor);
        assert_int_equal(ept_dirty_collect(&scene.bed.ept, scene.bitmap).pages, granularity == 1 ? 1 : 512);
        stop(&scene);
        scene_done(&scene);
    }
}

static uint64_t random_state;

static uint64_t random_below(uint64_t limit)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % limit;
}

/* Addresses that meet again: a few blocks of each region. */
static uint64_t some_gpa(void)
{
    uint64_t page = random_below(4) == 0 ? random_below(512) : random_below(12);

    switch (random_below(4)) {
    case 0:
        return random_below(4) * 2 * MB + page * 4 * KB;
    case 1:
        return 8 * MB + random_below(28) * 2 * MB + page * 4 * KB;
    case 2:
        return 64 * MB + page * 4 * KB;
    default:
        return GB + random_below(3) * 170 * MB + page * 4 * KB;
    }
}

static void other_operation(struct scene *scene, uint64_t gpa)
{
    struct ept *ept = &scene->bed.ept;
    struct processor *processor = &scene->processor;

    switch (random_below(8)) {
    case 0:
        processor_flush(processor, ept_zap(ept, gpa, 4 * KB));
        break;
    case 1:
        processor_flush(processor, ept_zap(ept, gpa & ~(4 * MB - 1), 4 * MB));
        break;
    case 2: {
        struct ept_change change = ept_split(ept, gpa, 1 + (unsigned)random_below(2));

        assert_true(change.status == EPT_OK || change.status == EPT_NOT_LISTED);
        processor_flush(processor, change.flush);
        break;
    }
    case 3:
        if (scene->bed.caps.accessed_dirty)
            processor_flush(
                processor,
                ept_harvest(ept, gpa & ~(2 * MB - 1), 4 * MB, EPT_ACCESSED | EPT_DIRTY, NULL, NULL).flush);
        break;
    case 4:
        ept_dirty_mark(ept, gpa + 123, 5000);
        model_mark(scene, gpa, 8192);
        break;
    case 5: { /* a ROM write that goes nowhere, as the vmm does it */
        struct ept_change change = ept_map_one(ept, 65 * MB, 3 * GB + 0x123000, RW, MEMORY_TYPE_WB);

        assert_int_equal(change.status, EPT_OK);
        processor_flush(processor, change.flush);
        assert_non_null(processor_access(processor, 65 * MB, EPT_WRITE));
        processor_flush(processor, ept_zap(ept, 65 * MB, 4 * KB));
        break;
    }
    case 6: {
        struct ept_change change = ept_map_range(ept, gpa & ~(2 * MB - 1), 2 * MB);

        assert_int_equal(change.status, EPT_OK);
        processor_flush(processor, change.flush);
        break;
    }
    default: {
        uint64_t from = 8 * MB + random_below(7) * 8 * MB;
        struct ept_change change = ept_set_rights(ept, from, 8 * MB, random_below(2) ? RX : RWX);

        assert_int_equal(change.status, EPT_OK);
        processor_flush(processor, change.flush);
        break;
    }
    }
}

static void test_random_operations(void **state)
{
    (void)state;
    for_each_way(source, granularity)
    {
        struct scene scene;

        random_state = 0x9e3779b97f4a7c15 + source * 2 + granularity;
        scene_init(&scene, source, granularity);
        for (unsigned session = 0; session < 3; session++) {
            start(&scene);
            for (unsigned n = 0; n < 40000; n++) {
                uint64_t gpa = some_gpa();

                if (random_below(100) == 0)
                    collect(&scene);
                else if (random_below(16) == 0)
                    other_operation(&scene, gpa);
                else
                    guest_access(&scene, gpa,
                                 (unsigned[]){EPT_WRITE, EPT_READ, RW, EPT_EXECUTE}[random_below(4)]);
            }
            collect(&scene);
            assert_true(ept_set_rights(&scene.bed.ept, 8 * MB, 56 * MB, RWX).status == EPT_OK);
            processor_flush(&scene.processor, EPT_FLUSH_CONTEXT);
            stop(&scene);
            for (unsigned n = 0; n < 2000; n++)
                guest_access(&scene, some_gpa(), EPT_WRITE);
        }
        assert_true(scene.collected > 10000);
        assert_int_equal(ept_region_find(&scene.bed.list, 9 * MB)->size, 56 * MB);
        scene_done(&scene);
    }
}

/* Large pages that are split for a fetch keep what is known of them. */
static void test_no_executable_large(void **state)
{
    (void)state;
    for_each_way(source, granularity)
    {
        struct scene scene;

        scene_init(&scene, source, granularity);
        scene.bed.ept.no_executable_large = true;
        guest_access(&scene, 10 * MB, EPT_WRITE);
        start(&scene);
        guest_access(&scene, 10 * MB, EPT_EXECUTE);
        guest_access(&scene, 10 * MB + 0x1000, EPT_READ);
        guest_access(&scene, 12 * MB, EPT_WRITE);
        guest_access(&scene, 12 * MB, EPT_EXECUTE);
        guest_access(&scene, 10 * MB + 0x3000, EPT_WRITE);
        collect(&scene);
        guest_access(&scene, 10 * MB + 0x3000, EPT_WRITE);
        guest_access(&scene, 12 * MB + 0x3000, EPT_WRITE);
        collect(&scene);
        stop(&scene);
        scene_done(&scene);
    }
}

static void test_pick(void **state)
{
    struct ept_caps caps = {.accessed_dirty = true, .page_modification_log = true};
    enum ept_dirty_source source;

    (void)state;
    assert_int_equal(ept_dirty_pick(&caps, EPT_DIRTY_BEST, &source), EPT_OK);
    assert_int_equal(source, EPT_DIRTY_PML);
    assert_int_equal(ept_dirty_pick(&caps, EPT_DIRTY_PML, &source), EPT_OK);
    caps.page_modification_log = false;
    assert_int_equal(ept_dirty_pick(&caps, EPT_DIRTY_BEST, &source), EPT_OK);
    assert_int_equal(source, EPT_DIRTY_FLAGS);
    assert_int_equal(ept_dirty_pick(&caps, EPT_DIRTY_PML, &source), EPT_UNSUPPORTED);
    caps = (struct ept_caps){.page_modification_log = true}; /* A/D flags off: an Avoton */
    assert_int_equal(ept_dirty_pick(&caps, EPT_DIRTY_BEST, &source), EPT_OK);
    assert_int_equal(source, EPT_DIRTY_WRITE_PROTECTION);
    assert_int_equal(ept_dirty_pick(&caps, EPT_DIRTY_PML, &source), EPT_UNSUPPORTED);
    assert_int_equal(ept_dirty_pick(&caps, EPT_DIRTY_FLAGS, &source), EPT_UNSUPPORTED);
    assert_int_equal(ept_dirty_pick(&caps, EPT_DIRTY_SOURCE_COUNT, &source), EPT_UNSUPPORTED);
    assert_string_equal(ept_dirty_source_name(EPT_DIRTY_PML), "PML");
    assert_string_equal(ept_dirty_source_name(EPT_DIRTY_SOURCE_COUNT), "?");
}

static void test_refusals(void **state)
{
    struct scene scene;
    struct ept *ept = &scene.bed.ept;
    uint64_t bit;

    (void)state;
    scene_init(&scene, EPT_DIRTY_FLAGS, 1);
    assert_int_equal(ept_dirty_stop(ept).status, EPT_BUSY);
    assert_int_equal(ept_dirty_collect(ept, scene.bitmap).pages, 0);
    ept_dirty_mark(ept, 0, 4096);
    ept_dirty_drain(ept, scene.processor.log, 4);
    assert_int_equal(ept_dirty_start(ept, &scene.log, EPT_DIRTY_FLAGS, 1, 0, scene.words).status,
                     EPT_UNALIGNED);
    assert_int_equal(ept_dirty_start(ept, &scene.log, EPT_DIRTY_FLAGS, 1, 4097, scene.words).status,
                     EPT_UNALIGNED);
    assert_int_equal(ept_dirty_start(ept, &scene.log, EPT_DIRTY_FLAGS, 1, 2 * TB, scene.words).status,
                     EPT_BEYOND_WIDTH);
    assert_int_equal(ept_dirty_start(ept, &scene.log, EPT_DIRTY_FLAGS, 3, 4096, scene.words).status,
                     EPT_UNSUPPORTED);
    assert_int_equal(ept_dirty_start(ept, &scene.log, EPT_DIRTY_BEST, 1, 4096, scene.words).status,
                     EPT_UNSUPPORTED);
    start(&scene);
    assert_int_equal(ept_dirty_start(ept, &scene.log, EPT_DIRTY_FLAGS, 1, 4096, scene.words).status,
                     EPT_BUSY);
    stop(&scene);

    /* What is beyond the log's end is neither noted nor touched; the last page is. */
    memset(scene.bitmap, 0, WORDS * 8);
    assert_int_equal(ept_dirty_start(ept, &scene.log, EPT_DIRTY_PML, 2, 67 * 4096, scene.words).status,
                     EPT_OK);
    ept_dirty_mark(ept, 66 * 4096, TB);
    ept_dirty_mark(ept, 67 * 4096, 4096);
    bit = UINT64_C(67) << 12;
    ept_dirty_drain(ept, &bit, 1);
    assert_int_equal(ept_dirty_collect(ept, scene.bitmap).pages, 1);
    assert_int_equal(scene.bitmap[1], 4);
    assert_int_equal(ept_dirty_stop(ept).status, EPT_OK);
    scene_done(&scene);
}

/* Who collects a page that another CPU has zapped must flush as well: the other may not have done so yet. */
static void test_flush_of_another(void **state)
{
    (void)state;
    for (enum ept_dirty_source source = EPT_DIRTY_PML; source < EPT_DIRTY_SOURCE_COUNT; source++) {
        struct scene scene;
        struct ept_dirty_collected collected;

        scene_init(&scene, source, 1);
        start(&scene);
        assert_non_null(processor_access(&scene.processor, 0x5000, EPT_WRITE));
        processor_drain(&scene.processor);
        assert_int_equal(ept_zap(&scene.bed.ept, 0x5000, 4 * KB), EPT_FLUSH_CONTEXT);
        collected = ept_dirty_collect(&scene.bed.ept, scene.bitmap);
        assert_int_equal(collected.pages, 1);
        assert_int_equal(collected.flush, EPT_FLUSH_CONTEXT);
        assert_int_equal(ept_dirty_collect(&scene.bed.ept, scene.bitmap).flush, EPT_FLUSH_NONE);
        assert_int_equal(ept_dirty_stop(&scene.bed.ept).status, EPT_OK);
        scene_done(&scene);
    }
}

/* A leaf that was planted to be write-only keeps its W: without it would be neither a page nor nothing. */
static void test_planted_write_only(void **state)
{
    static uint64_t words[64], bitmap[16], scratch[32];
    struct ept_audit_check check = {.scratch = scratch, .scratch_words = 32};
    struct ept_dirty_log log;
    struct ept_audit audit;
    struct bed bed;

    (void)state;
    assert_true(bed_init(&bed, CAP_NO_LARGE, 40, 16));
    assert_true(bed_add(&bed, EPT_REGION_RAM, 0, 2 * MB, GB, RWX));
    assert_int_equal(ept_dirty_start(&bed.ept, &log, EPT_DIRTY_WRITE_PROTECTION, 1, 2 * MB, words).status,
                     EPT_OK);
    for (uint64_t gpa = 0; gpa < 0x2000; gpa += 0x1000) {
        assert_int_equal(ept_fault(&bed.ept, gpa, EPT_WRITE).kind, EPT_FAULT_INSTALLED);
        assert_int_equal(ept_plant(&bed.ept, gpa, 1, EPT_PLANT_WRITE_ONLY).status, EPT_OK);
    }
    assert_int_equal(ept_dirty_collect(&bed.ept, bitmap).pages, 2);
    assert_int_equal(ept_dirty_stop(&bed.ept).status, EPT_OK);
    assert_int_equal(ept_dirty_start(&bed.ept, &log, EPT_DIRTY_WRITE_PROTECTION, 1, 2 * MB, words).status,
                     EPT_OK);
    assert_int_equal(ept_misconfig_analyse(&bed.ept, 0x1000).entries[0].reasons, EPT_REASON_WRITE_ONLY);
    assert_true(ept_audit(&bed.ept, &check, &audit));
    assert_int_equal(audit.planted, 2);
    assert_int_equal(ept_dirty_stop(&bed.ept).status, EPT_OK);
    assert_true(bed_done(&bed));
}

static void test_in_parts(void **state)
{
    in_parts = true;
    test_same_set(state);
    test_random_operations(state);
    in_parts = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_set),
        cmocka_unit_test(test_flush_is_needed),
        cmocka_unit_test(test_random_operations),
        cmocka_unit_test(test_no_executable_large),
        cmocka_unit_test(test_pick),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_flush_of_another),
        cmocka_unit_test(test_planted_write_only),
        cmocka_unit_test(test_in_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
