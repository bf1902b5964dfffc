/* SPDX-License-Identifier: MIT */
/* vmm/devices/pit.c: the ports, IRQ 0, and time. What a counter does in its modes is in
 * vmm_devices_pit_counter.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "device_ports.h"
#include "vmm/devices/pit.h"
#include "vmm/devices/ticks.h"

static struct pit pit;
static struct wire irq;
static struct device_timer timer;

static int reset(void **state)
{
    (void)state;
    memset(&pit, 0, sizeof(pit));
    memset(&irq, 0, sizeof(irq));
    pit.irq = wire_line(&irq, 0);
    test_now = 12345;
    pit_reset(&pit, test_now);
    test_port_ranges = PIT_PORT_RANGES;
    pit_ports(&pit, test_ports);
    timer = pit_timer(&pit);
    return 0;
}

/* The first nanosecond of the tick that lies `ticks` after the one of test_now. */
static uint64_t after(uint64_t ticks)
{
    return tick_begins(ticks_in(test_now, PIT_HZ) + ticks, PIT_HZ);
}

static void program(unsigned channel, uint8_t control, uint16_t count)
{
    out(0x43, (uint8_t)(channel << 6 | control));
    out((uint16_t)(0x40 + channel), (uint8_t)count);
    out((uint16_t)(0x40 + channel), (uint8_t)(count >> 8));
}

static void conversions(void **state)
{
    (void)state;
    assert_int_equal(ticks_in(999999999, 1000), 999);
    assert_int_equal(ticks_in(1000000000, PIT_HZ), PIT_HZ);
    assert_true(ticks_in(UINT64_MAX, DEVICE_SECOND) == UINT64_MAX);
    assert_int_equal(ticks_in(DEVICE_SECOND - 1, UINT64_C(18000000000)), UINT64_C(17999999982));
    for (uint64_t tick = 0; tick < 3000000; tick += 997) {
        assert_int_equal(ticks_in(tick_begins(tick, PIT_HZ), PIT_HZ), tick);
        if (tick > 0)
            assert_int_equal(ticks_in(tick_begins(tick, PIT_HZ) - 1, PIT_HZ), tick - 1);
    }
    assert_true(tick_begins(UINT64_MAX, PIT_HZ) == DEVICE_NEVER);
    assert_true(ticks_add(UINT64_MAX, 1) == UINT64_MAX);
    assert_true(ticks_add(1, 2) == 3);
}

static void ports(void **state)
{
    (void)state;
    assert_int_equal(test_ports[0].first, 0x40);
    assert_int_equal(test_ports[0].last, 0x43);
    assert_int_equal(test_ports[1].first, 0x61);
    assert_int_equal(test_ports[1].last, 0x61);
    assert_int_equal(in(0x43), 0xff);
    assert_int_equal(in(0x61), 0x00);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
}

static void square_wave_requests_irq_0(void **state)
{
    uint64_t start;

    (void)state;
    program(0, 0x36, 10000);
    start = test_now;
    assert_true(irq.level); /* OUT is high from the control word on */
    assert_int_equal(timer.next(timer.device), after(1 + 5000));
    test_now = after(1 + 5000);
    timer.run(timer.device, test_now - 1);
    assert_true(irq.level);
    timer.run(timer.device, test_now);
    assert_false(irq.level);
    test_now = start;
    assert_int_equal(timer.next(timer.device), after(1 + 10000));
    test_now = timer.next(timer.device);
    timer.run(timer.device, test_now);
    assert_true(irq.level);
    assert_int_equal(irq.rises, 2);
}

/* One deadline a period: OUT is low for a tick only. */
static void rate_generator_requests_irq_0(void **state)
{
    uint64_t start;

    (void)state;
    program(0, 0x34, 1000);
    start = test_now;
    irq.rises = irq.falls = 0;
    assert_int_equal(timer.next(timer.device), after(1 + 1000));
    assert_int_equal(run_until(&timer, after(1 + 10 * 1000)), 10);
    assert_int_equal(irq.rises, 10);
    assert_int_equal(irq.falls, 10);
    test_now = start;
    test_now = after(1 + 10 * 1000 + 999);
    out(0x43, 0xe2);
    assert_int_equal(in(0x40), 0x34); /* within that tick it is seen */
    assert_false(irq.level);
    assert_int_equal(timer.next(timer.device), after(1));
}

