/* SPDX-License-Identifier: MIT */
/*
 * Threads as CPUs, 2 to 16 of them. Each is in the guest at one time, walking the tables and setting flags
 * (ept_cpu.h), and in the engine at another: it faults on the same and on neighbouring pages, splits, plants,
 * repairs, zaps, harvests and maps, with no lock of its own. Now and then all leave the engine, and one of
 * them changes the region list, merges, starts or stops a dirty log while the others go on in the guest; then
 * all flush, and frames are given back: the order that ept/README.md asks of the caller.
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
#include "ept/harvest.h"
#include "ept/merge.h"
#include "ept/misconfig.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/split.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_cpu.h"

#ifdef __SANITIZE_THREAD__
#define OPERATIONS 1450000u /* ten millions in all are asked for */
#else
#define OPERATIONS 100000u
#endif
#define CPUS     16
#define ROUND    8000u /* operations of all CPUs between two changes of the list */
#define FRAMES   4096
#define CHUNKS   8u
#define CHUNK    (8 * MB)
#define BASE     (GB - 4 * CHUNK) /* across a border of level 3 */
#define END      (BASE + CHUNKS * CHUNK)
#define PAGES    ((unsigned)(CHUNKS * CHUNK / 4096))
#define LOGGED   (END / 4096)
#define STAND_IN UINT64_C(0x5000)

struct machine {
    struct bed bed;
    pthread_barrier_t barrier;
    unsigned cpus;
    uint64_t rounds;
    uint32_t changing; /* CPU 0 changes the list; the others are in the guest */
    uint64_t wrong;    /* must stay 0 */
    uint64_t wrong_line;
    struct ept_dirty_log log;
    enum ept_dirty_source source;
    bool just_started;
    unsigned logs; /* that ended, with every write accounted for */
    uint64_t *words, bitmap[LOGGED / 64 + 8];
    uint32_t contents[PAGES],
        copy[PAGES]; /* how often each page was written; and as of its last collection */
    struct ept_merge_batch merged;
    struct vcpu {
        struct machine *machine;
        struct cpu cpu;
        uint64_t random, engine_operations, accesses;
        unsigned number;
        bool changing; /* the list changes: old rights and new ones may be seen until the flush */
    } vcpus[CPUS];
};

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

#define must(machine, condition)                                                                             \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            __atomic_fetch_add(&(machine)->wrong, 1, __ATOMIC_RELAXED);                                      \
            __atomic_store_n(&(machine)->wrong_line, __LINE__, __ATOMIC_RELAXED);                            \
        }                                                                                                    \
    } while (0)

/* Every second chunk's frames do not fit large pages. */
static uint64_t frame_of(uint64_t gpa)
{
    return gpa + 4 * GB + ((gpa - BASE) / CHUNK % 2 != 0 ? 4 * KB : 0);
}

/* Does the list know such a translation? */
static bool listed(const struct machine *machine, uint64_t gpa, const struct cpu_translation *used)
{
    const struct ept_region *region = ept_region_find(&machine->bed.list, gpa);

    if (used->hpa == STAND_IN)
        return used->rights == R;
    return region != NULL && used->hpa == frame_of(gpa) && (used->rights & ~(unsigned)region->rights) == 0 &&
           used->type == region->memory_type;
}

/* A fault that the list allows must be resolved, and to the listed address. */
static void fault(struct vcpu *vcpu, uint64_t gpa, unsigned access, bool repair)
{
    struct machine *machine = vcpu->machine;
    struct ept_fault_result result =
        repair ? ept_repair(&machine->bed.ept, gpa, access) : ept_fault(&machine->bed.ept, gpa, access);
    const struct ept_region *region = ept_region_find(&machine->bed.list, gpa);
    bool allowed = region != NULL && region->rights != 0 && (access & ~(unsigned)region->rights) == 0;

    vcpu->engine_operations++;
    must(machine, ept_fault_resolved(result.kind) == allowed);
    must(machine, !allowed || result.hpa == frame_of(gpa));
}

