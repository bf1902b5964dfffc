/* SPDX-License-Identifier: MIT */
/*
 * Threads as CPUs of one VM whose table frames are far too few: each faults on addresses of its own and of
 * the others, and takes cold tables back when there is no frame. Meant for ThreadSanitizer as well.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/audit.h"
#include "ept/cold.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

#define THREADS 4
#define FRAMES  40 /* for 64 areas of 2 MiB in four of 1 GiB */
#define ROUNDS  300

struct shared {
    struct bed bed;
    pthread_barrier_t barrier;
    uint64_t mapped, taken, wrong;
};

struct worker {
    struct shared *shared;
    uint64_t state;
    unsigned number;
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void add(uint64_t *counter, uint64_t more)
{
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

/* Frames that were taken are free only after the barrier: so many faults of a round find none. */
static void work(struct worker *worker)
{
    struct shared *shared = worker->shared;
    struct ept *ept = &shared->bed.ept;

    for (unsigned n = 0; n < 40; n++) {
        uint64_t random = next_random(&worker->state);
        uint64_t gpa = (random & 3) * GB + (random >> 2 & 15) * 2 * MB + (random >> 6 & 511) * 4 * KB;
        struct ept_fault_result result = ept_fault(ept, gpa, EPT_WRITE);
        enum ept_flush flush;

        if (ept_fault_resolved(result.kind)) {
            add(&shared->mapped, 1);
            if (result.hpa != gpa + 0x1000 || result.rights != RWX)
                add(&shared->wrong, 1);
        } else if (result.kind == EPT_FAULT_NO_FRAME) {
            add(&shared->taken, ept_take_cold(ept, gpa, 1 + random % 4, &flush));
        } else {
            add(&shared->wrong, 1);
        }
        if (random % 64 == 0)
            (void)!ept_zap(ept, gpa & ~(2 * MB - 1), 2 * MB);
    }
}

static void *run(void *argument)
{
    struct worker *worker = argument;

    for (unsigned round = 0; round < ROUNDS; round++) {
        work(worker);
        if (pthread_barrier_wait(&worker->shared->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            ept_reclaim(&worker->shared->bed.ept);
        pthread_barrier_wait(&worker->shared->barrier);
    }
    return NULL;
}

static void run_threads(uint64_t capabilities)
{
    static struct shared shared;
    static uint64_t scratch[4 * FRAMES];
    struct ept_audit_check check = {.scratch = scratch, .scratch_words = 4 * FRAMES};
    struct worker workers[THREADS];
    pthread_t threads[THREADS];
    struct ept_audit result;

    shared = (struct shared){.mapped = 0};
    assert_true(bed_init(&shared.bed, capabilities, 40, FRAMES));
    assert_true(bed_add(&shared.bed, EPT_REGION_RAM, 0, 8 * GB, 0x1000, RWX));
    pthread_barrier_init(&shared.barrier, NULL, THREADS);
    for (unsigned n = 0; n < THREADS; n++) {
        workers[n] = (struct worker){&shared, 88172645463325252 + n * 7919, n};
        assert_int_equal(pthread_create(&threads[n], NULL, run, &workers[n]), 0);
    }
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    assert_int_equal(shared.wrong, 0);
    assert_true(shared.mapped > THREADS * ROUNDS);
    assert_true(shared.taken > ROUNDS);
    assert_true(ept_audit(&shared.bed.ept, &check, &result));
    assert_int_equal(result.tables, shared.bed.pool.in_use);
    pthread_barrier_destroy(&shared.barrier);
    assert_true(bed_done(&shared.bed));
}

static void test_with_accessed_flags(void **state)
{
    (void)state;
    run_threads(CAP_ALL);
}

static void test_in_turn(void **state)
{
    (void)state;
    run_threads(CAP_ALL & ~EPT_BIT(21));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_with_accessed_flags),
        cmocka_unit_test(test_in_turn),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