static void one_shot_interrupt(void **state)
{
    uint64_t start = test_now;

    (void)state;
    program(0, 0x30, 1000);
    assert_false(irq.level);
    assert_int_equal(run_until(&timer, start + DEVICE_SECOND), 1);
    assert_int_equal(irq.rises, 1);
    assert_true(irq.level);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    program(0, 0x30, 1000);
    assert_false(irq.level);
}

static void late_run_shows_one_edge(void **state)
{
    (void)state;
    program(0, 0x34, 1000);
    test_now = after(1 + 1000 * 5 + 10);
    timer.run(timer.device, test_now);
    assert_int_equal(irq.rises, 2); /* the control word's, and one for five */
    assert_true(irq.level);
    assert_true(timer.next(timer.device) > test_now);

    program(0, 0x36, 1000);
    irq.rises = 0;
    test_now = after(1 + 1000 + 700); /* in the low half: the edge is shown nevertheless */
    timer.run(timer.device, test_now);
    assert_int_equal(irq.rises, 1);
    assert_true(irq.level);
    test_now = timer.next(timer.device);
    timer.run(timer.device, test_now);
    assert_int_equal(irq.rises, 2);
    test_now += 3600 * 1000 * DEVICE_SECOND;
    timer.run(timer.device, test_now);
    assert_int_equal(irq.rises, 3);
}

/* An access moves time on as a run does. */
static void access_shows_the_edge(void **state)
{
    (void)state;
    program(0, 0x34, 1000);
    irq.rises = 0;
    test_now = after(1 + 1000);
    (void)in(0x61);
    assert_int_equal(irq.rises, 1);
    test_now = after(1000);
    out(0x61, 0);
    assert_int_equal(irq.rises, 2);
}

static void latch_command(void **state)
{
    (void)state;
    program(1, 0x34, 0x1234);
    test_now = after(1 + 0x34);
    out(0x43, 0x40);
    test_now = after(0x100);
    assert_int_equal(in(0x41), 0x00);
    assert_int_equal(in(0x41), 0x12);
    assert_int_equal(in(0x41), 0x00);
    assert_int_equal(in(0x41), 0x11);
}

static void read_back(void **state)
{
    (void)state;
    program(0, 0x34, 1000);
    program(2, 0x30, 500);
    test_now = after(11);
    out(0x43, 0xc2 | 0x04 | 0x08); /* count and status of all */
    assert_int_equal(in(0x40), 0xb4);
    assert_int_equal(in(0x40), 990 & 0xff);
    assert_int_equal(in(0x40), 990 >> 8);
    assert_int_equal(in(0x42), 0x30);
    assert_int_equal(in(0x42), 500 & 0xff); /* its gate is low: loaded, not counting */
    assert_int_equal(in(0x42), 500 >> 8);
    assert_int_equal(in(0x41), 0x70); /* null count since the reset */
    (void)in(0x41);
    (void)in(0x41);
    out(0x43, 0xe2); /* status of 0 alone */
    assert_true(pit.counters[0].status_latched);
    assert_false(pit.counters[0].count_latched);
    assert_false(pit.counters[2].status_latched);
    assert_int_equal(in(0x40), 0xb4);
    out(0x43, 0xd8); /* count of 2 alone */
    assert_true(pit.counters[2].count_latched);
    assert_false(pit.counters[2].status_latched);
    assert_false(pit.counters[0].count_latched);
    out(0x43, 0xfe); /* neither */
    assert_false(pit.counters[0].status_latched);
}

