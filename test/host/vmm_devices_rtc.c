/* SPDX-License-Identifier: MIT */
/* vmm/devices/rtc.c and rtc_cmos.c: the MC146818's data sheet, and what a PC keeps in the CMOS memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "device_ports.h"
#include "vmm/devices/rtc.h"

#define MS UINT64_C(1000000)

static struct rtc rtc;
static struct wire irq;
static struct device_timer timer;
static uint64_t start;

static struct rtc_config config = {
    .time = {.year = 2024, .month = 2, .day = 28, .hour = 23, .minute = 59, .second = 50},
    .memory_below_4g = UINT64_C(64) << 20,
    .memory_above_4g = UINT64_C(3) << 30,
    .floppy_types = 0x40,
    .disk_types = 0xf0,
    .disk_types_more = {47, 0},
    .equipment = 0x0d,
};

static int reset(void **state)
{
    (void)state;
    memset(&rtc, 0xa5, sizeof(rtc));
    memset(&irq, 0, sizeof(irq));
    rtc.irq = wire_line(&irq, 8);
    rtc.irq_level = false;
    start = test_now = 7777;
    rtc_reset(&rtc, &config, test_now);
    test_port_ranges = RTC_PORT_RANGES;
    rtc_ports(&rtc, test_ports);
    timer = rtc_timer(&rtc);
    return 0;
}

static uint8_t get(uint8_t index)
{
    out(0x70, index);
    return in(0x71);
}

static void set(uint8_t index, uint8_t value)
{
    out(0x70, index);
    out(0x71, value);
}

static void expect_time(uint8_t hour, uint8_t minute, uint8_t second)
{
    assert_int_equal(get(4), hour);
    assert_int_equal(get(2), minute);
    assert_int_equal(get(0), second);
}

static void set_time(uint8_t hour, uint8_t minute, uint8_t second)
{
    set(4, hour);
    set(2, minute);
    set(0, second);
}

static void set_alarm(uint8_t hour, uint8_t minute, uint8_t second)
{
    set(5, hour);
    set(3, minute);
    set(1, second);
}

static void after_reset(void **state)
{
    (void)state;
    assert_int_equal(test_ports[0].first, 0x70);
    assert_int_equal(test_ports[0].last, 0x71);
    assert_int_equal(in(0x70), 0xff);
    assert_int_equal(get(0x0a), 0x26);
    assert_int_equal(get(0x0b), 0x02);
    assert_int_equal(get(0x0c), 0x00);
    assert_int_equal(get(0x0d), 0x80);
    expect_time(0x23, 0x59, 0x50);
    assert_int_equal(get(6), 4); /* a Wednesday */
    assert_int_equal(get(7), 0x28);
    assert_int_equal(get(8), 0x02);
    assert_int_equal(get(9), 0x24);
    assert_int_equal(get(0x32), 0x20);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    assert_false(irq.level);
}

static void nmi_mask(void **state)
{
    (void)state;
    out(0x70, 0x8d);
    assert_true(rtc.nmi_masked);
    assert_int_equal(in(0x71), 0x80);
    out(0x70, 0x0d);
    assert_false(rtc.nmi_masked);
}

static void memory(void **state)
{
    unsigned sum = 0;

    (void)state;
    assert_int_equal(get(0x10), 0x40);
    assert_int_equal(get(0x12), 0xf0);
    assert_int_equal(get(0x14), 0x0d);
    assert_int_equal(get(0x19), 47);
    assert_int_equal(get(0x15) | get(0x16) << 8, 640);
    assert_int_equal(get(0x17) | get(0x18) << 8, 63 * 1024);
    assert_int_equal(get(0x30) | get(0x31) << 8, 63 * 1024);
    assert_int_equal(get(0x34) | get(0x35) << 8, 48 * 16);
    assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, 3 * 16384);
    for (uint8_t i = 0x10; i <= 0x2d; i++)
        sum += get(i);
    assert_int_equal(get(0x2e) << 8 | get(0x2f), sum);
    assert_true(sum > 0xff);

    assert_true(rtc_set_cmos(&rtc, 0x2d, 7));
    assert_int_equal(get(0x2d), 7);
    assert_int_equal(get(0x2e) << 8 | get(0x2f), sum + 7);
    assert_false(rtc_set_cmos(&rtc, 0x0d, 0));
    assert_false(rtc_set_cmos(&rtc, 0x32, 0));
    assert_false(rtc_set_cmos(&rtc, 0x80, 0));
    assert_true(rtc_set_cmos(&rtc, 0x0f, 5));
    assert_int_equal(get(0x0f), 5);
    for (uint8_t i = 0x0e; i < 0x80; i++) {
        if (i == 0x32)
            continue;
        set(i, i ^ 0x5a);
        assert_int_equal(get(i), i ^ 0x5a);
    }
}

