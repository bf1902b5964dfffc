/* SPDX-License-Identifier: MIT */
/*
 * Threads as CPUs, 2 to 16 of them. Each is in the guest at one time, walking the tables and setting flags
 * (ept_cpu.h), and in the engine at another: it faults on the same and on neighbouring pages, by what it has
 * kept of the last faults (ept/near.h) or by a walk, splits, plants, repairs, zaps, harvests and maps, with
 * no lock of its own. Now and then all leave the engine, and one of them changes the region list, merges,
 * starts or stops a dirty log while the others go on in the guest; then all flush, and frames are given back:
 * the order that ept/README.md asks of the caller.
 *
 * What must hold meanwhile: a guest reaches the listed page alone, with no more than the listed rights; no
 * frame is given back while it is cached. In the end: every listed page can be had, exactly as listed; every
 * write is in a collection of the log that ran; the tables and pages are those, and as many, as the list
 * makes; every frame comes back.
 *
 * Meant for ThreadSanitizer as well. EPT_STRESS_OPERATIONS in the environment sets the operations of one run.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>

#include "ept/audit.h"
#include "test/host/ept_stress_machine.h"

#ifdef __SANITIZE_THREAD__
#define OPERATIONS 1450000u /* ten millions in all are asked for */
#else
#define OPERATIONS 100000u
#endif
static uint64_t some_address(uint64_t word)
{
    /* Half of the time all on a few pages, else everywhere. */
    return BASE +
           (word & 1 ? (word >> 8 & 15) * 2 * MB + (word >> 12 & 7) * 4 * KB : (word >> 8) % PAGES * 4096);
}

static void *work(void *argument)
{
    struct vcpu *vcpu = argument;
    struct machine *machine = vcpu->machine;

    for (uint64_t round = 0; round < machine->rounds; round++) {
        uint64_t change = next_random(&vcpu->random);
        enum cpu_outcome outcome;

        vcpu->cpu.page_modification_log = machine->source == EPT_DIRTY_PML && machine->bed.ept.dirty != NULL;
        for (unsigned n = 0; n < ROUND / machine->cpus; n++) {
            uint64_t word = next_random(&vcpu->random);

            if (word >> 62 == 0)
                run_guest(vcpu, some_address(word), word >> 60 & 1 ? EPT_WRITE : EPT_READ);
            else
                engine(vcpu, word, some_address(word));
        }
        cpu_drain(&vcpu->cpu);
        if (vcpu->number == 0)
            __atomic_store_n(&machine->changing, 1, __ATOMIC_RELAXED);
        pthread_barrier_wait(&machine->barrier);
        vcpu->cpu.page_modification_log = machine->source == EPT_DIRTY_PML;
        vcpu->changing = true;
        if (vcpu->number == 0) {
            change_list(machine, change);
            __atomic_store_n(&machine->changing, 0, __ATOMIC_RELEASE);
        }
        while (__atomic_load_n(&machine->changing, __ATOMIC_ACQUIRE) != 0) {
            uint64_t word = next_random(&vcpu->random);

            if (vcpu->cpu.logged == EPT_PML_ENTRIES || (word & 63) == 0)
                sched_yield();
            else
                (void)access_page(vcpu, some_address(word), word >> 60 & 1 ? EPT_WRITE : EPT_READ, &outcome);
        }
        cpu_flush(&vcpu->cpu);
        vcpu->changing = false;
        pthread_barrier_wait(&machine->barrier);
        if (vcpu->number == 0)
            quiesced(machine, change, round + 1 == machine->rounds);
        pthread_barrier_wait(&machine->barrier);
    }
    return NULL;
}

