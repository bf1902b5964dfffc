/* SPDX-License-Identifier: MIT */
/* The 8254's ports, and system control port B. */
#include "vmm/devices/pit.h"

#include "vmm/devices/ticks.h"

#define COUNTER_0 0x40u
#define CONTROL   0x43u
#define PORT_B    0x61u

#define CONTROL_COUNTER_SHIFT 6
#define CONTROL_ACCESS        0x30u /* 0: the counter latch command */
#define READ_BACK             3u
#define READ_BACK_NO_COUNT    0x20u
#define READ_BACK_NO_STATUS   0x10u
#define READ_BACK_COUNTER_0   0x02u

#define PORT_B_GATE_2   0x01u
#define PORT_B_WRITABLE 0x0fu
#define PORT_B_REFRESH  0x10u
#define PORT_B_OUT_2    0x20u
#define REFRESH_TICKS   18u /* between two refresh cycles, about 15 us */
#define SPEAKER         2u

static void set_irq(struct pit *pit, bool level)
{
    if (pit->irq_level != level) {
        pit->irq_level = level;
        device_line_set(&pit->irq, level);
    }
}

/* Of channel 0, in modes that repeat. */
static uint64_t period_ns(const struct pit *pit)
{
    uint64_t period = pit_counter_period(&pit->counters[0]);

    return period == PIT_NEVER ? DEVICE_NEVER : tick_begins(period, PIT_HZ);
}

static void advance(struct pit *pit, uint64_t now)
{
    uint64_t tick = ticks_in(now, PIT_HZ);
    bool out = pit->counters[0].out;
    uint64_t rises = pit_counter_advance(&pit->counters[0], tick);

    if (rises > 0 && device_period_interrupts(period_ns(pit), pit->rose, now)) {
        set_irq(pit, false);
        set_irq(pit, true);
        pit->rose = now;
    } else if (rises == 0 && out && !pit->counters[0].out) {
        set_irq(pit, false);
    }
    (void)pit_counter_advance(&pit->counters[1], tick);
    (void)pit_counter_advance(&pit->counters[2], tick);
}

static void read_back(struct pit *pit, uint8_t command)
{
    for (unsigned i = 0; i < 3; i++) {
        if ((command & (READ_BACK_COUNTER_0 << i)) == 0)
            continue;
        if ((command & READ_BACK_NO_COUNT) == 0)
            pit_counter_latch_count(&pit->counters[i]);
        if ((command & READ_BACK_NO_STATUS) == 0)
            pit_counter_latch_status(&pit->counters[i]);
    }
}

static void write_control(struct pit *pit, uint8_t value)
{
    unsigned counter = value >> CONTROL_COUNTER_SHIFT;

    if (counter == READ_BACK)
        read_back(pit, value);
    else if ((value & CONTROL_ACCESS) == 0)
        pit_counter_latch_count(&pit->counters[counter]);
    else
        pit_counter_control(&pit->counters[counter], value);
}

static void write_port(void *device, uint16_t port, unsigned size, uint32_t value32, uint64_t now)
{
    struct pit *pit = device;
    uint8_t value = (uint8_t)value32;
    bool out;

    (void)size;
    advance(pit, now);
    out = pit->counters[0].out;
    if (port == PORT_B) {
        pit->port_b = value & PORT_B_WRITABLE;
        pit_counter_gate(&pit->counters[SPEAKER], (value & PORT_B_GATE_2) != 0);
    } else if (port == CONTROL) {
        write_control(pit, value);
    } else {
        pit_counter_write(&pit->counters[port - COUNTER_0], value);
    }
    if (pit->counters[0].out != out)
        set_irq(pit, !out);
}

static uint8_t read_port_b(const struct pit *pit)
{
    const struct pit_counter *speaker = &pit->counters[SPEAKER];
    unsigned value = pit->port_b;

    value |= speaker->at / REFRESH_TICKS % 2 != 0 ? PORT_B_REFRESH : 0;
    value |= speaker->out ? PORT_B_OUT_2 : 0;
    return (uint8_t)value;
}

static uint32_t read_port(void *device, uint16_t port, unsigned size, uint64_t now)
{
    struct pit *pit = device;

    (void)size;
    advance(pit, now);
    if (port == PORT_B)
        return read_port_b(pit);
    if (port == CONTROL)
        return 0xff; /* write-only */
    return pit_counter_read(&pit->counters[port - COUNTER_0]);
}

void pit_ports(struct pit *pit, struct device_ports ports[PIT_PORT_RANGES])
{
    struct device_ports range = {.name = "pit",
                                 .first = COUNTER_0,
                                 .last = CONTROL,
                                 .width = 1,
                                 .device = pit,
                                 .read = read_port,
                                 .write = write_port};

    ports[0] = range;
    range.first = range.last = PORT_B;
    ports[1] = range;
}

static uint64_t next(const void *device)
{
    const struct pit *pit = device;
    const struct pit_counter *counter = &pit->counters[0];
    uint64_t edge = pit_counter_next_edge(counter);

    if (edge != PIT_NEVER && counter->mode == 2 && counter->out)
        edge++;
    if (edge == PIT_NEVER)
        return DEVICE_NEVER;
    return device_period_next(period_ns(pit), pit->rose, tick_begins(edge, PIT_HZ));
}

static void run(void *device, uint64_t now)
{
    advance(device, now);
}

struct device_timer pit_timer(struct pit *pit)
{
    return (struct device_timer){.device = pit, .next = next, .run = run};
}

void pit_reset(struct pit *pit, uint64_t now)
{
    for (unsigned i = 0; i < 3; i++) {
        pit->counters[i].gate = i != SPEAKER;
        pit_counter_reset(&pit->counters[i], ticks_in(now, PIT_HZ));
    }
    pit->port_b = 0;
    set_irq(pit, false);
}
