/* SPDX-License-Identifier: MIT */
/* vmm/vcpu/preemption_timer.h: never so short that the guest gets nowhere, never longer than its period. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/vcpu/preemption_timer.h"

static void bounds(void **state)
{
    static const uint64_t lefts[] = {0, 1, 2, 31, 32, 33, 1000, 99999, 100000, 1u << 30, UINT64_MAX};
    static const uint32_t leasts[] = {1, 2, 625, 20000}, periods[] = {1, 2, 625, 100000, UINT32_MAX};

    (void)state;
    for (unsigned rate = 0; rate < 32; rate++)
        for (unsigned l = 0; l < 4; l++)
            for (unsigned p = 0; p < 5; p++)
                for (unsigned i = 0; i < sizeof(lefts) / sizeof(lefts[0]); i++) {
                    uint32_t value = preemption_timer_value(lefts[i], rate, leasts[l], periods[p]);

                    assert_true(value <= periods[p]);
                    assert_true(value >= leasts[l] || value == periods[p]);
                    /* Not before the moment, unless the period ends before. */
                    assert_true(((uint64_t)value << rate) > lefts[i] || value == periods[p]);
                }
}

static void values(void **state)
{
    (void)state;
    assert_int_equal(preemption_timer_value(0, 5, 1250, 125000), 1250); /* a moment that has passed */
    assert_int_equal(preemption_timer_value(64000, 5, 1250, 125000), 2001);
    assert_int_equal(preemption_timer_value(UINT64_MAX, 5, 1250, 125000), 125000);
    assert_int_equal(preemption_timer_value(0, 5, 1250, 0), 0); /* there is no such timer */
    assert_int_equal(preemption_timer_value(UINT64_MAX, 5, 1250, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bounds), cmocka_unit_test(values)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