/* In the guest: false if it would have to leave it. */
static bool access_page(struct vcpu *vcpu, uint64_t gpa, unsigned access, enum cpu_outcome *outcome)
{
    struct machine *machine = vcpu->machine;
    struct cpu_translation used;

    vcpu->accesses++;
    *outcome = cpu_access(&vcpu->cpu, gpa, access, &used);
    if (*outcome != CPU_DONE)
        return false;
    if (!vcpu->changing)
        must(machine, listed(machine, gpa, &used));
    else
        must(machine, used.hpa == STAND_IN || used.hpa == frame_of(gpa));
    if ((access & EPT_WRITE) != 0)
        __atomic_fetch_add(&machine->contents[(gpa - BASE) / 4096], 1, __ATOMIC_RELAXED);
    return true;
}

/* As a guest's instruction: with the faults that it takes, unless the list denies it. */
static void run_guest(struct vcpu *vcpu, uint64_t gpa, unsigned access)
{
    const struct ept_region *region = ept_region_find(&vcpu->machine->bed.list, gpa);
    enum cpu_outcome outcome;

    while (!access_page(vcpu, gpa, access, &outcome)) {
        fault(vcpu, gpa, access, outcome == CPU_MISCONFIGURATION);
        if (region == NULL || (access & ~(unsigned)region->rights) != 0)
            break;
    }
}

static void engine(struct vcpu *vcpu, uint64_t word, uint64_t gpa)
{
    struct machine *machine = vcpu->machine;
    struct ept *ept = &machine->bed.ept;
    uint64_t large = gpa & ~(2 * MB - 1), more = word >> 45;
    bool any = ept_region_find(&machine->bed.list, gpa) != NULL;
    struct ept_change change = {EPT_OK, EPT_FLUSH_NONE};

    vcpu->engine_operations++;
    switch (word >> 40 & 31) {
    case 0:
    case 1:
        (void)!ept_zap(ept, gpa, (more & 3) * 4 * KB);
        break;
    case 2:
        (void)!ept_zap(ept, (more & 3) == 0 ? large : gpa,
                       (more & 3) != 0    ? 4 * KB
                       : (more & 63) == 0 ? 16 * MB
                                          : 2 * MB);
        break;
    case 3:
        change = ept_split(ept, gpa, 1 + (more & 1));
        must(machine, change.status == EPT_OK || change.status == EPT_NOT_LISTED);
        break;
    case 4:
    case 5:
        change = ept_plant(ept, gpa, more & 3, (enum ept_plant_kind)((word >> 48) % EPT_PLANT_KIND_COUNT));
        must(machine, change.status == EPT_OK || change.status == EPT_UNSUPPORTED ||
                          change.status == EPT_TOO_MANY || (change.status == EPT_NOT_LISTED && !any));
        break;
    case 6:
        if (any)
            must(machine, ept_map_one(ept, gpa, STAND_IN, R, MEMORY_TYPE_WB).status == EPT_OK);
        break;
    case 7:
        (void)ept_misconfig_analyse(ept, gpa);
        (void)ept_walk(ept, gpa);
        break;
    case 8:
        (void)!ept_harvest(ept, gpa, 16 * KB, EPT_ACCESSED | EPT_DIRTY, NULL, NULL).flush;
        break;
    case 9:
        must(machine, ept_map_range(ept, gpa, 16 * KB).status == EPT_OK);
        break;
    case 10:
        if (vcpu->number == 0 && (more & 15) == 0)
            (void)!ept_dirty_collect(ept, machine->bitmap).flush;
        break;
    default:
        vcpu->engine_operations--;
        fault(vcpu, gpa, more & 7, (more & 0x38) == 0);
    }
}

/* The list gets back what was taken out of a chunk. */
static void refill(struct machine *machine, uint64_t chunk)
{
    uint64_t gpa = chunk, end = chunk + CHUNK;

    while (gpa < end) {
        const struct ept_region *next = ept_region_next(&machine->bed.list, gpa);
        uint64_t to = next != NULL && next->gpa < end ? next->gpa : end;

        if (to > gpa && !bed_add(&machine->bed, EPT_REGION_RAM, gpa, to - gpa, frame_of(gpa), RWX))
            break; /* the array is full */
        next = ept_region_next(&machine->bed.list, to);
        if (next == NULL)
            break;
        gpa = next->gpa + next->size;
    }
}

