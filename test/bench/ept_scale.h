/* SPDX-License-Identifier: MIT */
/*
 * What ept/ does for guests of 1 GiB, 64 GiB and 1 TiB that touch equally much: the operations of which
 * test/bench/ept_scale.c takes the time and test/observed/ept_scale.c counts the accesses to memory. The
 * touched pages stand in a row at the end of the guest's RAM, but for `scattered`.
 */
#ifndef TEST_BENCH_EPT_SCALE_H
#define TEST_BENCH_EPT_SCALE_H

#include "ept/dirty.h"
#include "ept/map.h"
#include "test/host/ept_pool.h"
#include <stdio.h>

#define SCALE_GIB    (UINT64_C(1) << 30)
#define SCALE_PAGE   UINT64_C(4096)
#define SCALE_LARGE  (512 * SCALE_PAGE)
#define SCALE_BLOCKS 32 /* of 2 MiB, touched in pages of 4 KiB */
#define SCALE_SPREAD 64 /* pages of `scattered` */

static const uint64_t scale_sizes[] = {1 * SCALE_GIB, 64 * SCALE_GIB, 1024 * SCALE_GIB};
#define SCALE_SIZES (sizeof(scale_sizes) / sizeof(scale_sizes[0]))

struct scale_guest {
    struct bed bed;
    struct mtrr_snapshot mtrr;
    struct ept_dirty_log log;
    uint64_t *words, *bitmap;
    uint64_t size, first; /* bytes of RAM; where the touched ones begin */
    void (*measure)(bool on);
};

struct scale_operation {
    const char *name;
    uint64_t (*run)(
        struct scale_guest *guest); /* brackets what counts with measure(); gives how many units it was */
    bool large;                     /* the guest's RAM may be mapped by 2 MiB pages */
};

/* The test says when it is wrong. */
static inline void scale_expect(bool good, const char *what)
{
    if (!good) {
        printf("ept_scale: %s\n", what);
        abort();
    }
}

static inline void scale_start(struct scale_guest *guest, uint64_t size, bool large)
{
    const uint64_t mib = 1 << 20, at = 4096 * SCALE_GIB;

    *guest = (struct scale_guest){.size = size, .first = size - SCALE_BLOCKS * SCALE_LARGE};
    scale_expect(bed_init(&guest->bed, CAP_NO_1G | 1 << 21, 46, 512), "no EPT");
    guest->bed.caps.page_modification_log = guest->bed.ept.caps.page_modification_log = true;
    /* A page's distance between the addresses keeps large pages out. */
    scale_expect(bed_add(&guest->bed, EPT_REGION_RAM, 0, 640 << 10, at, EPT_RIGHTS), "no memory map");
    scale_expect(bed_add(&guest->bed, EPT_REGION_RAM, mib, size - mib, at + mib + (large ? 0 : SCALE_PAGE),
                         EPT_RIGHTS),
                 "no memory map");
    guest->bed.storage[0].type_from_mtrr = guest->bed.storage[1].type_from_mtrr = true;
    guest->mtrr =
        (struct mtrr_snapshot){.def_type = 0x806, .cap = 0x508, .variable_count = 8, .phys_width = 46};
    guest->mtrr.variable[0].base = 3 * SCALE_GIB; /* UC from 3 to 4 GiB */
    guest->mtrr.variable[0].mask = ((UINT64_C(1) << 46) - SCALE_GIB) | 0x800;
    mtrr_work_out(&guest->mtrr);
    guest->bed.ept.mtrr = &guest->mtrr;
}

static inline void scale_end(struct scale_guest *guest)
{
    guest->bed.ept.dirty = NULL;
    scale_expect(bed_done(&guest->bed), "frames are lost");
    free(guest->words);
    free(guest->bitmap);
}

static inline void scale_touch(struct scale_guest *guest, uint64_t gpa)
{
    scale_expect(ept_fault(&guest->bed.ept, gpa, EPT_WRITE).kind == EPT_FAULT_INSTALLED,
                 "a page is not mapped");
}

/* The first page of each block but the first blocks' `from`. */
static inline uint64_t scale_touch_blocks(struct scale_guest *guest, unsigned from)
{
    for (unsigned n = from; n < SCALE_BLOCKS; n++)
        scale_touch(guest, guest->first + n * SCALE_LARGE);
    return SCALE_BLOCKS - from;
}

static inline uint64_t scale_fault_4k(struct scale_guest *guest)
{
    (void)scale_touch_blocks(guest, 0);
    guest->measure(true);
    for (unsigned block = 0; block < SCALE_BLOCKS; block++)
        for (unsigned page = 1; page < 512; page++)
            scale_touch(guest, guest->first + block * SCALE_LARGE + page * SCALE_PAGE);
    guest->measure(false);
    return SCALE_BLOCKS * 511;
}

static inline uint64_t scale_fault_2m(struct scale_guest *guest)
{
    scale_touch(guest, guest->first);
    guest->measure(true);
    (void)scale_touch_blocks(guest, 1);
    guest->measure(false);
    return SCALE_BLOCKS - 1;
}

static inline uint64_t scale_fault_new_table(struct scale_guest *guest)
{
    scale_touch(guest, guest->first);
    guest->measure(true);
    (void)scale_touch_blocks(guest, 1);
    guest->measure(false);
    return SCALE_BLOCKS - 1;
}

