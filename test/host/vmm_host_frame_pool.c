/* SPDX-License-Identifier: MIT */
/* vmm/host/frame_pool.c: the tables stand in pretended memory; a plain array of owners is the model it is compared
 * with. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "vmm/host/frame_pool.h"

#define MIB UINT64_C(0x100000)
#define GIB UINT64_C(0x40000000)

static struct frame_pool pool;
/* What map() hands out: as long as the tables can get in these tests. */
static uint16_t table_memory[4 * 1024 * 1024];
static uint64_t mapped;

static void *map(uint64_t physical)
{
    mapped = physical;
    memset(table_memory, 0xa5, sizeof(table_memory));
    return table_memory;
}

/* A PC with 64 MiB: the EBDA, the ROM hole, ACPI at the top. */
static const struct frame_range pc[] = {
    {0, 0x9f000, true},
    {0x9f000, 0x61000, false},
    {MIB, 63 * MIB - 0x20000, true},
    {64 * MIB - 0x20000, 0x20000, false},
};
static const struct frame_claim pc_claims[] = {
    {2 * MIB, 0x51000, FRAME_IMAGE},
    {0x101000, 70001, FRAME_MODULE},
    {0x8000, 1, FRAME_TRAMPOLINE},
    {0, 0, FRAME_TRAMPOLINE},
};

static void start(const struct frame_range *ranges, unsigned range_count, const struct frame_claim *claims,
                  unsigned claim_count)
{
    assert_int_equal(frame_pool_init(&pool, ranges, range_count, claims, claim_count, map), FRAME_OK);
    assert_true(pool.tables_length <= sizeof(table_memory));
}

static int start_pc(void **state)
{
    (void)state;
    start(pc, 4, pc_claims, 4);
    return 0;
}

static void owners_after_the_start(void **state)
{
    struct frame_stats stats;

    (void)state;
    assert_int_equal(frame_pool_owner(&pool, 0), FRAME_FREE);
    assert_int_equal(frame_pool_owner(&pool, 0x8fff), FRAME_TRAMPOLINE);
    assert_int_equal(frame_pool_owner(&pool, 0x9e000), FRAME_FREE);
    assert_int_equal(frame_pool_owner(&pool, 0x9f000), FRAME_RESERVED);
    assert_int_equal(frame_pool_owner(&pool, 0xf0000), FRAME_RESERVED);
    assert_int_equal(frame_pool_owner(&pool, 0x100000), FRAME_FREE);
    assert_int_equal(frame_pool_owner(&pool, 0x101000), FRAME_MODULE);
    assert_int_equal(frame_pool_owner(&pool, 0x101000 + 70000), FRAME_MODULE);
    assert_int_equal(frame_pool_owner(&pool, 0x101000 + 0x12000), FRAME_FREE);
    assert_int_equal(frame_pool_owner(&pool, 2 * MIB), FRAME_IMAGE);
    assert_int_equal(frame_pool_owner(&pool, 2 * MIB + 0x50fff), FRAME_IMAGE);
    assert_int_equal(frame_pool_owner(&pool, 2 * MIB + 0x51000), FRAME_FREE);
    assert_int_equal(frame_pool_owner(&pool, 64 * MIB - 0x20000), FRAME_RESERVED);
    assert_int_equal(frame_pool_owner(&pool, 64 * MIB), FRAME_NONE);
    assert_int_equal(frame_pool_owner(&pool, UINT64_MAX), FRAME_NONE);
    assert_int_equal(frame_pool_top(&pool), 64 * MIB);

    /* The tables lie in memory that was free, and are the host's. */
    assert_int_equal(mapped, pool.tables_physical);
    assert_true(pool.tables_physical >= MIB &&
                pool.tables_physical + pool.tables_length <= 64 * MIB - 0x20000);
    assert_int_equal(frame_pool_owner(&pool, pool.tables_physical), FRAME_HOST);
    assert_int_equal(frame_pool_owner(&pool, pool.tables_physical + pool.tables_length - 1), FRAME_HOST);

    frame_pool_stats(&pool, &stats);
    assert_int_equal(stats.total, 0x9f + (63 * MIB - 0x20000) / FRAME_SIZE);
    assert_int_equal(stats.image, 0x51);
    assert_int_equal(stats.module, 0x12);
    assert_int_equal(stats.low, 0x9f - 1);
    assert_int_equal(stats.host, pool.tables_length / FRAME_SIZE + 1);
    assert_int_equal(stats.free, stats.total - stats.image - stats.module - stats.low - stats.host);
    assert_int_equal(stats.free, pool.free_count);
}

