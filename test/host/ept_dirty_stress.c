/* SPDX-License-Identifier: MIT */
/*
 * The dirty log with several processors at once: writers fault and set flags, one thread collects and copies
 * what was reported, one zaps. What was copied must be what was written: that no write escapes is all that a
 * migration needs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>

#include "ept/dirty.h"
#include "ept/leaves.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

#define PAGES   4096u   /* 16 MiB */
#define WRITERS 14      /* at most */
#define WRITES  120000u /* of all of them */

struct stress {
    struct bed bed;
    struct ept_dirty_log log;
    uint64_t words[PAGES / 64 + 2 + 8];
    uint32_t contents[PAGES], copy[PAGES];
    pthread_rwlock_t
        running; /* held to read during an access; a flush takes it to write: no access goes on across it */
    uint32_t writers, writers_left;
    uint64_t collected;
};

struct writer {
    struct stress *stress;
    uint64_t random, log[EPT_PML_ENTRIES];
    unsigned used;
    bool pml;
};

static uint64_t next(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random >> 8;
}

static void flush(struct stress *stress)
{
    pthread_rwlock_wrlock(&stress->running);
    pthread_rwlock_unlock(&stress->running);
}

/* As a processor writes: false where it would fault. */
static bool mark_and_log(struct writer *writer, uint64_t gpa)
{
    struct ept *ept = &writer->stress->bed.ept;
    struct ept_entry *slot, entry;
    struct ept_run run;

    if (!ept_find_run(ept, gpa, &run))
        return false;
    slot = &run.slots[run.level == 1 ? ept_index(gpa, 1) : 0];
    do {
        entry = ept_load(slot);
        if ((entry.raw & EPT_WRITE) == 0 || !ept_entry_maps_page(entry, run.level))
            return false;
        if (!ept->caps.accessed_dirty || (entry.raw & EPT_DIRTY) != 0)
            return true;
        if (writer->pml && writer->used == EPT_PML_ENTRIES) {
            ept_dirty_drain(ept, writer->log, writer->used);
            writer->used = 0;
        }
    } while (!ept_replace(slot, entry, (struct ept_entry){entry.raw | EPT_ACCESSED | EPT_DIRTY}));
    if (writer->pml)
        writer->log[writer->used++] = gpa;
    return true;
}

static void *write_pages(void *argument)
{
    struct writer *writer = argument;
    struct stress *stress = writer->stress;

    for (unsigned n = 0; n < WRITES / stress->writers; n++) {
        uint64_t page = next(&writer->random) % PAGES;

        if (n % 4 != 0)
            page = page & ~UINT64_C(0x1f0);
        pthread_rwlock_rdlock(&stress->running);
        while (!mark_and_log(writer, page << 12)) {
            if (!ept_fault_resolved(ept_fault(&stress->bed.ept, page << 12, EPT_WRITE).kind))
                fail();
        }
        __atomic_fetch_add(&stress->contents[page], 1, __ATOMIC_RELAXED);
        pthread_rwlock_unlock(&stress->running);
    }
    __atomic_fetch_sub(&stress->writers_left, 1, __ATOMIC_ACQ_REL);
    return NULL;
}

static void collect_and_copy(struct stress *stress)
{
    uint64_t bitmap[PAGES / 64] = {0};
    struct ept_dirty_collected collected;

    pthread_rwlock_rdlock(&stress->running);
    collected = ept_dirty_collect(&stress->bed.ept, bitmap);
    pthread_rwlock_unlock(&stress->running);
    if (collected.flush != EPT_FLUSH_NONE)
        flush(stress);
    stress->collected += collected.pages;
    for (unsigned page = 0; page < PAGES; page++) {
        if ((bitmap[page / 64] >> page % 64 & 1) != 0)
            stress->copy[page] = __atomic_load_n(&stress->contents[page], __ATOMIC_RELAXED);
    }
}

static void *collect_all_the_time(void *argument)
{
    struct stress *stress = argument;

    while (__atomic_load_n(&stress->writers_left, __ATOMIC_ACQUIRE) != 0)
        collect_and_copy(stress);
    return NULL;
}

