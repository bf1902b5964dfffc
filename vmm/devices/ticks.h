/* SPDX-License-Identifier: MIT */
/*
 * Nanoseconds and the ticks of a clock of `hz`, exactly: what a device counts follows from the time that has
 * passed as a whole, never from a sum of rounded steps, so nothing drifts. Tick n begins at the first
 * nanosecond at which n of them are complete. hz is 1 to 18 GHz; at 1 GHz 64 bits of ticks last 584 years.
 */
#ifndef VMM_DEVICES_TICKS_H
#define VMM_DEVICES_TICKS_H

#include "vmm/devices/device.h"

/* Complete ticks in `ns`. */
static inline uint64_t ticks_in(uint64_t ns, uint64_t hz)
{
    return ns / DEVICE_SECOND * hz + ns % DEVICE_SECOND * hz / DEVICE_SECOND;
}

/* The first nanosecond of tick `tick`; DEVICE_NEVER where 64 bits cannot say it. */
static inline uint64_t tick_begins(uint64_t tick, uint64_t hz)
{
    uint64_t seconds = tick / hz;

    if (seconds >= DEVICE_NEVER / DEVICE_SECOND)
        return DEVICE_NEVER;
    return seconds * DEVICE_SECOND + (tick % hz * DEVICE_SECOND + hz - 1) / hz;
}

/* a + b, or UINT64_MAX where that does not fit: a moment that never comes. */
static inline uint64_t ticks_add(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

#endif
