/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: the guest's interrupt controllers and timers, wired as in a PC, under random accesses, lines and
 * steps of time, of hours as well. After a run no device may ask for a moment that is not later than now.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/devices/acpi_pm.h"
#include "vmm/devices/hpet.h"
#include "vmm/devices/ioapic.h"
#include "vmm/devices/lapic.h"
#include "vmm/devices/pic.h"
#include "vmm/devices/pit.h"
#include "vmm/devices/rtc.h"

#define PORT_RANGES 8
#define TIMERS      5
#define END_OF_TIME (UINT64_C(1) << 62)

static struct {
    struct pic pic;
    struct pit pit;
    struct rtc rtc;
    struct hpet hpet;
    struct acpi_pm pm;
    struct ioapic ioapic;
    struct lapic lapic;
    struct device_ports ports[PORT_RANGES];
    struct device_timer timers[TIMERS];
    unsigned port_ranges;
    uint64_t now;
} pc;

static const uint8_t *input, *input_end;

static void require(int condition)
{
    if (!condition)
        abort();
}

static uint8_t take(void)
{
    return input < input_end ? *input++ : 0;
}

static uint64_t take_bytes(unsigned count)
{
    uint64_t value = 0;

    while (count-- > 0)
        value = value << 8 | take();
    return value;
}

/* IRQ 0 is pin 2 of the I/O APIC. */
static void set_irq(void *context, unsigned irq, bool level)
{
    pic_set_line(&pc.pic, irq, level);
    ioapic_set_pin(&pc.ioapic, irq == 0 ? 2 : irq, level);
}

static bool deliver(void *context, const struct interrupt_message *message)
{
    return lapic_receive(&pc.lapic, message);
}

static void deliver_to_cpu(void *context, const struct interrupt_message *message)
{
    require(message->mode != DELIVERY_FIXED && message->mode != DELIVERY_LOWEST_PRIORITY &&
            message->mode != DELIVERY_EXTINT && message->mode != DELIVERY_RESERVED);
}

static void end_of_interrupt(void *context, uint8_t vector)
{
    require(vector >= 16);
    ioapic_end_of_interrupt(&pc.ioapic, vector);
}

static void set_up(void)
{
    static const struct rtc_config config = {
        .time = {.year = 2024, .month = 2, .day = 28, .hour = 23, .minute = 59},
        .memory_below_4g = UINT64_C(64) << 20};

    memset(&pc, 0, sizeof(pc));
    pc.pic.output = (struct device_line){lapic_set_lint, &pc.lapic, 0};
    pc.pit.irq = (struct device_line){set_irq, NULL, 0};
    pc.rtc.irq = (struct device_line){set_irq, NULL, 8};
    pc.pm.sci = (struct device_line){set_irq, NULL, 9};
    pc.hpet.pins = (struct device_line){ioapic_set_pin, &pc.ioapic, 0};
    pc.hpet.legacy[0] = pc.pit.irq;
    pc.hpet.legacy[1] = pc.rtc.irq;
    pc.ioapic.deliver = deliver;
    pc.lapic.config = (struct lapic_config){.timer_hz = 33333333,
                                            .tsc_hz = UINT64_C(2900000000),
                                            .physical_address_bits = 39,
                                            .bsp = true,
                                            .x2apic = true,
                                            .tsc_deadline = true,
                                            .deliver = deliver_to_cpu,
                                            .end_of_interrupt = end_of_interrupt};
    lapic_reset(&pc.lapic, 0);
    ioapic_reset(&pc.ioapic);
    pic_reset(&pc.pic);
    pit_reset(&pc.pit, 0);
    rtc_reset(&pc.rtc, &config, 0);
    hpet_reset(&pc.hpet, 0);
    acpi_pm_reset(&pc.pm, 0);
    lapic_virtual_wire(&pc.lapic);
    pic_ports(&pc.pic, pc.ports);
    pit_ports(&pc.pit, pc.ports + PIC_PORT_RANGES);
    rtc_ports(&pc.rtc, pc.ports + PIC_PORT_RANGES + PIT_PORT_RANGES);
    acpi_pm_ports(&pc.pm, pc.ports + PIC_PORT_RANGES + PIT_PORT_RANGES + RTC_PORT_RANGES);
    pc.port_ranges = PIC_PORT_RANGES + PIT_PORT_RANGES + RTC_PORT_RANGES + ACPI_PM_PORT_RANGES;
    pc.timers[0] = pit_timer(&pc.pit);
    pc.timers[1] = rtc_timer(&pc.rtc);
    pc.timers[2] = hpet_timer(&pc.hpet);
    pc.timers[3] = acpi_pm_timer(&pc.pm);
    pc.timers[4] = lapic_timer(&pc.lapic);
}

