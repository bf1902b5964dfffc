/* SPDX-License-Identifier: MIT */
/* vmm/trace/exit_statistics.h against a list of all that was added. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/trace/exit_statistics.h"

static void bins_are_powers_of_two(void **state)
{
    static const struct {
        uint64_t ticks;
        unsigned bin;
    } cases[] = {
        {0, 0},
        {1, 0},
        {2, 1},
        {3, 1},
        {4, 2},
        {127, 6},
        {128, 7},
        {(UINT64_C(1) << 28) - 1, 27},
        {UINT64_C(1) << 28, 28},
        {UINT64_C(1) << 29, 28}, /* the last one has all that is longer */
        {UINT64_MAX, 28},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct exit_statistics statistics;

        exit_statistics_init(&statistics);
        exit_statistics_add(&statistics, cases[i].ticks);
        for (unsigned bin = 0; bin < EXIT_HISTOGRAM_BINS; bin++)
            assert_int_equal(statistics.histogram[bin], bin == cases[i].bin);
        assert_int_equal(statistics.min, cases[i].ticks);
        assert_int_equal(statistics.max, cases[i].ticks);
        assert_int_equal(statistics.ticks, cases[i].ticks);
    }
}

static void sums_and_bounds(void **state)
{
    struct exit_statistics whole, parts[3], merged;
    uint64_t seed = 1, sum = 0, min = UINT64_MAX, max = 0;

    (void)state;
    exit_statistics_init(&whole);
    exit_statistics_init(&merged);
    assert_int_equal(exit_statistics_count(&whole), 0);
    for (unsigned i = 0; i < 3; i++)
        exit_statistics_init(&parts[i]);
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t ticks;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        ticks = seed >> (24 + i % 40);
        sum += ticks;
        min = ticks < min ? ticks : min;
        max = ticks > max ? ticks : max;
        exit_statistics_add(&whole, ticks);
        exit_statistics_add(&parts[i % 2], ticks); /* the third one stays empty */
    }
    assert_int_equal(exit_statistics_count(&whole), 10000);
    assert_int_equal(whole.ticks, sum);
    assert_int_equal(whole.min, min);
    assert_int_equal(whole.max, max);
    for (unsigned i = 0; i < 3; i++)
        exit_statistics_merge(&merged, &parts[i]);
    assert_memory_equal(&merged, &whole, sizeof(whole));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bins_are_powers_of_two),
        cmocka_unit_test(sums_and_bounds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