/* What the list makes of a 2 MiB range when all of it is mapped: a large page, or pages in a table. */
static void add_expected(const struct machine *machine, uint64_t gpa, uint64_t *tables, uint64_t *small,
                         uint64_t *large)
{
    const struct ept_region *region = ept_region_find(&machine->bed.list, gpa);
    uint64_t pages = 0;

    if (machine->bed.caps.large_2m && region != NULL && region->gpa + region->size >= gpa + 2 * MB &&
        frame_of(gpa) % (2 * MB) == 0) {
        ++*large;
        return;
    }
    for (uint64_t page = gpa; page < gpa + 2 * MB; page += 4 * KB)
        pages += ept_region_find(&machine->bed.list, page) != NULL;
    *small += pages;
    *tables += pages != 0;
}

static void check_audit(struct machine *machine, struct ept_audit *audit)
{
    static uint64_t scratch[2 * FRAMES];
    struct ept_audit_check check = {.scratch = scratch, .scratch_words = 2 * FRAMES};

    if (!ept_audit(&machine->bed.ept, &check, audit)) {
        print_error(
            "foreign=%llu cycles=%llu shared=%llu malformed=%llu unlisted=%llu lost=%llu gpa=0x%llx\n",
            (unsigned long long)audit->foreign_tables, (unsigned long long)audit->cycles,
            (unsigned long long)audit->shared, (unsigned long long)audit->malformed,
            (unsigned long long)audit->unlisted, (unsigned long long)audit->lost,
            (unsigned long long)audit->first_bad_gpa);
        fail();
    }
    assert_false(audit->incomplete);
    assert_int_equal(machine->bed.ept.table_count, machine->bed.pool.in_use);
}

/* The final state is a function of the list. */
static void check_final_state(struct machine *machine)
{
    struct vcpu *vcpu = &machine->vcpus[0];
    uint64_t tables = 4, small = 0, large = 0; /* the root, a table of level 3 and two of level 2 */
    const struct ept_region *next;
    struct ept_audit audit;

    check_audit(machine, &audit);
    for (uint64_t gpa = BASE; gpa < END; gpa += 4 * KB) {
        const struct ept_region *region = ept_region_find(&machine->bed.list, gpa);
        struct cpu_translation used;

        fault(vcpu, gpa, region != NULL ? region->rights : EPT_READ, true);
        if (region != NULL) {
            assert_int_equal(cpu_access(&vcpu->cpu, gpa, EPT_READ, &used), CPU_DONE);
            assert_true(listed(machine, gpa, &used) && used.hpa != STAND_IN);
            assert_int_equal(used.rights, region->rights);
        } else {
            assert_int_not_equal(cpu_access(&vcpu->cpu, gpa, EPT_READ, &used), CPU_DONE);
        }
    }
    (void)!ept_zap(&machine->bed.ept, 0, UINT64_MAX);
    cpu_flush(&vcpu->cpu);
    ept_reclaim(&machine->bed.ept);
    assert_int_equal(machine->bed.pool.in_use, 1);
    next = ept_region_next(&machine->bed.list, BASE);
    tables -= next == NULL || next->gpa >= GB;
    tables -= ept_region_next(&machine->bed.list, GB) == NULL;
    assert_int_equal(ept_map_range(&machine->bed.ept, BASE, END - BASE).status, EPT_OK);
    for (uint64_t gpa = BASE; gpa < END; gpa += 2 * MB)
        add_expected(machine, gpa, &tables, &small, &large);
    check_audit(machine, &audit);
    assert_int_equal(audit.tables, tables);
    assert_int_equal(audit.leaves[1], small);
    assert_int_equal(audit.leaves[2], large);
    assert_int_equal(machine->wrong, 0);
}

static uint64_t all_engine_operations;