static void memory_sizes(void **state)
{
    struct rtc_config sizes = config;

    (void)state;
    sizes.memory_below_4g = 256 << 10;
    sizes.memory_above_4g = 0;
    rtc_reset(&rtc, &sizes, test_now);
    assert_int_equal(get(0x15) | get(0x16) << 8, 256);
    assert_int_equal(get(0x17) | get(0x18) << 8, 0);
    assert_int_equal(get(0x34) | get(0x35) << 8, 0);
    sizes.memory_below_4g = UINT64_C(3) << 30;
    sizes.memory_above_4g = UINT64_C(2) << 40;
    rtc_reset(&rtc, &sizes, test_now);
    assert_int_equal(get(0x17) | get(0x18) << 8, 0xffff);
    assert_int_equal(get(0x34) | get(0x35) << 8, (3072 - 16) * 16);
    assert_int_equal(get(0x5b) | get(0x5c) << 8 | get(0x5d) << 16, 0xffffff);
}

static void rollover(void **state)
{
    (void)state;
    test_now = start + 10 * DEVICE_SECOND - 1;
    expect_time(0x23, 0x59, 0x59);
    test_now++;
    expect_time(0x00, 0x00, 0x00);
    assert_int_equal(get(7), 0x29);
    assert_int_equal(get(6), 5);
    test_now += 86400 * DEVICE_SECOND;
    assert_int_equal(get(7), 0x01);
    assert_int_equal(get(8), 0x03);
    set(0x0b, 0x82);
    set_time(0x23, 0x59, 0x59);
    set(7, 0x31);
    set(8, 0x12);
    set(9, 0x99);
    set(6, 7);
    set(0x0b, 0x02);
    test_now += DEVICE_SECOND;
    expect_time(0, 0, 0);
    assert_int_equal(get(6), 1);
    assert_int_equal(get(7), 1);
    assert_int_equal(get(8), 1);
    assert_int_equal(get(9), 0);
    assert_int_equal(get(0x32), 0x21);
}

static void binary(void **state)
{
    (void)state;
    set(0x0b, 0x86);
    set_time(23, 59, 58);
    set(9, 99);
    set(0x32, 20);
    set(8, 12);
    set(7, 31);
    set(0x0b, 0x06);
    test_now += DEVICE_SECOND;
    expect_time(23, 59, 59);
    test_now += DEVICE_SECOND;
    expect_time(0, 0, 0);
    assert_int_equal(get(9), 0);
    assert_int_equal(get(0x32), 21);
}

static void twelve_hours(void **state)
{
    static const struct {
        uint8_t before, after;
    } steps[] = {{0x11, 0x92}, {0x92, 0x81}, {0x81, 0x82}, {0x91, 0x12},
                 {0x12, 0x01}, {0x09, 0x10}, {0x89, 0x90}};

    (void)state;
    for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        set(0x0b, 0x80);
        set_time(steps[i].before, 0x59, 0x59);
        set(0x0b, 0x00);
        test_now += DEVICE_SECOND;
        expect_time(steps[i].after, 0, 0);
    }
    set(0x0b, 0x84);
    set_time(0x8b, 59, 59); /* 11 PM */
    set(0x0b, 0x04);
    test_now += DEVICE_SECOND;
    expect_time(12, 0, 0);
}

static void set_stops_updates(void **state)
{
    (void)state;
    set(0x0b, 0x92);
    assert_int_equal(get(0x0b), 0x82); /* SET clears UIE */
    test_now = start + 5 * DEVICE_SECOND - 1000;
    expect_time(0x23, 0x59, 0x50);
    assert_int_equal(get(0x0a) & 0x80, 0);
    assert_int_equal(get(0x0c) & 0x10, 0);
    set(0, 0x99);
    assert_int_equal(get(0), 0x19);
    set(0, 0x30);
    set(0x0b, 0x02);
    assert_int_equal(get(0x0a) & 0x80, 0x80);
    test_now += 1000;
    assert_int_equal(get(0), 0x31);
    assert_int_equal(get(0x0c) & 0x10, 0x10);
}

