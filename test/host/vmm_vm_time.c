/* SPDX-License-Identifier: MIT */
/* vmm/vm/time.c: rates, both directions, no drift, never backwards. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/vm/time.h"

#define SECOND UINT64_C(1000000000)

static const uint64_t rates[] = {1,       1000,    4000,    50000,   999999,
                                 1000000, 2399998, 3400000, 6000001, 4294967295};

static void rate(void **state)
{
    struct guest_time time;

    (void)state;
    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        guest_time_start(&time, 12345, rates[i]);
        assert_int_equal(guest_time_at(&time, 12345), 0);
        assert_int_equal(guest_time_at(&time, 12344), 0);
        assert_int_equal(guest_time_at(&time, 0), 0);
        /* A day, to the microsecond: 86400 seconds of khz * 1000 ticks. */
        assert_in_range(guest_time_at(&time, 12345 + rates[i] * 1000 * 86400), 86400 * SECOND - 400000,
                        86400 * SECOND);
        if (rates[i] <= 6000001)
            assert_in_range(guest_time_at(&time, 12345 + rates[i] * 1000 * 86400), 86400 * SECOND - 500,
                            86400 * SECOND);
    }
}

static void exact_where_the_rate_is_round(void **state)
{
    struct guest_time time;

    (void)state;
    guest_time_start(&time, 0, 4000); /* 250 ns a tick */
    for (uint64_t ticks = 1; ticks < UINT64_C(1) << 50; ticks = ticks * 3 + 1)
        assert_true(guest_time_at(&time, ticks) == ticks * 250);
}

/* The TSC value of a moment is the first at which it has come. */
static void there_and_back(void **state)
{
    static const uint64_t moments[] = {
        0, 1, 2, 249, 250, 251, 999999, 1000000, 1000001, SECOND, 86400 * SECOND + 7, 7 * 86400 * SECOND};
    struct guest_time time;

    (void)state;
    for (unsigned i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        guest_time_start(&time, 77, rates[i]);
        for (unsigned j = 0; j < sizeof(moments) / sizeof(moments[0]); j++) {
            uint64_t tsc = guest_time_tsc(&time, moments[j]);

            assert_true(guest_time_at(&time, tsc) >= moments[j]);
            assert_true(tsc == 77 || guest_time_at(&time, tsc - 1) < moments[j]);
        }
        assert_true(guest_time_tsc(&time, UINT64_MAX) == UINT64_MAX); /* DEVICE_NEVER */
    }
}

static void never_backwards(void **state)
{
    struct guest_time time;

    (void)state;
    guest_time_start(&time, 1000, 1000000);
    assert_int_equal(guest_time_now(&time, 1500), 500);
    assert_int_equal(guest_time_now(&time, 1400), 500);
    assert_int_equal(guest_time_now(&time, 900), 500);
    assert_int_equal(guest_time_now(&time, 1501), 501);
    guest_time_start(&time, 9000, 1000000);
    assert_int_equal(guest_time_now(&time, 9001), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rate),
        cmocka_unit_test(exact_where_the_rate_is_round),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(never_backwards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
