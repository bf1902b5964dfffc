/* SPDX-License-Identifier: MIT */
/*
 * Threads as CPUs: they fault on the same and on neighbouring pages of one EPT, split, plant, repair, zap and
 * map single pages, with no lock of their own. Meant for ThreadSanitizer as well. EPT_STRESS_OPERATIONS in
 * the environment sets the operations per thread.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/audit.h"
#include "ept/misconfig.h"
#include "ept/plant.h"
#include "ept/split.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

#define THREADS 4
#define BATCH   5000 /* operations of a thread between two reclaims */
#define FRAMES  40000

struct shared {
    struct bed bed;
    pthread_barrier_t barrier;
    uint64_t operations;
    bool faults_only;
    uint64_t tables_added, wrong;
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

static void count(uint64_t *counter, uint64_t more)
{
    __atomic_fetch_add(counter, more, __ATOMIC_RELAXED);
}

/* A fault that the list allows must be resolved, and to the listed address. */
static void fault(struct shared *shared, uint64_t gpa, unsigned access, bool repair)
{
    struct ept_fault_result result =
        repair ? ept_repair(&shared->bed.ept, gpa, access) : ept_fault(&shared->bed.ept, gpa, access);
    const struct ept_region *region = ept_region_find(&shared->bed.list, gpa);

    count(&shared->tables_added, result.tables_added);
    if ((access & ~(unsigned)region->rights) != 0) {
        if (ept_fault_resolved(result.kind))
            count(&shared->wrong, 1);
    } else if (!ept_fault_resolved(result.kind) || result.hpa != region->hpa + (gpa - region->gpa)) {
        count(&shared->wrong, 1);
    }
}

static void mixed(struct shared *shared, uint64_t word, uint64_t gpa)
{
    struct ept *ept = &shared->bed.ept;
    struct ept_change change;

    switch (word >> 40 & 31) {
    case 0:
        (void)!ept_zap(ept, gpa, 4 * KB);
        break;
    case 1:
        (void)!ept_zap(ept, gpa & ~(2 * MB - 1), 2 * MB);
        break;
    case 2:
        (void)!ept_zap(ept, gpa & ~(2 * MB - 1), (word >> 45 & 15) * 2 * MB);
        break;
    case 3:
    case 4:
        change = ept_split(ept, gpa, 1 + (word >> 45 & 1));
        if (change.status != EPT_OK && change.status != EPT_NOT_LISTED)
            count(&shared->wrong, 1);
        break;
    case 5:
    case 6:
        change =
            ept_plant(ept, gpa, word >> 45 & 3, (enum ept_plant_kind)((word >> 48) % EPT_PLANT_KIND_COUNT));
        if (change.status != EPT_OK && change.status != EPT_UNSUPPORTED && change.status != EPT_TOO_MANY)
            count(&shared->wrong, 1);
        break;
    case 7:
        if (ept_map_one(ept, gpa & ~UINT64_C(0xfff), 0x5000, R, MEMORY_TYPE_WB).status != EPT_OK)
            count(&shared->wrong, 1);
        break;
    case 8:
        (void)ept_misconfig_analyse(ept, gpa);
        (void)ept_walk(ept, gpa);
        break;
    case 9:
    case 10:
        fault(shared, gpa, word >> 45 & 7, true);
        break;
    default:
        fault(shared, gpa, word >> 45 & 7, false);
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    struct shared *shared = worker->shared;

    for (uint64_t round = 0; round < shared->operations / BATCH; round++) {
        for (uint64_t n = 0; n < BATCH; n++) {
            uint64_t word = next_random(&worker->state);
            /* Half of the time all on a few pages, else everywhere. */
            uint64_t gpa = (word & 1 ? word >> 8 & 0xffff : word >> 8) & (1 * GB - 1);

            if (shared->faults_only)
                fault(shared, gpa, word >> 45 & 7, false);
            else
                mixed(shared, word, gpa);
        }
        /* What a shootdown gives the hypervisor: nobody is in the engine while frames are given back. */
        if (pthread_barrier_wait(&shared->barrier) == PTHREAD_BARRIER_SERIAL_THREAD)
            ept_reclaim(&shared->bed.ept);
        pthread_barrier_wait(&shared->barrier);
    }
    return NULL;
}

static void run(uint64_t capabilities, bool faults_only)
{
    static struct shared shared;
    static uint64_t scratch[2 * FRAMES];
    const char *operations = getenv("EPT_STRESS_OPERATIONS");
    struct ept_audit_check check = {.scratch = scratch, .scratch_words = 2 * FRAMES};
    struct ept_audit audit;
    struct worker workers[THREADS];
    pthread_t threads[THREADS];

    shared = (struct shared){.operations = operations != NULL ? strtoull(operations, NULL, 10) : 40000,
                             .faults_only = faults_only};
    assert_true(bed_init(&shared.bed, capabilities, 40, FRAMES));
    assert_true(bed_add(&shared.bed, EPT_REGION_RAM, 0, 512 * MB, 4 * GB, RWX));
    assert_true(bed_add(&shared.bed, EPT_REGION_RAM, 512 * MB, 512 * MB, 8 * GB, RW));
    pthread_barrier_init(&shared.barrier, NULL, THREADS);
    for (unsigned n = 0; n < THREADS; n++) {
        workers[n] = (struct worker){&shared, 0x9e3779b97f4a7c15 * (n + 1), n};
        assert_int_equal(pthread_create(&threads[n], NULL, work, &workers[n]), 0);
    }
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(threads[n], NULL);
    pthread_barrier_destroy(&shared.barrier);

    assert_int_equal(shared.wrong, 0);
    assert_int_equal(shared.bed.ept.table_count, shared.bed.pool.in_use);
    assert_true(ept_audit(&shared.bed.ept, &check, &audit));
    assert_false(audit.incomplete);
    assert_int_equal(shared.bed.ept.retired_count, 0);
    if (faults_only) /* each table was counted by exactly the one that linked it */
        assert_int_equal(shared.tables_added + 1, shared.bed.ept.table_count);
    for (uint64_t gpa = 0; gpa < GB; gpa += 37 * 4 * KB)
        fault(&shared, gpa, EPT_READ, false);
    assert_int_equal(shared.wrong, 0);
    assert_true(bed_done(&shared.bed));
}

static void test_faults_4k(void **state)
{
    (void)state;
    run(CAP_NO_LARGE, true);
}

static void test_faults_2m(void **state)
{
    (void)state;
    run(CAP_NO_1G, true);
}

static void test_mixed_4k(void **state)
{
    (void)state;
    run(CAP_NO_LARGE, false);
}

static void test_mixed_2m(void **state)
{
    (void)state;
    run(CAP_NO_1G, false);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_4k),
        cmocka_unit_test(test_faults_2m),
        cmocka_unit_test(test_mixed_4k),
        cmocka_unit_test(test_mixed_2m),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