static void update_in_progress(void **state)
{
    (void)state;
    test_now = start + DEVICE_SECOND - 2228001;
    assert_int_equal(get(0x0a), 0x26);
    test_now++;
    assert_int_equal(get(0x0a), 0xa6);
    test_now = start + DEVICE_SECOND - 1;
    assert_int_equal(get(0x0a), 0xa6);
    expect_time(0x23, 0x59, 0x50);
    test_now++;
    assert_int_equal(get(0x0a), 0x26);
    expect_time(0x23, 0x59, 0x51);
    set(0x0a, 0xa6); /* UIP cannot be written */
    assert_int_equal(get(0x0a), 0x26);
}

static void divider_chain(void **state)
{
    (void)state;
    test_now = start + 300 * MS;
    set(0x0a, 0x76);
    test_now += 10 * DEVICE_SECOND;
    expect_time(0x23, 0x59, 0x50);
    assert_int_equal(get(0x0c), 0x40);
    set(0x0b, 0x72);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    assert_int_equal(get(0x0a), 0x76);
    assert_int_equal(get(0x0c), 0);
    set(0x0a, 0x26); /* let go: half a second to the first update */
    set(0x0b, 0x02);
    test_now += 500 * MS - 1;
    assert_int_equal(get(0), 0x50);
    assert_int_equal(get(0x0a), 0xa6);
    test_now++;
    assert_int_equal(get(0), 0x51);
    test_now += DEVICE_SECOND;
    assert_int_equal(get(0), 0x52);
}

static void update_ended_interrupt(void **state)
{
    (void)state;
    set(0x0b, 0x12);
    assert_int_equal(timer.next(timer.device), start + DEVICE_SECOND);
    assert_int_equal(run_until(&timer, start + DEVICE_SECOND), 1);
    assert_true(irq.level);
    assert_int_equal(irq.number, 8);
    assert_true(timer.next(timer.device) == DEVICE_NEVER); /* until register C is read */
    assert_int_equal(get(0x0c), 0xd0); /* the periodic flag is set without its enable bit */
    assert_false(irq.level);
    assert_int_equal(get(0x0c), 0x00);
    assert_int_equal(timer.next(timer.device), start + 2 * DEVICE_SECOND);
    test_now = start + 2 * DEVICE_SECOND;
    set(0x0b, 0x02);
    assert_false(irq.level);
    set(0x0b, 0x12); /* a flag that is already set interrupts when it is enabled */
    assert_true(irq.level);
    set(0x0b, 0x02);
    assert_false(irq.level);
    assert_int_equal(get(0x0c), 0x50);
    set(0x0c, 0xff);
    set(0x0d, 0x00);
    assert_int_equal(get(0x0c), 0x00);
    assert_int_equal(get(0x0d), 0x80);
}

static void alarm(void **state)
{
    (void)state;
    set(0x0a, 0x20);
    set_alarm(0x00, 0x01, 0x30);
    set(0x0b, 0x22);
    assert_int_equal(timer.next(timer.device), start + 100 * DEVICE_SECOND);
    test_now = start + 100 * DEVICE_SECOND - 1;
    timer.run(timer.device, test_now);
    assert_false(irq.level);
    assert_int_equal(get(0x0c), 0x10);
    test_now++;
    timer.run(timer.device, test_now);
    assert_true(irq.level);
    assert_int_equal(get(0x0c), 0xb0);
    assert_int_equal(timer.next(timer.device), start + (100 + 86400) * DEVICE_SECOND);
    set_alarm(0xff, 0xc0, 0x05); /* each minute */
    assert_int_equal(timer.next(timer.device), start + 135 * DEVICE_SECOND);
    set_alarm(0xff, 0xff, 0xff); /* each second */
    assert_int_equal(timer.next(timer.device), start + 101 * DEVICE_SECOND);
    set_alarm(0x03, 0xff, 0xff);
    assert_int_equal(timer.next(timer.device), start + (10 + 3 * 3600) * DEVICE_SECOND);
    set_alarm(0xff, 0x30, 0x00);
    assert_int_equal(timer.next(timer.device), start + (10 + 1800) * DEVICE_SECOND);
    set_alarm(0x24, 0x00, 0x00); /* never */
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set_alarm(0x00, 0x60, 0x00);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    set_alarm(0x00, 0x00, 0x7a);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
}

