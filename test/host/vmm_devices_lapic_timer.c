/* SPDX-License-Identifier: MIT */
/* vmm/devices/lapic_timer.c: SDM vol. 3, "APIC Timer" and "TSC-Deadline Mode". */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "device_ports.h"
#include "vmm/devices/lapic.h"

#define VECTOR    0x40
#define ONE_SHOT  (VECTOR)
#define PERIODIC  (VECTOR | 1 << 17)
#define DEADLINE  (VECTOR | 2 << 17)
#define MASKED    (1 << 16)
#define TIMER_HZ  UINT64_C(100000000)
#define TSC_HZ    UINT64_C(2400000000)
#define DIVIDE_1  0xb
#define DIVIDE_16 0x3

static struct lapic lapic;
static struct device_timer timer;

static void set(uint32_t offset, uint32_t value)
{
    struct device_memory memory = lapic_memory(&lapic);

    memory.write(memory.device, offset, 4, value, test_now);
}

static uint32_t get(uint32_t offset)
{
    struct device_memory memory = lapic_memory(&lapic);

    return (uint32_t)memory.read(memory.device, offset, 4, test_now);
}

static uint64_t deadline(void)
{
    uint64_t value;

    assert_true(lapic_read_msr(&lapic, 0x6e0, &value, test_now));
    return value;
}

static void set_deadline(uint64_t value)
{
    assert_true(lapic_write_msr(&lapic, 0x6e0, value, test_now));
}

static int reset(void **state)
{
    (void)state;
    memset(&lapic, 0, sizeof(lapic));
    lapic.config = (struct lapic_config){.timer_hz = TIMER_HZ,
                                         .tsc_hz = TSC_HZ,
                                         .physical_address_bits = 40,
                                         .x2apic = true,
                                         .tsc_deadline = true};
    test_now = 1000;
    lapic_reset(&lapic, test_now);
    timer = lapic_timer(&lapic);
    set(0xf0, 0x1ff);
    set(0x3e0, DIVIDE_1);
    return 0;
}

/* Ends the interrupt that is there; how many there were: 0 or 1. */
static unsigned interrupts(void)
{
    if (lapic_highest(&lapic) == LAPIC_NONE)
        return 0;
    assert_int_equal(lapic_acknowledge(&lapic), VECTOR);
    set(0xb0, 0);
    return 1;
}

static unsigned run_at(uint64_t when)
{
    test_now = when;
    timer.run(timer.device, when);
    return interrupts();
}

static void one_shot(void **state)
{
    (void)state;
    set(0x320, ONE_SHOT);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set(0x380, 1000);
    assert_int_equal(timer.next(timer.device), 1000 + 10000);
    assert_int_equal(get(0x390), 1000);
    assert_int_equal(run_at(1000 + 5000), 0);
    assert_int_equal(get(0x390), 500);
    assert_int_equal(get(0x380), 1000);
    assert_int_equal(run_at(1000 + 9999), 0);
    assert_int_equal(get(0x390), 1);
    assert_int_equal(run_at(1000 + 10000), 1);
    assert_int_equal(get(0x390), 0);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    assert_int_equal(run_at(1000 + 100000), 0);
    set(0x380, 500); /* starts anew, also in the middle */
    test_now += 1000;
    set(0x380, 500);
    assert_int_equal(timer.next(timer.device), test_now + 5000);
    set(0x380, 0); /* stops */
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    assert_int_equal(get(0x390), 0);
}

static void periodic(void **state)
{
    (void)state;
    set(0x320, PERIODIC);
    set(0x380, 100000);
    for (unsigned i = 1; i < 10; i++) {
        assert_int_equal(timer.next(timer.device), 1000 + 1000000 * i);
        assert_int_equal(run_at(1000 + 1000000 * i), 1);
        assert_int_equal(get(0x390), 100000);
    }
    assert_int_equal(run_at(1000 + 20500000), 1); /* many periods late: one, and the phase is kept */
    assert_int_equal(get(0x390), 50000);
    assert_int_equal(timer.next(timer.device), 1000 + 21000000);
    set(0x320, ONE_SHOT); /* ends with this period */
    assert_int_equal(run_at(1000 + 21000000), 1);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
}

/* Below the least period: an interrupt each of that, while the count goes on as programmed. */
static void shortest_period(void **state)
{
    uint64_t now = 1000 + 10;

    (void)state;
    set(0x320, PERIODIC);
    set(0x380, 1);
    assert_int_equal(timer.next(timer.device), now);
    assert_int_equal(run_at(now), 1);
    for (unsigned i = 0; i < 100; i++) {
        now += DEVICE_LEAST_PERIOD;
        assert_int_equal(timer.next(timer.device), now);
        assert_int_equal(run_at(now), 1);
        assert_int_equal(get(0x390), 1);
    }
    set(0x380, 19999); /* 10 ns below it */
    test_now += 199980;
    assert_int_equal(get(0x390), 1);
    set(0x320, ONE_SHOT);
    set(0x380, 1);
    assert_int_equal(timer.next(timer.device), test_now + 10);
}

