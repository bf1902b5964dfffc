/* SPDX-License-Identifier: MIT */
/*
 * Timers and interrupt controllers together, wired as in a PC: what a processor that takes every interrupt at
 * once counts in ten seconds.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "device_ports.h"
#include "vmm/devices/hpet.h"
#include "vmm/devices/ioapic.h"
#include "vmm/devices/lapic.h"
#include "vmm/devices/pic.h"
#include "vmm/devices/pit.h"
#include "vmm/devices/rtc.h"

#define SECONDS 10

static struct pic pic;
static struct pit pit;
static struct rtc rtc;
static struct hpet hpet;
static struct ioapic ioapic;
static struct lapic lapic;
static struct device_timer timers[4];
static unsigned counts[256];

static bool deliver(void *context, const struct interrupt_message *message)
{
    return lapic_receive(&lapic, message);
}

static void end_of_interrupt(void *context, uint8_t vector)
{
    ioapic_end_of_interrupt(&ioapic, vector);
}

static void isa_line(void *context, unsigned irq, bool level)
{
    pic_set_line(&pic, irq, level);
    ioapic_set_pin(&ioapic, irq == 0 ? 2 : irq, level);
}

static int reset(void **state)
{
    static const struct rtc_config config = {.time = {.year = 2024, .month = 1, .day = 1}};
    static const uint8_t icw[8] = {0x11, 0x08, 0x04, 0x01, 0x11, 0x70, 0x02, 0x01};

    (void)state;
    memset(&pic, 0, sizeof(pic));
    memset(&pit, 0, sizeof(pit));
    memset(&rtc, 0, sizeof(rtc));
    memset(&hpet, 0, sizeof(hpet));
    memset(&ioapic, 0, sizeof(ioapic));
    memset(&lapic, 0, sizeof(lapic));
    memset(counts, 0, sizeof(counts));
    test_now = 0;
    pic.output = (struct device_line){lapic_set_lint, &lapic, 0};
    pit.irq = (struct device_line){isa_line, NULL, 0};
    rtc.irq = (struct device_line){isa_line, NULL, 8};
    hpet.pins = (struct device_line){ioapic_set_pin, &ioapic, 0};
    ioapic.deliver = deliver;
    lapic.config = (struct lapic_config){.timer_hz = 24000000,
                                         .tsc_hz = 2000000000,
                                         .physical_address_bits = 40,
                                         .end_of_interrupt = end_of_interrupt};
    pic_reset(&pic);
    pit_reset(&pit, 0);
    rtc_reset(&rtc, &config, 0);
    hpet_reset(&hpet, 0);
    ioapic_reset(&ioapic);
    lapic_reset(&lapic, 0);
    lapic_virtual_wire(&lapic);
    timers[0] = pit_timer(&pit);
    timers[1] = rtc_timer(&rtc);
    timers[2] = hpet_timer(&hpet);
    timers[3] = lapic_timer(&lapic);

    test_port_ranges = PIC_PORT_RANGES;
    pic_ports(&pic, test_ports);
    for (unsigned i = 0; i < 8; i++)
        out((uint16_t)((i < 4 ? 0x20 : 0xa0) + (i % 4 != 0)), icw[i]);
    return 0;
}

static void write_port(void (*ports)(void), uint16_t port, uint8_t value)
{
    ports();
    out(port, value);
}

static void pit_range(void)
{
    test_port_ranges = PIT_PORT_RANGES;
    pit_ports(&pit, test_ports);
}

static void rtc_range(void)
{
    test_port_ranges = RTC_PORT_RANGES;
    rtc_ports(&rtc, test_ports);
}

static void pic_range(void)
{
    test_port_ranges = PIC_PORT_RANGES;
    pic_ports(&pic, test_ports);
}

static void set(struct device_memory memory, uint64_t offset, uint32_t value)
{
    memory.write(memory.device, offset, 4, value, test_now);
}

/* Takes what is requested; as a guest does, it ends each interrupt and reads register C or clears the HPET's
 * status. */
