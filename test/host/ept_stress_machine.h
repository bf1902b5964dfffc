/* SPDX-License-Identifier: MIT */
/* The machine of ept_stress.c: what its CPUs do in the guest, in the engine, and when all have left it. */
#ifndef TEST_HOST_EPT_STRESS_MACHINE_H
#define TEST_HOST_EPT_STRESS_MACHINE_H

#include "ept/harvest.h"
#include "ept/merge.h"
#include "ept/near.h"
#include "ept/misconfig.h"
#include "ept/plant.h"
#include "ept/protect.h"
#include "ept/split.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_cpu.h"

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
        struct ept_near near;
        uint64_t random, engine_operations, accesses, near_installs;
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
    struct ept *ept = &machine->bed.ept;
    const struct ept_region *region = ept_region_find(&machine->bed.list, gpa);
    bool allowed = region != NULL && region->rights != 0 && (access & ~(unsigned)region->rights) == 0;
    struct ept_fault_result result;

    vcpu->engine_operations++;
    if (!repair && ept_near_install(ept, &vcpu->near, gpa, access)) {
        vcpu->near_installs++;
        must(machine, allowed);
        return;
    }
    result = repair ? ept_repair(ept, gpa, access) : ept_fault(ept, gpa, access);
    if (result.kind == EPT_FAULT_INSTALLED)
        ept_near_learn(ept, &vcpu->near, gpa, result.level);
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

#endif
