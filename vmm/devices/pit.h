/* SPDX-License-Identifier: MIT */
/*
 * The 8254 of a PC and its system control port B (0x61): channel 0 requests IRQ 0, channel 1 is the
 * refresh's, channel 2 the speaker's. Intel's data sheet "82C54 CHMOS Programmable Interval Timer".
 */
#ifndef VMM_DEVICES_PIT_H
#define VMM_DEVICES_PIT_H

#include "vmm/devices/device.h"
#include "vmm/devices/pit_counter.h"

#define PIT_HZ          1193182u
#define PIT_PORT_RANGES 2u

/* The owner zeroes it and sets `irq` once, before the first reset; it follows OUT of channel 0. */
struct pit {
    struct device_line irq;
    struct pit_counter counters[3];
    bool irq_level; /* what `irq` was told */
    uint64_t rose;  /* moment at which OUT of channel 0 rose last, as `irq` was told; 0: it has not */
    uint8_t port_b; /* the bits of 0x61 that can be written */
};

/* No channel counts; the first control words make them. */
void pit_reset(struct pit *pit, uint64_t now);

/* Fills in 0x40-0x43 and 0x61. */
void pit_ports(struct pit *pit, struct device_ports ports[PIT_PORT_RANGES]);

/*
 * The next edge of channel 0's OUT, rising or falling; in mode 2 the rising one alone, a tick after the
 * falling one and shown together with it. A `run` that comes late by several edges shows one rising edge for
 * all that have passed, and leaves the line high until the next falling one. With a period below
 * DEVICE_LEAST_PERIOD it is as if each came so late.
 */
struct device_timer pit_timer(struct pit *pit);

#endif
