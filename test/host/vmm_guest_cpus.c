/* SPDX-License-Identifier: MIT */
/* vmm/guest/cpus.c: which CPUs, and that guests given so never wait for each other (vmm/guest/run.h says
 * why). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "vmm/guest/cpus.h"

#define GUESTS 24

static struct guest_cpus machine_of(unsigned count)
{
    struct guest_cpus all = {.count = count};

    for (unsigned i = 0; i < count; i++)
        all.usable[i] = true;
    return all;
}

static void expect(struct guest_cpus *all, int wanted, bool sequential, unsigned vcpus, bool enough,
                   const uint16_t *right)
{
    uint16_t cpus[PERCPU_MAX];

    assert_int_equal(guest_cpus_choose(all, wanted, sequential, vcpus, cpus), enough);
    for (unsigned i = 0; i < (enough ? vcpus : 1); i++)
        assert_int_equal(cpus[i], right[i]);
}

static void test_parallel(void **state)
{
    struct guest_cpus all = machine_of(4);

    (void)state;
    expect(&all, -1, false, 1, true, (uint16_t[]){0});
    expect(&all, -1, false, 2, true, (uint16_t[]){1, 2});
    expect(&all, -1, false, 2, true, (uint16_t[]){3, 0});
    expect(&all, 1, false, 3, true, (uint16_t[]){1, 2, 3});
    expect(&all, 7, false, 1, true, (uint16_t[]){0}); /* there is no such CPU */
    expect(&all, -1, false, 4, true, (uint16_t[]){1, 2, 3, 0});
}

static void test_sequential(void **state)
{
    struct guest_cpus all = machine_of(3);

    (void)state;
    all.usable[0] = false; /* VMX is not on there */
    expect(&all, -1, true, 1, true, (uint16_t[]){1});
    expect(&all, -1, true, 2, true, (uint16_t[]){1, 2});
    expect(&all, -1, true, 1, true, (uint16_t[]){1});
    expect(&all, 0, true, 1, true, (uint16_t[]){1});
    expect(&all, 2, true, 1, true, (uint16_t[]){2});
}

/* Not so many: it gets the first, where that is said, and takes no others away. */
static void test_too_many(void **state)
{
    struct guest_cpus all = machine_of(2);

    (void)state;
    expect(&all, -1, false, 3, false, (uint16_t[]){0});
    assert_int_equal(all.load[0], 1);
    assert_int_equal(all.load[1], 0);
}

/* Each CPU has its guests in their order. One that has all its CPUs waiting for it runs and ends: all must
 * end. */
static void test_all_end(void **state)
{
    (void)state;
    srandom(1);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned count = 1 + (unsigned)random() % 8, next[8] = {0}, ended = 0;
        struct guest_cpus all = machine_of(count);
        uint16_t cpus[GUESTS][PERCPU_MAX];
        unsigned vcpus[GUESTS];
        bool sequential = random() % 4 == 0, progress = true;

        for (unsigned g = 0; g < GUESTS; g++) {
            vcpus[g] = 1 + (unsigned)random() % count;
            assert_true(guest_cpus_choose(&all, (int)(random() % 9) - 1, sequential, vcpus[g], cpus[g]));
            for (unsigned i = 0; i < vcpus[g]; i++) {
                assert_true(cpus[g][i] < count);
                for (unsigned j = 0; j < i; j++)
                    assert_int_not_equal(cpus[g][i], cpus[g][j]);
            }
        }
        while (progress) {
            progress = false;
            for (unsigned g = 0; g < GUESTS; g++) {
                unsigned here = 0;

                for (unsigned i = 0; i < vcpus[g]; i++) {
                    unsigned cpu = cpus[g][i];
                    bool part = false;

                    while (next[cpu] < g && !part) { /* past those in which it has no part */
                        for (unsigned j = 0; j < vcpus[next[cpu]]; j++)
                            part |= cpus[next[cpu]][j] == cpu;
                        next[cpu] += !part;
                    }
                    here += next[cpu] == g;
                }
                if (here < vcpus[g])
                    continue;
                for (unsigned i = 0; i < vcpus[g]; i++)
                    next[cpus[g][i]] = g + 1;
                ended++;
                progress = true;
            }
        }
        assert_int_equal(ended, GUESTS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parallel),
        cmocka_unit_test(test_sequential),
        cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_all_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