static void all_frames_are_handed_out_once(void **state)
{
    uint64_t count = 0, physical;
    struct frame_stats stats;

    (void)state;
    frame_pool_stats(&pool, &stats);
    while ((physical = frame_pool_alloc(&pool, FRAME_GUEST(3), 1, 1)) != FRAME_ALLOC_FAILED) {
        assert_true(physical >= FRAME_ALLOC_FLOOR);
        assert_int_equal(physical % FRAME_SIZE, 0);
        assert_int_equal(frame_pool_owner(&pool, physical), FRAME_GUEST(3));
        count++;
    }
    assert_int_equal(count, stats.free);
    assert_int_equal(pool.free_count, 0);
    /* Nobody else lost anything. */
    assert_int_equal(frame_pool_owner(&pool, 2 * MIB), FRAME_IMAGE);
    assert_int_equal(frame_pool_owner(&pool, 0x101000), FRAME_MODULE);
    assert_int_equal(frame_pool_owner(&pool, pool.tables_physical), FRAME_HOST);
    assert_int_equal(frame_pool_owner(&pool, 0x1000), FRAME_FREE);

    assert_true(frame_pool_free(&pool, 8 * MIB, 1, FRAME_GUEST(3)));
    assert_int_equal(frame_pool_alloc(&pool, FRAME_EPT(1), 1, 1), 8 * MIB);
}

static void runs_are_aligned(void **state)
{
    uint64_t run;

    (void)state;
    run = frame_pool_alloc(&pool, FRAME_GUEST(0), 512, 512);
    assert_int_equal(run, 4 * MIB);
    run = frame_pool_alloc(&pool, FRAME_GUEST(0), 1, 1);
    assert_int_equal(run, MIB);
    run = frame_pool_alloc(&pool, FRAME_GUEST(0), 3, 4);
    assert_int_equal(run % (4 * FRAME_SIZE), 0);
    run = frame_pool_alloc(&pool, FRAME_GUEST(0), 8 * 512, 1024);
    assert_int_equal(run, 8 * MIB);
    assert_int_equal(frame_pool_owner(&pool, run + 16 * MIB - 1), FRAME_GUEST(0));
    assert_int_not_equal(frame_pool_owner(&pool, run + 16 * MIB), FRAME_GUEST(0));
}

static void nonsense_is_refused(void **state)
{
    uint64_t run = frame_pool_alloc(&pool, FRAME_HOST, 4, 1);
    uint64_t before = pool.free_count;

    (void)state;
    assert_int_not_equal(run, FRAME_ALLOC_FAILED);
    assert_int_equal(frame_pool_alloc(&pool, FRAME_HOST, 0, 1), FRAME_ALLOC_FAILED);
    assert_int_equal(frame_pool_alloc(&pool, FRAME_HOST, 1, 0), FRAME_ALLOC_FAILED);
    assert_int_equal(frame_pool_alloc(&pool, FRAME_HOST, 1, 3), FRAME_ALLOC_FAILED);
    assert_int_equal(frame_pool_alloc(&pool, FRAME_HOST, UINT64_MAX, 1), FRAME_ALLOC_FAILED);
    assert_int_equal(frame_pool_alloc(&pool, FRAME_FREE, 1, 1), FRAME_ALLOC_FAILED);
    assert_false(frame_pool_free(&pool, run, 4, FRAME_MODULE));
    assert_false(frame_pool_free(&pool, run, 5, FRAME_HOST)); /* the fifth is free */
    assert_false(frame_pool_free(&pool, run + 1, 1, FRAME_HOST));
    assert_false(frame_pool_free(&pool, run, 0, FRAME_HOST));
    assert_false(frame_pool_free(&pool, 0xf0000, 1, FRAME_RESERVED));
    assert_false(frame_pool_free(&pool, 8 * MIB, 1, FRAME_FREE));
    assert_false(frame_pool_free(&pool, 1024 * MIB, 1, FRAME_NONE));
    assert_false(frame_pool_claim(&pool, 64 * MIB - FRAME_SIZE, UINT64_MAX / 2, FRAME_RESERVED, FRAME_HOST));
    assert_int_equal(pool.free_count, before);
    assert_true(frame_pool_free(&pool, run, 4, FRAME_HOST));
    assert_false(frame_pool_free(&pool, run, 4, FRAME_HOST)); /* twice */
    assert_int_equal(pool.free_count, before + 4);
}