static void port_b(void **state)
{
    (void)state;
    out(0x61, 0xff);
    assert_int_equal(in(0x61) & ~0x30, 0x0f);
    out(0x61, 0x00);
    program(2, 0x30, 100);
    test_now = after(1000);
    assert_int_equal(in(0x61) & 0x2f, 0x00); /* the gate is low */
    out(0x61, 0x01);
    test_now = after(99);
    assert_int_equal(in(0x61) & 0x2f, 0x01);
    test_now = after(1);
    assert_int_equal(in(0x61) & 0x2f, 0x21);
    assert_int_equal(irq.rises, 0);
    out(0x61, 0x00);
    program(2, 0x32, 100); /* mode 1: the gate triggers */
    assert_int_equal(in(0x61) & 0x20, 0x20);
    out(0x61, 0x03);
    test_now = after(1);
    assert_int_equal(in(0x61) & 0x2f, 0x03);
    test_now = after(100);
    assert_int_equal(in(0x61) & 0x2f, 0x23);
}

static void refresh_toggles(void **state)
{
    unsigned changes = 0;
    uint8_t before = in(0x61);

    (void)state;
    for (unsigned tick = 0; tick < 18 * 100; tick++) {
        test_now = after(1);
        changes += ((in(0x61) ^ before) & 0x10) != 0;
        before = in(0x61);
    }
    assert_int_equal(changes, 100);
}

/* Rising edges of channel 0 in ten seconds, served at each deadline. */
static unsigned edges_in_ten_seconds(uint8_t control, uint16_t count)
{
    uint64_t end;

    program(0, control, count);
    irq.rises = 0;
    end = test_now + 10 * DEVICE_SECOND;
    (void)run_until(&timer, end);
    return irq.rises;
}

static void rates(void **state)
{
    (void)state;
    assert_in_range(edges_in_ten_seconds(0x34, 11932), 999, 1000);
    assert_in_range(edges_in_ten_seconds(0x36, 1193), 10000, 10002);
    assert_in_range(edges_in_ten_seconds(0x36, 0), 182, 182);
    assert_in_range(edges_in_ten_seconds(0x34, 1193), 10000, 10002);
    assert_in_range(edges_in_ten_seconds(0x36, 239), 49923, 49925); /* just above the least period */
}

/* Below the least period an edge each of that, whatever the count; the count reads as programmed. */
static void shortest_periods(void **state)
{
    static const uint16_t counts[] = {1, 2, 3, 100, 119, 238};

    (void)state;
    for (unsigned i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
        for (unsigned mode = 2; mode <= 3; mode++)
            assert_in_range(edges_in_ten_seconds(0x30 | mode << 1, counts[i]), 49000, 50001);
    program(0, 0x34, 100);
    test_now = after(1);
    (void)in(0x40);
    (void)in(0x40);
    for (unsigned tick = 0; tick < 300; tick++) {
        unsigned before, later;

        out(0x43, 0);
        before = in(0x40);
        before |= in(0x40) << 8;
        test_now = after(1);
        out(0x43, 0);
        later = in(0x40);
        later |= in(0x40) << 8;
        assert_true(before <= 100 && before >= 1);
        assert_int_equal(later, before == 1 ? 100 : before - 1);
    }
}

static void reset_stops(void **state)
{
    (void)state;
    program(0, 0x36, 10000);
    out(0x61, 3);
    pit_reset(&pit, test_now);
    assert_false(irq.level);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    assert_int_equal(in(0x61) & 0xf, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(conversions, reset),
        cmocka_unit_test_setup(ports, reset),
        cmocka_unit_test_setup(square_wave_requests_irq_0, reset),
        cmocka_unit_test_setup(rate_generator_requests_irq_0, reset),
        cmocka_unit_test_setup(one_shot_interrupt, reset),
        cmocka_unit_test_setup(late_run_shows_one_edge, reset),
        cmocka_unit_test_setup(access_shows_the_edge, reset),
        cmocka_unit_test_setup(latch_command, reset),
        cmocka_unit_test_setup(read_back, reset),
        cmocka_unit_test_setup(port_b, reset),
        cmocka_unit_test_setup(refresh_toggles, reset),
        cmocka_unit_test_setup(rates, reset),
        cmocka_unit_test_setup(shortest_periods, reset),
        cmocka_unit_test_setup(reset_stops, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