static void *zap_all_the_time(void *argument)
{
    struct stress *stress = argument;
    uint64_t random = 42;

    while (__atomic_load_n(&stress->writers_left, __ATOMIC_ACQUIRE) != 0) {
        uint64_t gpa = next(&random) % PAGES << 12;

        pthread_rwlock_rdlock(&stress->running);
        if (ept_zap(&stress->bed.ept, gpa, gpa % 3 == 0 ? 4 * MB : 4 * KB) > EPT_FLUSH_CONTEXT)
            fail();
        pthread_rwlock_unlock(&stress->running);
        pthread_rwlock_wrlock(&stress->running); /* the flush, and nobody is in a function of the EPT */
        ept_reclaim(&stress->bed.ept);
        pthread_rwlock_unlock(&stress->running);
        sched_yield();
    }
    return NULL;
}

static void run(enum ept_dirty_source source, unsigned granularity, unsigned writer_count)
{
    static struct stress stress;
    static struct writer writers[WRITERS];
    pthread_t threads[WRITERS + 2];
    struct ept_change change;

    memset(&stress, 0, sizeof(stress));
    assert_true(bed_init(&stress.bed,
                         source == EPT_DIRTY_WRITE_PROTECTION ? CAP_ALL & ~(UINT64_C(1) << 21) : CAP_ALL, 40,
                         512));
    stress.bed.ept.caps.page_modification_log = true;
    assert_true(bed_add(&stress.bed, EPT_REGION_RAM, 0, 4 * MB, GB + 0x1000, RWX));
    assert_true(bed_add(&stress.bed, EPT_REGION_RAM, 4 * MB, 12 * MB, GB + 4 * MB, RWX));
    assert_true(ept_dirty_log_words(PAGES) <= sizeof(stress.words) / 8);
    assert_int_equal(pthread_rwlock_init(&stress.running, NULL), 0);
    change = ept_dirty_start(&stress.bed.ept, &stress.log, source, granularity, PAGES * 4096, stress.words);
    assert_int_equal(change.status, EPT_OK);
    stress.writers = stress.writers_left = writer_count;
    for (unsigned n = 0; n < writer_count; n++) {
        writers[n] = (struct writer){
            .stress = &stress, .random = 88172645463325252 + n, .pml = source == EPT_DIRTY_PML};
        assert_int_equal(pthread_create(&threads[n], NULL, write_pages, &writers[n]), 0);
    }
    assert_int_equal(pthread_create(&threads[writer_count], NULL, collect_all_the_time, &stress), 0);
    assert_int_equal(pthread_create(&threads[writer_count + 1], NULL, zap_all_the_time, &stress), 0);
    for (unsigned n = 0; n < writer_count + 2; n++)
        assert_int_equal(pthread_join(threads[n], NULL), 0);
    for (unsigned n = 0; n < writer_count; n++)
        ept_dirty_drain(&stress.bed.ept, writers[n].log, writers[n].used);
    collect_and_copy(&stress);
    for (unsigned page = 0; page < PAGES; page++)
        assert_int_equal(stress.copy[page], stress.contents[page]);
    assert_true(stress.collected > 0);
    memset(stress.copy, 0, sizeof(stress.copy));
    collect_and_copy(&stress); /* nothing is left */
    for (unsigned page = 0; page < PAGES; page++)
        assert_int_equal(stress.copy[page], 0);
    change = ept_dirty_stop(&stress.bed.ept);
    assert_int_equal(change.status, EPT_OK);
    pthread_rwlock_destroy(&stress.running);
    assert_true(bed_done(&stress.bed));
}

/* With the collector and the one that zaps there are 4, 8 and 16 threads. */
static void run_all(enum ept_dirty_source source)
{
    for (unsigned granularity = 1; granularity <= 2; granularity++) {
        run(source, granularity, 2);
        run(source, granularity, 6);
        run(source, granularity, 14);
    }
}

static void test_pml(void **state)
{
    (void)state;
    run_all(EPT_DIRTY_PML);
}

static void test_flags(void **state)
{
    (void)state;
    run_all(EPT_DIRTY_FLAGS);
}

static void test_write_protection(void **state)
{
    (void)state;
    run_all(EPT_DIRTY_WRITE_PROTECTION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pml),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_write_protection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