static void alarm_forms(void **state)
{
    (void)state;
    set(0x0b, 0xa4); /* binary, 12 hours */
    set_time(0x8b, 59, 59);
    set_alarm(12, 0, 1);
    set(0x0b, 0x24);
    assert_int_equal(timer.next(timer.device), start + 2 * DEVICE_SECOND);
    test_now = start + 90000 * DEVICE_SECOND; /* far beyond it */
    timer.run(timer.device, test_now);
    assert_true(irq.level);
    assert_int_equal(get(0x0c) & 0xa0, 0xa0);
    set(0x0b, 0xa4);
    assert_true(timer.next(timer.device) == DEVICE_NEVER); /* SET: no updates, no alarms */
}

static void periodic_rates(void **state)
{
    static const uint64_t periods[16] = {0,   128, 256, 4,    8,    16,   32,   64,
                                         128, 256, 512, 1024, 2048, 4096, 8192, 16384};

    (void)state;
    set(0x0b, 0x42);
    for (uint8_t rate = 0; rate < 16; rate++) {
        set(0x0a, 0x70);
        set(0x0a, 0x20 | rate);
        (void)get(0x0c);
        uint64_t since = test_now;

        if (periods[rate] == 0) {
            assert_true(timer.next(timer.device) == DEVICE_NEVER);
            continue;
        }
        for (unsigned i = 1; i <= 3; i++) {
            uint64_t when = timer.next(timer.device);

            assert_int_equal(when, since + (periods[rate] * i * DEVICE_SECOND + 32767) / 32768);
            test_now = when - 1;
            timer.run(timer.device, test_now);
            assert_false(irq.level);
            test_now = when;
            timer.run(timer.device, test_now);
            assert_true(irq.level);
            assert_int_equal(get(0x0c) & 0xc0, 0xc0);
        }
    }
}

static unsigned interrupts_in_ten_seconds(uint8_t rate)
{
    uint64_t end = test_now + 10 * DEVICE_SECOND;
    unsigned count = 0;

    set(0x0a, 0x20 | rate);
    set(0x0b, 0x42);
    (void)get(0x0c);
    while (timer.next(timer.device) <= end) {
        test_now = timer.next(timer.device);
        timer.run(timer.device, test_now);
        count += (get(0x0c) & 0xc0) == 0xc0;
    }
    test_now = end;
    return count;
}

static void rates(void **state)
{
    (void)state;
    assert_int_equal(interrupts_in_ten_seconds(6), 10240);
    assert_int_equal(interrupts_in_ten_seconds(3), 81920);
    assert_int_equal(interrupts_in_ten_seconds(15), 20);
}

/* Periods that nobody looked at are one interrupt, however many. */
static void missed_periods(void **state)
{
    (void)state;
    set(0x0b, 0x72);
    test_now += 1000 * 3600 * DEVICE_SECOND;
    timer.run(timer.device, test_now);
    assert_int_equal(irq.rises, 1);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    (void)get(0x0c);
    assert_true(timer.next(timer.device) > test_now);
    assert_true(timer.next(timer.device) <= test_now + MS);
}

static void restart(void **state)
{
    (void)state;
    set(0x0a, 0x2f);
    set(0x0f, 5);
    set(0x0b, 0x7a);
    out(0x70, 0x8f);
    test_now = start + 3 * DEVICE_SECOND;
    timer.run(timer.device, test_now);
    assert_true(irq.level);
    rtc_restart(&rtc);
    assert_false(irq.level);
    assert_false(rtc.nmi_masked);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    assert_int_equal(get(0x0c), 0);
    assert_int_equal(get(0x0b), 0x02);
    assert_int_equal(get(0x0a), 0x2f);
    assert_int_equal(get(0x0f), 5);
    expect_time(0x23, 0x59, 0x53);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_reset, reset),
        cmocka_unit_test_setup(nmi_mask, reset),
        cmocka_unit_test_setup(memory, reset),
        cmocka_unit_test_setup(memory_sizes, reset),
        cmocka_unit_test_setup(rollover, reset),
        cmocka_unit_test_setup(binary, reset),
        cmocka_unit_test_setup(twelve_hours, reset),
        cmocka_unit_test_setup(set_stops_updates, reset),
        cmocka_unit_test_setup(update_in_progress, reset),
        cmocka_unit_test_setup(divider_chain, reset),
        cmocka_unit_test_setup(update_ended_interrupt, reset),
        cmocka_unit_test_setup(alarm, reset),
        cmocka_unit_test_setup(alarm_forms, reset),
        cmocka_unit_test_setup(periodic_rates, reset),
        cmocka_unit_test_setup(rates, reset),
        cmocka_unit_test_setup(missed_periods, reset),
        cmocka_unit_test_setup(restart, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