static void run(unsigned cpus, uint64_t capabilities, enum ept_dirty_source source)
{
    static struct machine machine;
    const char *operations = getenv("EPT_STRESS_OPERATIONS");
    uint64_t wanted = operations != NULL ? strtoull(operations, NULL, 10) : OPERATIONS;
    pthread_t threads[CPUS];
    uint64_t engine_operations = 0, accesses = 0, near_installs = 0;

    memset(&machine, 0, sizeof(machine));
    machine.cpus = cpus;
    machine.source = source;
    machine.rounds = wanted / ROUND + 1;
    machine.words = calloc(ept_dirty_log_words(LOGGED), sizeof(uint64_t));
    if (source == EPT_DIRTY_WRITE_PROTECTION)
        capabilities &= ~EPT_BIT(21); /* no accessed and dirty flags */
    assert_true(bed_init(&machine.bed, capabilities, 40, FRAMES));
    machine.bed.ept.caps.page_modification_log = source == EPT_DIRTY_PML;
    for (uint64_t chunk = BASE; chunk < END; chunk += CHUNK)
        refill(&machine, chunk);
    pthread_barrier_init(&machine.barrier, NULL, cpus);
    for (unsigned n = 0; n < cpus; n++) {
        machine.vcpus[n] = (struct vcpu){.machine = &machine,
                                         .cpu = {.bed = &machine.bed},
                                         .random = UINT64_C(0x9e3779b97f4a7c15) * (n + 1),
                                         .number = n};
        cpu_flush(&machine.vcpus[n].cpu);
    }
    for (unsigned n = 0; n < cpus; n++)
        assert_int_equal(pthread_create(&threads[n], NULL, work, &machine.vcpus[n]), 0);
    for (unsigned n = 0; n < cpus; n++)
        pthread_join(threads[n], NULL);
    pthread_barrier_destroy(&machine.barrier);

    for (unsigned n = 0; n < cpus; n++) {
        engine_operations += machine.vcpus[n].engine_operations;
        accesses += machine.vcpus[n].accesses;
        near_installs += machine.vcpus[n].near_installs;
        assert_int_equal(machine.vcpus[n].cpu.frames_reused, 0);
    }
    print_message(
        "cpus=%u engine_operations=%llu near=%llu guest_accesses=%llu dirty_logs=%u wrong=%llu line=%llu\n",
        cpus, (unsigned long long)engine_operations, (unsigned long long)near_installs,
        (unsigned long long)accesses, machine.logs, (unsigned long long)machine.wrong,
        (unsigned long long)machine.wrong_line);
    assert_true(near_installs > 0);
    assert_int_equal(machine.wrong, 0);
    assert_true(machine.logs > 0);
    all_engine_operations += engine_operations;
    check_final_state(&machine);
    assert_true(bed_done(&machine.bed));
    free(machine.words);
}

static void test_2_cpus(void **state)
{
    (void)state;
    run(2, CAP_NO_1G, EPT_DIRTY_PML);
    run(2, CAP_NO_LARGE, EPT_DIRTY_FLAGS);
}

static void test_4_cpus(void **state)
{
    (void)state;
    run(4, CAP_NO_1G, EPT_DIRTY_FLAGS);
    run(4, CAP_NO_1G, EPT_DIRTY_WRITE_PROTECTION);
}

static void test_8_cpus(void **state)
{
    (void)state;
    run(8, CAP_NO_1G, EPT_DIRTY_WRITE_PROTECTION);
    run(8, CAP_NO_LARGE, EPT_DIRTY_PML);
}

static void test_16_cpus(void **state)
{
    (void)state;
    run(16, CAP_NO_1G, EPT_DIRTY_PML);
    run(16, CAP_NO_1G, EPT_DIRTY_FLAGS);
}

static void test_enough(void **state)
{
    (void)state;
    print_message("engine_operations=%llu\n", (unsigned long long)all_engine_operations);
#ifdef __SANITIZE_THREAD__
    assert_true(all_engine_operations >= 10000000 || getenv("EPT_STRESS_OPERATIONS") != NULL);
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_2_cpus),  cmocka_unit_test(test_4_cpus), cmocka_unit_test(test_8_cpus),
        cmocka_unit_test(test_16_cpus), cmocka_unit_test(test_enough),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