/* As the bus does it: never wider than the device takes. */
static void access_port(bool write)
{
    uint8_t which = take();
    const struct device_ports *range = &pc.ports[which % pc.port_ranges];
    uint16_t port = (uint16_t)(range->first + (which >> 3) % (range->last - range->first + 1));
    unsigned size = range->width == 1 ? 1 : 1u << take() % 3;

    if (write)
        range->write(range->device, port, size, (uint32_t)take_bytes(size), pc.now);
    else
        require(size == 4 || range->read(range->device, port, size, pc.now) >> size * 8 == 0);
}

static void access_memory(bool write)
{
    uint8_t which = take();
    struct device_memory memory = which % 3 == 0   ? hpet_memory(&pc.hpet)
                                  : which % 3 == 1 ? ioapic_memory(&pc.ioapic)
                                                   : lapic_memory(&pc.lapic);
    unsigned size = (which & 0x80) != 0 ? 4 : 1u << (which >> 2) % 4;
    uint64_t offset = take_bytes(2);

    if ((which & 0x80) != 0)
        offset &= 0x3fc;
    if (offset + size > memory.size)
        return;
    if (write)
        memory.write(memory.device, offset, size, take_bytes(size), pc.now);
    else
        require(size == 8 || memory.read(memory.device, offset, size, pc.now) >> size * 8 == 0);
}

static void access_msr(bool write)
{
    uint8_t which = take();
    uint32_t msr = which == 0 ? LAPIC_MSR_BASE : which == 1 ? LAPIC_MSR_DEADLINE : LAPIC_MSR_FIRST + which;
    uint64_t value;

    if (!write) {
        (void)!lapic_read_msr(&pc.lapic, msr, &value, pc.now);
        return;
    }
    value = take_bytes(which <= 1 || which == 0x30 ? 8 : 4);
    if (which == 0 && (value & 1) == 0)
        value = 0xfee00100 | (value & 0xc00);
    (void)!lapic_write_msr(&pc.lapic, msr, value, pc.now);
}

static uint64_t earliest(void)
{
    uint64_t when = DEVICE_NEVER;

    for (unsigned i = 0; i < TIMERS; i++) {
        uint64_t next = pc.timers[i].next(pc.timers[i].device);

        when = next < when ? next : when;
    }
    return when;
}

static void run(uint64_t now)
{
    if (now > END_OF_TIME)
        return;
    pc.now = now > pc.now ? now : pc.now;
    for (unsigned i = 0; i < TIMERS; i++)
        pc.timers[i].run(pc.timers[i].device, pc.now);
    require(earliest() > pc.now);
}

static void acknowledge(void)
{
    int vector = lapic_highest(&pc.lapic);

    require(vector == LAPIC_NONE || (vector >= 16 && vector <= 255 && vector <= lapic_requested(&pc.lapic)));
    if (lapic_external(&pc.lapic)) {
        (void)pic_acknowledge(&pc.pic);
        lapic_external_taken(&pc.lapic);
    } else if (vector != LAPIC_NONE) {
        require(lapic_acknowledge(&pc.lapic) == vector);
        require(lapic_highest(&pc.lapic) == LAPIC_NONE || lapic_highest(&pc.lapic) / 16 > vector / 16);
    }
}

static void step(void)
{
    uint8_t operation = take();

    switch (operation % 11) {
    case 0:
    case 1:
        access_port(operation % 11 == 0);
        break;
    case 2:
    case 3:
        access_memory(operation % 11 == 2);
        break;
    case 4:
    case 5:
        access_msr(operation % 11 == 4);
        break;
    case 6:
        run(pc.now + take_bytes(2));
        break;
    case 7:
        run(earliest());
        break;
    case 8: /* up to hours; with the highest bit, years */
        run(pc.now + ((operation & 0x80) != 0 ? take_bytes(7) : take_bytes(5) * 16));
        break;
    case 9:
        set_irq(NULL, operation >> 4, take() % 2 != 0);
        break;
    default:
        acknowledge();
        break;
    }
    require((pc.lapic.irr[0] & 0xffff) == 0 && (pc.lapic.isr[0] & 0xffff) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    input = data;
    input_end = data + size;
    set_up();
    while (input < input_end)
        step();
    for (unsigned i = 0; i < 8; i++)
        run(earliest());
    return 0;
}