static void serve(void)
{
    while (lapic_external(&lapic)) {
        uint8_t vector = pic_acknowledge(&pic);

        counts[vector]++;
        if (vector == 0x70) {
            write_port(rtc_range, 0x70, 0x0c);
            (void)in(0x71);
            write_port(pic_range, 0xa0, 0x20);
        }
        write_port(pic_range, 0x20, 0x20);
    }
    while (lapic_highest(&lapic) != LAPIC_NONE) {
        uint8_t vector = lapic_acknowledge(&lapic);

        counts[vector]++;
        if (vector == 0x60)
            set(hpet_memory(&hpet), 0x20, 1);
        set(lapic_memory(&lapic), 0xb0, 0);
    }
}

static void run_for(uint64_t ns)
{
    uint64_t end = test_now + ns;

    for (;;) {
        uint64_t when = DEVICE_NEVER;

        for (unsigned i = 0; i < 4; i++) {
            uint64_t next = timers[i].next(timers[i].device);

            when = next < when ? next : when;
        }
        if (when > end)
            break;
        assert_true(when > test_now);
        test_now = when;
        for (unsigned i = 0; i < 4; i++)
            timers[i].run(timers[i].device, test_now);
        serve();
    }
    test_now = end;
}

static void start_pit(uint8_t control, uint16_t count)
{
    write_port(pit_range, 0x43, control);
    out(0x40, (uint8_t)count);
    out(0x40, (uint8_t)(count >> 8));
    serve(); /* the edge of the control word */
    memset(counts, 0, sizeof(counts));
}

static void start_rtc(void)
{
    write_port(rtc_range, 0x70, 0x0b);
    out(0x71, 0x42);
}

static void through_the_pics(void **state)
{
    (void)state;
    start_pit(0x34, 1193);
    start_rtc();
    run_for(SECONDS * DEVICE_SECOND);
    assert_in_range(counts[0x08], SECONDS * 1193182 / 1193 - 1, SECONDS * 1193182 / 1193 + 1);
    assert_int_equal(counts[0x70], SECONDS * 1024);
    assert_int_equal(counts[0x0f] + counts[0x77], 0); /* nothing spurious */
}

static void square_wave_through_the_pics(void **state)
{
    (void)state;
    start_pit(0x36, 0);
    run_for(SECONDS * DEVICE_SECOND);
    assert_in_range(counts[0x08], 182, 183);
}

static void through_the_apics(void **state)
{
    struct device_memory io = ioapic_memory(&ioapic);

    (void)state;
    start_pit(0x34, 11932);
    start_rtc();
    write_port(pic_range, 0x21, 0xff);
    out(0xa1, 0xff);
    set(lapic_memory(&lapic), 0x350, 0x10000);
    set(io, 0, 0x10 + 2 * 2); /* PIT */
    set(io, 0x10, 0x50);
    set(io, 0, 0x10 + 2 * 20); /* HPET, level */
    set(io, 0x10, 0x8060);
    set(lapic_memory(&lapic), 0x3e0, 0x3); /* by 16 */
    set(lapic_memory(&lapic), 0x320, 0x20070);
    set(lapic_memory(&lapic), 0x380, 1500); /* 1 kHz */
    set(hpet_memory(&hpet), 0x100, 0x294e);
    set(hpet_memory(&hpet), 0x108, 50000); /* 2 kHz */
    set(hpet_memory(&hpet), 0x10, 1);
    run_for(SECONDS * DEVICE_SECOND);
    assert_in_range(counts[0x50], SECONDS * 100 - 1, SECONDS * 100);
    assert_int_equal(counts[0x60], SECONDS * 2000);
    assert_int_equal(counts[0x70], SECONDS * 1000);
    assert_int_equal(counts[0x08], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(through_the_pics, reset),
        cmocka_unit_test_setup(square_wave_through_the_pics, reset),
        cmocka_unit_test_setup(through_the_apics, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