static void low_memory_is_claimed_not_allocated(void **state)
{
    uint64_t before = pool.free_count;

    (void)state;
    assert_true(frame_pool_claim(&pool, 0x9e000, 1, FRAME_FREE, FRAME_TRAMPOLINE));
    assert_false(frame_pool_claim(&pool, 0x9e000, 1, FRAME_FREE, FRAME_TRAMPOLINE));
    assert_false(frame_pool_claim(&pool, 0x9d000, 3, FRAME_FREE, FRAME_TRAMPOLINE));
    assert_int_equal(frame_pool_owner(&pool, 0x9d000), FRAME_FREE);
    assert_int_equal(pool.free_count, before);
}

/* RAM on both sides of a hole of terabytes: the tables only know the two ends. */
static void sparse_memory(void **state)
{
    static const struct frame_range ranges[] = {
        {MIB, 31 * MIB, true},
        {UINT64_C(0x7f0000000000) + 0x1000, 64 * MIB, true},
    };
    uint64_t run;

    (void)state;
    start(ranges, 2, NULL, 0);
    assert_int_equal(pool.span_count, 2);
    assert_int_equal(pool.chunk_count, 16 + 33);
    assert_int_equal(frame_pool_owner(&pool, 0), FRAME_RESERVED);
    assert_int_equal(frame_pool_owner(&pool, 32 * MIB), FRAME_NONE);
    assert_int_equal(frame_pool_owner(&pool, UINT64_C(0x7f0000000000)), FRAME_RESERVED);
    assert_int_equal(frame_pool_owner(&pool, UINT64_C(0x7f0000001000)), FRAME_FREE);
    assert_int_equal(frame_pool_top(&pool), UINT64_C(0x7f0000000000) + 66 * MIB);
    /* 24 times 2 MiB fit into the upper range alone. */
    run = frame_pool_alloc(&pool, FRAME_GUEST(1), 24 * 512, 512);
    assert_int_equal(run, UINT64_C(0x7f0000000000) + 2 * MIB);
    assert_int_equal(frame_pool_alloc(&pool, FRAME_GUEST(1), 24 * 512, 512), FRAME_ALLOC_FAILED);
}

/* Ranges that share a 2 MiB chunk make one span; what is between them stays reserved. */
static void ranges_in_one_chunk(void **state)
{
    static const struct frame_range ranges[] = {
        {4 * MIB, 0x3000, true},
        {4 * MIB + 0x5000, 0x1000, true},
        {4 * MIB + 0x8000, 8 * MIB, true},
    };

    (void)state;
    start(ranges, 3, NULL, 0);
    assert_int_equal(pool.span_count, 1);
    assert_int_equal(pool.free_count, (0x4000 + 8 * MIB - pool.tables_length) / FRAME_SIZE);
    assert_int_equal(frame_pool_owner(&pool, 4 * MIB + 0x3000), FRAME_RESERVED);
    assert_int_equal(frame_pool_owner(&pool, 4 * MIB + 0x5000), FRAME_FREE);
    assert_int_equal(frame_pool_owner(&pool, 4 * MIB + 0x6000), FRAME_RESERVED);
}

static void no_room_for_the_tables(void **state)
{
    static const struct frame_range low = {0, 0xa0000, true};
    static const struct frame_range small = {4 * MIB, 2 * FRAME_SIZE, true};
    static const struct frame_claim all = {4 * MIB + 1, FRAME_SIZE, FRAME_MODULE};

    (void)state;
    assert_int_equal(frame_pool_init(&pool, &low, 1, NULL, 0, map), FRAME_NO_ROOM);
    assert_int_equal(frame_pool_init(&pool, &low, 0, NULL, 0, map), FRAME_NO_ROOM);
    assert_int_equal(frame_pool_init(&pool, &small, 1, &all, 1, map), FRAME_NO_ROOM);
    assert_int_equal(frame_pool_init(&pool, &small, 1, NULL, 0, map), FRAME_OK);
}