static inline void scale_log(struct scale_guest *guest, enum ept_dirty_source source)
{
    uint64_t pages = guest->size / SCALE_PAGE;

    guest->words = malloc(ept_dirty_log_words(pages) * 8);
    guest->bitmap = malloc(ept_dirty_bitmap_words(pages) * 8);
    memset(guest->bitmap, 0xff, ept_dirty_bitmap_words(pages) * 8); /* so that the memory is there */
    memset(guest->bitmap, 0, ept_dirty_bitmap_words(pages) * 8);
    scale_expect(
        ept_dirty_start(&guest->bed.ept, &guest->log, source, EPT_LEVEL_PT, guest->size, guest->words)
                .status == EPT_OK,
        "no dirty log");
}

/* What a processor does when the guest writes pages: flags, and entries of its log, which is drained. */
static inline void scale_write(struct scale_guest *guest, const uint64_t *pages, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        uint64_t *entry = pool_entry(&guest->bed.pool, &guest->bed.ept, pages[n], EPT_LEVEL_PT);

        scale_expect(entry != NULL && (*entry & EPT_WRITE) != 0, "a page cannot be written");
        *entry |= EPT_ACCESSED | EPT_DIRTY;
    }
    if (guest->log.source == EPT_DIRTY_PML)
        ept_dirty_drain(&guest->bed.ept, pages, count);
}

/* They are written and collected twice, and it is the second collection that counts: the first finds nothing
 * in any cache. */
static inline uint64_t scale_collected(struct scale_guest *guest, enum ept_dirty_source source,
                                       const uint64_t *pages, unsigned count)
{
    scale_log(guest, source);
    for (unsigned n = 0; n < count; n++)
        scale_touch(guest, pages[n]);
    for (unsigned round = 0; round < 2; round++) {
        struct ept_dirty_collected collected;

        scale_write(guest, pages, count);
        if (round != 0)
            guest->measure(true);
        collected = ept_dirty_collect(&guest->bed.ept, guest->bitmap);
        if (round != 0)
            guest->measure(false);
        scale_expect(collected.pages == count, "a written page is not collected");
    }
    return count;
}

/* The pages of a block. */
static inline void scale_block(const struct scale_guest *guest, uint64_t pages[512])
{
    for (unsigned n = 0; n < 512; n++)
        pages[n] = guest->first + n * SCALE_PAGE;
}

static inline uint64_t scale_pml_drain(struct scale_guest *guest)
{
    uint64_t pages[512];

    scale_block(guest, pages);
    scale_log(guest, EPT_DIRTY_PML);
    for (unsigned round = 0; round < 2; round++) {
        if (round != 0)
            guest->measure(true);
        ept_dirty_drain(&guest->bed.ept, pages, 512);
        if (round != 0)
            guest->measure(false);
        (void)ept_dirty_collect(&guest->bed.ept, guest->bitmap).pages;
    }
    return 512;
}

static inline uint64_t scale_collect(struct scale_guest *guest)
{
    uint64_t pages[512];

    scale_block(guest, pages);
    return scale_collected(guest, EPT_DIRTY_PML, pages, 512);
}

static inline uint64_t scale_collect_one(struct scale_guest *guest)
{
    return scale_collected(guest, EPT_DIRTY_PML, &guest->first, 1);
}

static inline uint64_t scale_collect_scattered(struct scale_guest *guest)
{
    uint64_t pages[SCALE_SPREAD];

    for (unsigned n = 0; n < SCALE_SPREAD; n++)
        pages[n] = (2 * n + 1) * (guest->size / (2 * SCALE_SPREAD)) & ~(SCALE_PAGE - 1);
    return scale_collected(guest, EPT_DIRTY_PML, pages, SCALE_SPREAD);
}

/* By dirty flags: a collection looks at all that is mapped. */
static inline uint64_t scale_collect_flags(struct scale_guest *guest)
{
    uint64_t pages[512];

    scale_block(guest, pages);
    (void)scale_touch_blocks(guest, 1);
    return scale_collected(guest, EPT_DIRTY_FLAGS, pages, 512);
}

static inline uint64_t scale_teardown(struct scale_guest *guest)
{
    struct ept_memory memory = pool_memory(&guest->bed.pool);
    uint64_t tables;

    (void)scale_touch_blocks(guest, 0);
    for (unsigned page = 1; page < 512; page++)
        scale_touch(guest, guest->first + page * SCALE_PAGE);
    tables = guest->bed.ept.table_count;
    guest->measure(true);
    ept_destroy(&guest->bed.ept);
    guest->measure(false);
    scale_expect(ept_init(&guest->bed.ept, &memory, &guest->bed.caps, &guest->bed.list) == EPT_OK,
                 "no second EPT");
    return tables;
}

static const struct scale_operation scale_operations[] = {
    {"fault_4k", scale_fault_4k, false},
    {"fault_2m", scale_fault_2m, true},
    {"fault_new_table", scale_fault_new_table, false},
    {"pml_drain_page", scale_pml_drain, false},
    {"dirty_collect_page", scale_collect, false},
    {"dirty_collect_one", scale_collect_one, false},
    {"dirty_collect_scattered", scale_collect_scattered, false},
    {"dirty_collect_flags", scale_collect_flags, false},
    {"teardown_table", scale_teardown, false},
};
#define SCALE_OPERATIONS (sizeof(scale_operations) / sizeof(scale_operations[0]))

/* One operation on one guest; how many units it was. */
static inline uint64_t scale_run(const struct scale_operation *operation, uint64_t size,
                                 void (*measure)(bool on))
{
    static struct scale_guest guest;
    uint64_t units;

    scale_start(&guest, size, operation->large);
    guest.measure = measure;
    units = operation->run(&guest);
    scale_end(&guest);
    return units;
}

#endif
