/* SPDX-License-Identifier: MIT */
/*
 * What ept/ costs does not grow with the guest's RAM, and CPUs that fault on disjoint memory have nothing in
 * common to write: both counted by accesses to memory, so the same in every run. test/bench/ept_scale.c takes
 * the time of the same operations.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/bench/ept_scale.h"
#include "test/observed/memory_accesses.h"

static uint64_t accesses;

static void count_before(const struct memory_access *access)
{
    accesses += (access->size + 7) / 8;
}

static void count_after(const struct memory_access *access)
{
    (void)access;
}

static void measure(bool on)
{
    static const struct memory_observer counter = {count_before, count_after};

    memory_observer = on ? &counter : NULL;
}

/*
 * What may come to the accesses of one unit with more RAM: each 64-fold adds a summary to the dirty log, and
 * a collection reads a word more, takes its bits, and looks at how many blocks it may still take.
 */
static double slack_of(const struct scale_operation *operation)
{
    if (operation->run == scale_collect_scattered)
        return 2 * 3; /* pages far from each other have words of their own in each summary */
    if (operation->run == scale_collect_one)
        return 2 * 3;
    if (operation->run == scale_collect_flags)
        return (2 * 512 + 4) /
               512.0; /* both tables above level 2 are looked at to their ends, for 512 pages */
    if (operation->run == scale_pml_drain || operation->run == scale_collect)
        return 1 / 8.0; /* 512 pages are eight words, each of which looks at each summary */
    return 0;
}

static void does_not_grow(void **state)
{
    (void)state;
    printf("accesses to memory by ept/, of one:  %8s %8s %8s\n", "1 GiB", "64 GiB", "1 TiB");
    for (unsigned n = 0; n < SCALE_OPERATIONS; n++) {
        double each[SCALE_SIZES];

        for (unsigned size = 0; size < SCALE_SIZES; size++) {
            accesses = 0;
            each[size] = (double)scale_run(&scale_operations[n], scale_sizes[size], measure);
            each[size] = (double)accesses / each[size];
        }
        printf("%-36s %8.1f %8.1f %8.1f\n", scale_operations[n].name, each[0], each[1], each[2]);
        fflush(stdout);
        assert_true(each[0] >= 1);
        for (unsigned size = 1; size < SCALE_SIZES; size++)
            assert_true(each[size] <= each[0] + slack_of(&scale_operations[n]));
    }
}

/* The lines of 64 bytes that one fault has accessed, but for its stack. */
struct lines {
    struct {
        uintptr_t line;
        bool written;
    } seen[256];
    unsigned count;
};

static struct lines *lines;

static void line_before(const struct memory_access *access)
{
    bool written = access->kind != ACCESS_READ && access->kind != ACCESS_LOAD;
    uintptr_t line = (uintptr_t)access->address / 64, stack = (uintptr_t)__builtin_frame_address(0) / 64;

    if (line - stack + 1024 < 2048)
        return;
    for (unsigned n = 0; n < lines->count; n++) {
        if (lines->seen[n].line == line) {
            lines->seen[n].written |= written;
            return;
        }
    }
    assert_true(lines->count < 256);
    lines->seen[lines->count].line = line;
    lines->seen[lines->count++].written = written;
}

static void watch_touch(struct scale_guest *guest, uint64_t gpa, struct lines *to)
{
    static const struct memory_observer watcher = {line_before, count_after};

    lines = to;
    to->count = 0;
    memory_observer = &watcher;
    scale_touch(guest, gpa);
    memory_observer = NULL;
}

/* How many lines the one has written that the other has read or written. */
static unsigned in_the_way(const struct lines *one, const struct lines *other)
{
    unsigned count = 0;

    for (unsigned n = 0; n < one->count; n++) {
        for (unsigned m = 0; one->seen[n].written && m < other->count; m++)
            count += one->seen[n].line == other->seen[m].line;
    }
    return count;
}

/*
 * Two CPUs take turns with faults in memory of their own. What the one writes the other never looks at, so no
 * line goes from cache to cache: not a lock, not a counter, not a hint. A table that is added is counted, and
 * that is all.
 */
static void nothing_in_common(void **state)
{
    static struct scale_guest guest;
    struct lines a, b;

    (void)state;
    for (unsigned apart = 0; apart < 2; apart++) { /* in one region, in two */
        uint64_t other;

        scale_start(&guest, 64 * SCALE_GIB, false);
        if (apart) {
            scale_expect(bed_add(&guest.bed, EPT_REGION_RAM, 65 * SCALE_GIB, 60 * SCALE_GIB, 8192 * SCALE_GIB,
                                 EPT_RIGHTS),
                         "no region");
            guest.bed.ept.regions->regions[2].hpa += SCALE_PAGE;
        }
        other = apart ? 65 * SCALE_GIB : 33 * SCALE_GIB;
        /* Neighbours in all tables above are no disjoint memory, as far as caches go. */
        scale_touch(&guest, 32 * SCALE_GIB);
        scale_touch(&guest, other);
        for (unsigned page = 1; page < 100; page++) {
            watch_touch(&guest, 32 * SCALE_GIB + page * SCALE_PAGE, &a);
            watch_touch(&guest, other + page * SCALE_PAGE, &b);
            assert_true(a.count > 3 && b.count > 3);
            if (page == 1) /* the hint at the region finds its place */
                continue;
            assert_int_equal(in_the_way(&a, &b), 0);
            assert_int_equal(in_the_way(&b, &a), 0);
        }
        for (unsigned block = 1; block < 20; block++) {
            struct lines table;

            watch_touch(&guest, 32 * SCALE_GIB + 8 * block * SCALE_LARGE, &table);
            assert_int_equal(in_the_way(&table, &b), 0);
            watch_touch(&guest, other + 8 * block * SCALE_LARGE, &a);
            assert_int_equal(in_the_way(&table, &a), 1);
        }
        scale_end(&guest);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(does_not_grow),
        cmocka_unit_test(nothing_in_common),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