static void divide(void **state)
{
    static const struct {
        uint8_t code, divisor;
    } codes[] = {{0x0, 2}, {0x1, 4}, {0x2, 8}, {0x3, 16}, {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};

    (void)state;
    set(0x320, ONE_SHOT);
    for (unsigned i = 0; i < 8; i++) {
        set(0x3e0, codes[i].code);
        set(0x380, 100);
        assert_int_equal(timer.next(timer.device), test_now + 1000 * codes[i].divisor);
    }
    set(0x3e0, DIVIDE_16);
    set(0x380, 100);
    test_now += 160 * 40;
    assert_int_equal(get(0x390), 60);
    set(0x3e0, DIVIDE_1); /* the count goes on */
    assert_int_equal(get(0x390), 60);
    assert_int_equal(timer.next(timer.device), test_now + 600);
    set(0x3e0, DIVIDE_16);
    set(0x380, 0xffffffff);
    assert_int_equal(get(0x390), 0xffffffff);
    assert_int_equal(timer.next(timer.device), test_now + UINT64_C(0xffffffff) * 160);
}

static void masked(void **state)
{
    (void)state;
    set(0x320, PERIODIC | MASKED);
    set(0x380, 100);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    test_now += 2500;
    assert_int_equal(get(0x390), 50); /* it counts nevertheless */
    set(0x320, PERIODIC);
    assert_int_equal(interrupts(), 0); /* what has passed is not made up for */
    assert_int_equal(timer.next(timer.device), 1000 + 3000);
    set(0xf0, 0xff);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set(0xf0, 0x1ff);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set(0x320, 5 | 1 << 17); /* an illegal vector */
    assert_int_equal(run_at(1000 + 100000), 0);
    set(0x280, 0);
    assert_int_equal(get(0x280), 0x40);
}

static void tsc_deadline(void **state)
{
    (void)state;
    set_deadline(12345);
    assert_int_equal(deadline(), 0); /* not in this mode */
    set(0x320, DEADLINE);
    set(0x380, 1000); /* ignored */
    assert_int_equal(get(0x380), 0);
    assert_int_equal(get(0x390), 0);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set_deadline(2400); /* the TSC was 0 at 1000 ns: 1 us from there */
    assert_int_equal(deadline(), 2400);
    assert_int_equal(timer.next(timer.device), 2000);
    assert_int_equal(run_at(1999), 0);
    assert_int_equal(run_at(2000), 1);
    assert_int_equal(deadline(), 0);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set_deadline(2401); /* a tick lies within a nanosecond: never early */
    assert_int_equal(timer.next(timer.device), 2001);
    set_deadline(1); /* has passed: at once */
    assert_int_equal(interrupts(), 1);
    assert_int_equal(deadline(), 0);
    set_deadline(1000000);
    set_deadline(0);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set_deadline(UINT64_MAX);
    assert_true(timer.next(timer.device) > UINT64_C(1) << 60);
    set(0x320, DEADLINE | MASKED);
    set_deadline(1000000);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    assert_int_equal(run_at(10000000), 0);
    assert_int_equal(deadline(), 0);
}

static void tsc_written(void **state)
{
    (void)state;
    set(0x320, DEADLINE);
    set_deadline(24000);
    assert_int_equal(timer.next(timer.device), 11000);
    lapic_set_tsc(&lapic, 21600, test_now);
    assert_int_equal(timer.next(timer.device), 2000);
    lapic_set_tsc(&lapic, 24000, test_now);
    assert_int_equal(interrupts(), 1);
    lapic_set_tsc(&lapic, UINT64_MAX - 2399, test_now);
    set_deadline(UINT64_MAX);
    assert_int_equal(timer.next(timer.device), test_now + 1000);
}

static void modes_disarm_each_other(void **state)
{
    (void)state;
    set(0x320, ONE_SHOT);
    set(0x380, 1000);
    set(0x320, DEADLINE);
    assert_int_equal(get(0x390), 0);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set_deadline(2400000);
    set(0x320, PERIODIC);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    assert_int_equal(deadline(), 0);
    set(0x320, DEADLINE);
    assert_int_equal(deadline(), 0);
    set(0x320, VECTOR | 3 << 17); /* reserved: it does not periodically do anything */
    set(0x380, 100);
    assert_int_equal(run_at(test_now + 1000), 1);
    assert_int_equal(run_at(test_now + 1000), 0);
}

static void reset_stops(void **state)
{
    (void)state;
    set(0x320, PERIODIC);
    set(0x380, 100);
    lapic_init(&lapic);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    assert_int_equal(get(0x380), 0);
}

static void rates(void **state)
{
    unsigned count = 0;
    uint64_t end = test_now + 10 * DEVICE_SECOND;

    (void)state;
    lapic.config.timer_hz = 33333333; /* no whole number of nanoseconds */
    set(0x320, PERIODIC);
    set(0x3e0, DIVIDE_1);
    set(0x380, 33333);
    while (timer.next(timer.device) <= end)
        count += run_at(timer.next(timer.device));
    assert_in_range(count, 10000, 10001);

    test_now = end;
    end += 10 * DEVICE_SECOND;
    count = 0;
    set(0x320, DEADLINE);
    uint64_t tsc = (test_now - 1000) / 5 * 12;

    for (set_deadline(tsc += TSC_HZ / 1000); timer.next(timer.device) <= end;
         set_deadline(tsc += TSC_HZ / 1000))
        count += run_at(timer.next(timer.device));
    assert_in_range(count, 9999, 10001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(one_shot, reset),
        cmocka_unit_test_setup(shortest_period, reset),
        cmocka_unit_test_setup(periodic, reset),
        cmocka_unit_test_setup(divide, reset),
        cmocka_unit_test_setup(masked, reset),
        cmocka_unit_test_setup(tsc_deadline, reset),
        cmocka_unit_test_setup(tsc_written, reset),
        cmocka_unit_test_setup(modes_disarm_each_other, reset),
        cmocka_unit_test_setup(reset_stops, reset),
        cmocka_unit_test_setup(rates, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
