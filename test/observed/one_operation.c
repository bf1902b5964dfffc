/* SPDX-License-Identifier: MIT */
/* Running one operation in all the ways of one_operation.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "ept/audit.h"
#include "ept/zap.h"
#include "test/observed/one_operation.h"

#define POINTS_MAX   65536u
#define FEW_ACCESSES 5000u /* in an operation of so many, processors also access one address alone */

/* The accesses before which a processor's own make a difference: those to entries that it reads or changes.
 */
static struct point {
    uint64_t at;
    unsigned probes; /* by which addresses, a bit each */
} points[POINTS_MAX];
static unsigned point_count;

/* What a processor does just before access number `at`. */
static struct {
    uint64_t at;
    unsigned access;
    bool by_cached_table;
    unsigned probes, done; /* to be accessed, and accessed: a bit each */
} injection;

static const struct operation *current;
static unsigned variant;

static void inject(void)
{
    for (unsigned n = 0; n < world.probe_count; n++) {
        const struct probe *probe = &world.probes[n];

        if ((injection.probes >> n & 1) == 0)
            continue;
        if (injection.by_cached_table ? world_access_by_cached_table(probe, injection.access)
                                      : world_access(probe->gpa, injection.access))
            injection.done |= 1u << n;
    }
    world_note_cached();
}

static void before_injecting(const struct memory_access *access)
{
    if (world.accesses == injection.at)
        inject();
    world_before(access);
}

static void before_watching(const struct memory_access *access)
{
    unsigned probes = world_processors_use(access->address);

    if (probes != 0) {
        if (point_count == POINTS_MAX)
            world_fail("too many accesses for this test");
        else
            points[point_count++] = (struct point){world.accesses, probes};
    }
    world_before(access);
}

static const struct memory_observer watcher = {before_watching, world_after};
static const struct memory_observer injector = {before_injecting, world_after};

void operated(enum ept_flush flush)
{
    const struct memory_observer *observer = memory_observer;
    enum ept_flush due = world_flush_due();

    memory_observer = NULL;
    if (observer != NULL && (flush < due || (flush > due && (current->contract & FLUSHES_MORE) == 0)))
        world_fail("flush %d is asked for and %d is due", (int)flush, (int)due);
    world_flush();
    memory_observer = observer;
}

static void check(const char *when)
{
    if (world.failure[0] != '\0') {
        print_error("%s, variant %u, %s, access %llu of %llu: %s\n", current->name, variant, when,
                    (unsigned long long)injection.at, (unsigned long long)world.accesses, world.failure);
        fail();
    }
}

static void operate(const struct memory_observer *observer)
{
    memory_observer = observer;
    current->operate(variant);
    memory_observer = NULL;
    if (world.bed.ept.table_count != world.bed.pool.in_use)
        world_fail("%llu tables are counted, %u frames are taken",
                   (unsigned long long)world.bed.ept.table_count, world.bed.pool.in_use);
}

/* Where it starts and where it leads: what each probe may be in between. */
static void find_allowed(void)
{
    struct translation before[WORLD_PROBES];
    struct probe allowed[WORLD_PROBES];

    for (unsigned n = 0; n < world.probe_count; n++) {
        before[n] = world_translate(world.probes[n].gpa);
        if ((current->contract & MAY_BE_LISTED) != 0)
            world_allow_listed(&world.probes[n]);
        if ((current->contract & MAY_UNMAP) != 0)
            world_allow_not_present(&world.probes[n]);
        world_allow(&world.probes[n], &before[n]);
        allowed[n] = world.probes[n];
        world.probes[n].allowed_count = 0;
    }
    operate(NULL);
    for (unsigned n = 0; n < world.probe_count && world.bed.ept.root != 0; n++) {
        struct translation after = world_translate(world.probes[n].gpa);

        world_allow(&allowed[n], &after);
        world.probes[n].allowed_count = 0;
        world_allow_listed(&world.probes[n]);
        if ((current->contract & MAY_BE_LISTED) != 0 && world.probes[n].allowed_count != 0)
            allowed[n].allowed[allowed[n].allowed_count++] = world.probes[n].allowed[0];
    }
    check("at full speed");
    world_restore();
    memcpy(world.probes, allowed, sizeof(allowed));
    world_save();
}