/* CPU 0, while the others are in the guest or wait. */
static void change_list(struct machine *machine, uint64_t word)
{
    struct ept *ept = &machine->bed.ept;
    uint64_t chunk = BASE + (word & 7) * CHUNK;
    uint64_t gpa = chunk + (word >> 8 & 1023) * 4 * KB, size = (1 + (word >> 20 & 1023)) * 4 * KB;
    enum ept_flush flush;

    switch (word >> 32 & 7) {
    case 0:
    case 1:
        (void)!ept_remove(ept, gpa, size).flush;
        break;
    case 2:
        (void)!ept_set_rights(ept, gpa, size, (const unsigned[]){RWX, RW, RX, R}[word >> 36 & 3]).flush;
        break;
    case 3:
        (void)!ept_set_type(ept, gpa, size, word >> 36 & 1 ? MEMORY_TYPE_UC : MEMORY_TYPE_WB, false).flush;
        break;
    case 4:
        refill(machine, chunk);
        break;
    case 5: /* all of the chunk is alike again, and may become large pages */
        (void)!ept_remove(ept, chunk, CHUNK).flush;
        refill(machine, chunk);
        (void)!ept_map_range(ept, chunk, CHUNK).flush;
        (void)!ept_split(ept, chunk + 4 * MB, 1).flush;
        break;
    default:
        (void)!ept_merge(ept, BASE, END, EPT_LEVEL_PD, &machine->merged, &flush);
    }
    if (ept->dirty == NULL && (word >> 40 & 1) == 0) {
        must(machine, machine->merged.count != 0 || ept_dirty_start(ept, &machine->log, machine->source,
                                                                    1 + (word >> 42 & 1), END, machine->words)
                                                            .status == EPT_OK);
        machine->just_started = ept->dirty != NULL;
    }
}

/* CPU 0, after all have flushed and while nobody runs: frames go back, and what was collected is copied. */
static void quiesced(struct machine *machine, uint64_t word, bool last)
{
    bool stop = last || (!machine->just_started && (word >> 44 & 3) == 0);

    ept_merge_finish(&machine->bed.ept, &machine->merged);
    ept_reclaim(&machine->bed.ept);
    must(machine, machine->bed.ept.retired_count == 0);
    must(machine, machine->bed.ept.table_count == machine->bed.pool.in_use);
    if (machine->bed.ept.dirty == NULL)
        return;
    for (unsigned n = 0; stop && n < machine->cpus; n++)
        cpu_drain(&machine->vcpus[n].cpu);
    (void)!ept_dirty_collect(&machine->bed.ept, machine->bitmap).flush;
    for (unsigned n = 0; n < machine->cpus; n++)
        cpu_flush(&machine->vcpus[n].cpu);
    for (unsigned page = 0; page < PAGES; page++) {
        uint64_t at = BASE / 4096 + page;

        if (machine->just_started || (machine->bitmap[at / 64] >> at % 64 & 1) != 0)
            machine->copy[page] = machine->contents[page];
        must(machine, !stop || machine->copy[page] == machine->contents[page]);
    }
    memset(machine->bitmap, 0, sizeof(machine->bitmap));
    machine->just_started = false;
    if (!stop)
        return;
    must(machine, ept_dirty_stop(&machine->bed.ept).status == EPT_OK);
    machine->logs++;
}

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
        print_error("foreign=%llu cycles=%llu shared=%llu malformed=%llu unlisted=%llu lost=%llu gpa=0x%llx\n",
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
    uint64_t engine_operations = 0, accesses = 0;

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
        assert_int_equal(machine.vcpus[n].cpu.frames_reused, 0);
    }
    print_message("cpus=%u engine_operations=%llu guest_accesses=%llu dirty_logs=%u wrong=%llu line=%llu\n",
                  cpus, (unsigned long long)engine_operations, (unsigned long long)accesses, machine.logs,
                  (unsigned long long)machine.wrong, (unsigned long long)machine.wrong_line);
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
