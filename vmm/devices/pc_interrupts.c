/* SPDX-License-Identifier: MIT */
/* From a device's request to the processor. */
#include "vmm/devices/pc_interrupts.h"

#include "vmm/devices/lapic_registers.h"

#define LINE_NUMBER(input, source) ((input) | (unsigned)(source) << 8)
#define LINE_INPUT(number)         ((number)&0xffu)
#define LINE_SOURCE(number)        ((uint8_t)(1u << ((number) >> 8)))

/* Whether the wire changes by what one of its sources does. */
static bool wire_changes(uint8_t *sources, uint8_t source, bool level)
{
    bool before = *sources != 0;

    *sources = (uint8_t)(level ? *sources | source : *sources & ~source);
    return before != (*sources != 0);
}

static void set_pin(void *context, unsigned number, bool level)
{
    struct pc *pc = context;
    unsigned pin = LINE_INPUT(number);

    if (wire_changes(&pc->pin_sources[pin], LINE_SOURCE(number), level))
        ioapic_set_pin(&pc->ioapic, pin, level);
}

static void set_irq(void *context, unsigned number, bool level)
{
    struct pc *pc = context;
    unsigned irq = LINE_INPUT(number);

    if (wire_changes(&pc->irq_sources[irq], LINE_SOURCE(number), level))
        pic_set_line(&pc->pic, irq, level);
    set_pin(pc, irq == 0 ? number + 2 : number, level);
}

struct device_line pc_irq_line(struct pc *pc, unsigned irq, enum pc_source source)
{
    return (struct device_line){set_irq, pc, LINE_NUMBER(irq, source)};
}

struct device_line pc_pin_line(struct pc *pc, unsigned pin, enum pc_source source)
{
    return (struct device_line){set_pin, pc, LINE_NUMBER(pin, source)};
}

static void set_timer(void *context, unsigned irq, bool level)
{
    struct pc *pc = context;

    *(irq == 0 ? &pc->pit_level : &pc->rtc_level) = level;
    if (!pc->hpet_legacy)
        set_irq(pc, LINE_NUMBER(irq, PC_SOURCE_FIRST), level);
}

struct device_line pc_timer_line(struct pc *pc, unsigned irq)
{
    return (struct device_line){set_timer, pc, irq};
}

static void set_legacy_replacement(void *context, unsigned number, bool level)
{
    struct pc *pc = context;

    (void)number;
    pc->hpet_legacy = level;
    set_irq(pc, LINE_NUMBER(0, PC_SOURCE_FIRST), !level && pc->pit_level);
    set_irq(pc, LINE_NUMBER(8, PC_SOURCE_FIRST), !level && pc->rtc_level);
}

struct device_line pc_legacy_replacement_line(struct pc *pc)
{
    return (struct device_line){set_legacy_replacement, pc, 0};
}

/* From the I/O APIC to the one local APIC. */
static bool deliver(void *context, const struct interrupt_message *message)
{
    struct pc *pc = context;

    return lapic_receive(&pc->lapic, message);
}

/* What the local APIC does not keep in IRR. With one processor INIT, SMI and start-up go nowhere: nobody but
 * the guest itself could send them. */
static void to_processor(void *context, const struct interrupt_message *message)
{
    struct pc *pc = context;

    if (message->mode == DELIVERY_NMI)
        pc->nmi_pending = true;
}

static void end_of_interrupt(void *context, uint8_t vector)
{
    struct pc *pc = context;

    ioapic_end_of_interrupt(&pc->ioapic, vector);
}

must_check bool pc_add_interrupt_controllers(struct pc *pc, const struct lapic_config *config)
{
    struct device_ports ports[PIC_PORT_RANGES];
    struct device_memory memory;
    struct device_timer timer = lapic_timer(&pc->lapic);

    pc->lapic.config = *config;
    pc->lapic.config.context = pc;
    pc->lapic.config.deliver = to_processor;
    pc->lapic.config.end_of_interrupt = end_of_interrupt;
    lapic_reset(&pc->lapic, 0);
    lapic_virtual_wire(&pc->lapic);
    pc->ioapic.deliver = deliver;
    pc->ioapic.context = pc;
    ioapic_reset(&pc->ioapic);
    pc->pic.output = (struct device_line){lapic_set_lint, &pc->lapic, 0};
    pic_reset(&pc->pic);
    pic_ports(&pc->pic, ports);
    for (unsigned i = 0; i < PIC_PORT_RANGES; i++)
        if (!bus_add_ports(&pc->bus, &ports[i]))
            return false;
    memory = lapic_memory(&pc->lapic);
    if (!bus_add_memory(&pc->bus, &memory) || !bus_add_timer(&pc->bus, &timer))
        return false;
    memory = ioapic_memory(&pc->ioapic);
    return bus_add_memory(&pc->bus, &memory);
}

bool pc_interrupt_pending(const struct pc *pc)
{
    return lapic_external(&pc->lapic) || lapic_highest(&pc->lapic) != LAPIC_NONE;
}

uint8_t pc_interrupt_acknowledge(struct pc *pc)
{
    uint8_t vector;

    if (!lapic_external(&pc->lapic))
        return lapic_acknowledge(&pc->lapic);
    vector = pic_acknowledge(&pc->pic);
    lapic_external_taken(&pc->lapic);
    return vector;
}

/* Inputs 7:0 of a chip that are not masked. */
static uint8_t open_inputs(const struct pic_chip *chip)
{
    return chip->initialized ? (uint8_t)~chip->mask : 0;
}

bool pc_can_interrupt(const struct pc *pc)
{
    const struct lapic *lapic = &pc->lapic;
    uint8_t master = open_inputs(&pc->pic.master), cascade = 1u << 2;

    if ((master & ~cascade) != 0 || ((master & cascade) != 0 && open_inputs(&pc->pic.slave) != 0))
        return true;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        if (ioapic_pin_may_interrupt(&pc->ioapic, pin))
            return true;
    return lapic_timer_may_interrupt(lapic);
}

bool pc_can_send_nmi(const struct pc *pc)
{
    uint32_t lint0 = pc->lapic.lvt[LVT_LINT0];

    if ((lint0 & LVT_MASKED) == 0 && (lint0 >> LVT_MODE_SHIFT & 7) == DELIVERY_NMI)
        return true;
    for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
        if (ioapic_pin_may_send_nmi(&pc->ioapic, pin))
            return true;
    return false;
}

bool pc_nmi_pending(const struct pc *pc)
{
    return pc->nmi_pending;
}

void pc_nmi_acknowledge(struct pc *pc)
{
    pc->nmi_pending = false;
}

must_check bool pc_write_apic_msr(struct pc *pc, uint32_t msr, uint64_t value, uint64_t now)
{
    struct device_memory memory;

    if (!lapic_write_msr(&pc->lapic, msr, value, now))
        return false;
    bus_device_accessed(&pc->bus, &pc->lapic);
    if (msr == LAPIC_MSR_BASE) {
        memory = lapic_memory(&pc->lapic);
        bus_move_memory(&pc->bus, &memory);
    }
    return true;
}