/* After the operation every page can be had as the list says, nothing is lost, and every frame comes back. */
static void check_end(void)
{
    struct ept_audit_check audit_check = {.scratch = (uint64_t[2 * WORLD_FRAMES]){0},
                                          .scratch_words = 2 * WORLD_FRAMES};
    struct ept_audit audit;

    if (world.bed.ept.root != 0) {
        /* What a corrupted entry cut off is lost until the end, and counted. */
        if (!ept_audit(&world.bed.ept, &audit_check, &audit) &&
            ((audit.malformed | audit.unlisted | audit.shared | audit.cycles) != 0 ||
             (current->contract & FLUSHES_MORE) == 0))
            world_fail("the audit finds something at 0x%llx", (unsigned long long)audit.first_bad_gpa);
        world.bed.pool.limit = WORLD_FRAMES;
        (void)!ept_zap(&world.bed.ept, 0, UINT64_MAX);
        world_flush();
        ept_reclaim(&world.bed.ept);
        memset(world.level_of, 0, sizeof(world.level_of));
        ept_destroy(&world.bed.ept);
    }
    if (world.bed.pool.in_use != 0 || world.bed.pool.double_frees != 0)
        world_fail("%u frames did not come back", world.bed.pool.in_use);
}

static void collect(uint64_t *bitmap)
{
    ept_dirty_drain(&world.bed.ept, world.modified, world.modified_count);
    world.modified_count = 0;
    (void)!ept_dirty_collect(&world.bed.ept, bitmap).flush;
}

/* The next write to a page must be logged, whatever went on. */
static void check_logs_again(const struct probe *probe)
{
    struct translation now = world_translate(probe->gpa);
    uint64_t bitmap[WORLD_PAGES / 64] = {0}, page = probe->gpa >> 12;

    if (now.how != MAPPED || (now.rights & EPT_WRITE) == 0 || page >= WORLD_PAGES ||
        world.bed.ept.dirty == NULL)
        return;
    (void)world_access(probe->gpa, EPT_WRITE);
    collect(bitmap);
    if ((bitmap[page / 64] >> page % 64 & 1) == 0)
        world_fail("a write to 0x%llx afterwards is not logged", (unsigned long long)probe->gpa);
}

static void try_injection(uint64_t at, unsigned access, unsigned probes)
{
    world_restore();
    injection.at = at;
    injection.access = access;
    injection.probes = probes;
    injection.done = 0;
    operate(&injector);
    if (world.bed.ept.dirty != NULL)
        collect(world.collected);
    for (unsigned n = 0; n < world.probe_count; n++) {
        const struct probe *probe = &world.probes[n];

        if ((injection.done >> n & 1) == 0)
            continue;
        if ((current->contract & KEEPS_ACCESSED) != 0 &&
            ((world_translate(probe->gpa).flags | probe->reported) & EPT_ACCESSED) == 0)
            world_fail("the accessed flag of 0x%llx is lost", (unsigned long long)probe->gpa);
        if ((current->contract & KEEPS_DIRTY) != 0 && access == EPT_WRITE && world.bed.caps.accessed_dirty &&
            !world_knows_write(probe))
            world_fail("a write to 0x%llx is lost", (unsigned long long)probe->gpa);
    }
    for (unsigned n = 0; n < world.probe_count; n++)
        check_logs_again(&world.probes[n]);
    check(access == EPT_WRITE ? "with a write" : "with a read");
}

static void try_injections(const struct point *point, bool each_alone)
{
    for (unsigned way = 0; way < 4; way++) {
        unsigned access = (way & 1) != 0 ? EPT_WRITE : EPT_READ;

        injection.by_cached_table = (way & 2) != 0;
        for (unsigned n = 0; each_alone && n < world.probe_count; n++) {
            if ((point->probes >> n & 1) != 0)
                try_injection(point->at, access, 1u << n);
        }
        try_injection(point->at, access, (1u << world.probe_count) - 1);
    }
}

static uint64_t run_variant(void)
{
    uint64_t accesses;

    world_init(current->capabilities);
    current->prepare(variant);
    check("prepared");
    world_flush();
    if ((current->contract & NOBODY_RUNS) != 0)
        memset(world.level_of, 0, sizeof(world.level_of));
    world_save();
    find_allowed();
    world_restore();
    point_count = 0;
    operate(&watcher);
    check("step by step");
    accesses = world.accesses;
    check_end();
    check("afterwards");
    for (unsigned n = 0; n < point_count && (current->contract & NOBODY_RUNS) == 0; n++)
        try_injections(&points[n], accesses < FEW_ACCESSES);
    world_done();
    return accesses;
}

uint64_t run_operation(const struct operation *operation)
{
    uint64_t accesses = 0;

    current = operation;
    for (variant = 0; variant < operation->variants; variant++)
        accesses += run_variant();
    return accesses;
}
