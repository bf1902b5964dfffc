/* SPDX-License-Identifier: MIT */
/* What the tests of the guest's devices share: ports, a wire that counts, time. */
#ifndef TEST_HOST_DEVICE_PORTS_H
#define TEST_HOST_DEVICE_PORTS_H

#include "vmm/devices/device.h"

/* A wire's end: its level, and how often it rose and fell. */
struct wire {
    bool level;
    unsigned rises, falls, number;
};

static inline void wire_set(void *context, unsigned number, bool level)
{
    struct wire *wire = context;

    if (level && !wire->level)
        wire->rises++;
    if (!level && wire->level)
        wire->falls++;
    wire->level = level;
    wire->number = number;
}

static inline struct device_line wire_line(struct wire *wire, unsigned number)
{
    return (struct device_line){.set = wire_set, .context = wire, .number = number};
}

/* The ports of one device, and the time of every access. */
static struct device_ports test_ports[4];
static unsigned test_port_ranges;
static uint64_t test_now;

static inline struct device_ports *port_range(uint16_t port)
{
    for (unsigned i = 0; i < test_port_ranges; i++) {
        if (port >= test_ports[i].first && port <= test_ports[i].last)
            return &test_ports[i];
    }
    fail_msg("no device at port 0x%x", port);
    return NULL;
}

static inline uint32_t in_sized(uint16_t port, unsigned size)
{
    struct device_ports *range = port_range(port);

    return range->read(range->device, port, size, test_now);
}

static inline void out_sized(uint16_t port, unsigned size, uint32_t value)
{
    struct device_ports *range = port_range(port);

    range->write(range->device, port, size, value, test_now);
}

static inline uint8_t in(uint16_t port)
{
    return (uint8_t)in_sized(port, 1);
}

static inline void out(uint16_t port, uint8_t value)
{
    out_sized(port, 1, value);
}

/* Runs a timer at each moment that it asks for until `end`; fails when it asks for one that is not later. */
static inline unsigned run_until(const struct device_timer *timer, uint64_t end)
{
    unsigned runs = 0;

    for (;;) {
        uint64_t next = timer->next(timer->device);

        if (next > end)
            break;
        assert_true(next >= test_now);
        test_now = next;
        timer->run(timer->device, test_now);
        assert_true(timer->next(timer->device) > test_now);
        runs++;
    }
    test_now = end;
    return runs;
}

#endif