static void largest_gap(void **state)
{
    static const struct frame_range ranges[] = {
        {0, 64 * MIB, true}, {64 * MIB, 64 * MIB, false}, {4 * GIB, GIB, true}};
    struct frame_claim claims[] = {{50 * MIB, MIB, FRAME_MODULE},
                                   {2 * MIB + 5, 10 * MIB, FRAME_IMAGE},
                                   {8 * MIB, 6 * MIB, FRAME_MODULE}};
    struct frame_gap gap;

    (void)state;
    gap = frame_gap_largest(ranges, 3, claims, 3, UINT64_MAX);
    assert_int_equal(gap.base, 4 * GIB);
    assert_int_equal(gap.length, GIB);
    gap = frame_gap_largest(ranges, 3, claims, 3, 4 * GIB);
    assert_int_equal(gap.base, 14 * MIB);
    assert_int_equal(gap.length, 36 * MIB);
    gap = frame_gap_largest(ranges, 3, claims, 3, 16 * MIB);
    assert_int_equal(gap.base, 14 * MIB);
    assert_int_equal(gap.length, 2 * MIB);
    claims[1].base = MIB;
    claims[1].length = 100 * MIB;
    gap = frame_gap_largest(ranges, 3, claims, 3, 4 * GIB);
    assert_int_equal(gap.length, 0);
}

#define MODEL_FRAMES (64 * MIB / FRAME_SIZE)
static frame_owner model[MODEL_FRAMES];

static void compare_with_model(void)
{
    uint64_t free = 0;

    for (uint64_t frame = 0; frame < MODEL_FRAMES; frame++) {
        assert_int_equal(frame_pool_owner(&pool, frame * FRAME_SIZE), model[frame]);
        free += model[frame] == FRAME_FREE && frame * FRAME_SIZE >= FRAME_ALLOC_FLOOR;
    }
    assert_int_equal(pool.free_count, free);
}

/* Whether the model has a place for the run, and the lowest one. */
static uint64_t model_find(uint64_t count, uint64_t alignment)
{
    for (uint64_t frame = FRAME_ALLOC_FLOOR / FRAME_SIZE; frame + count <= MODEL_FRAMES; frame++) {
        uint64_t n = 0;
        if (frame % alignment != 0)
            continue;
        while (n < count && model[frame + n] == FRAME_FREE)
            n++;
        if (n == count)
            return frame * FRAME_SIZE;
    }
    return FRAME_ALLOC_FAILED;
}

static void random_operations_agree_with_the_model(void **state)
{
    enum { RUNS = 400, STEPS = 6000 };
    static struct {
        uint64_t physical, count;
        frame_owner owner;
    } runs[RUNS];
    unsigned run_count = 0;

    (void)state;
    for (uint64_t frame = 0; frame < MODEL_FRAMES; frame++)
        model[frame] = frame_pool_owner(&pool, frame * FRAME_SIZE);
    srand(1);
    for (unsigned step = 0; step < STEPS; step++) {
        if (run_count == RUNS || (run_count > 0 && rand() % 100 < 45)) {
            unsigned pick = (unsigned)rand() % run_count;
            assert_true(frame_pool_free(&pool, runs[pick].physical, runs[pick].count, runs[pick].owner));
            for (uint64_t n = 0; n < runs[pick].count; n++)
                model[runs[pick].physical / FRAME_SIZE + n] = FRAME_FREE;
            runs[pick] = runs[--run_count];
        } else {
            static const uint64_t counts[] = {1, 1, 1, 2, 7, 64, 300, 512, 1024, 1500};
            uint64_t count = counts[rand() % 10], alignment = UINT64_C(1) << rand() % 11;
            frame_owner owner = FRAME_GUEST(rand() % 4);
            uint64_t physical = frame_pool_alloc(&pool, owner, count, alignment);
            assert_int_equal(physical, model_find(count, alignment));
            if (physical == FRAME_ALLOC_FAILED)
                continue;
            for (uint64_t n = 0; n < count; n++)
                model[physical / FRAME_SIZE + n] = owner;
            runs[run_count].physical = physical;
            runs[run_count].count = count;
            runs[run_count++].owner = owner;
        }
        if (step % 500 == 0)
            compare_with_model();
    }
    compare_with_model();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(owners_after_the_start, start_pc),
        cmocka_unit_test_setup(all_frames_are_handed_out_once, start_pc),
        cmocka_unit_test_setup(runs_are_aligned, start_pc),
        cmocka_unit_test_setup(nonsense_is_refused, start_pc),
        cmocka_unit_test_setup(low_memory_is_claimed_not_allocated, start_pc),
        cmocka_unit_test(sparse_memory),
        cmocka_unit_test(ranges_in_one_chunk),
        cmocka_unit_test(no_room_for_the_tables),
        cmocka_unit_test(largest_gap),
        cmocka_unit_test_setup(random_operations_agree_with_the_model, start_pc),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
