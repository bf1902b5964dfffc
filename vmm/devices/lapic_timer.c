/* SPDX-License-Identifier: MIT */
/* The local APIC's timer. SDM vol. 3, "APIC Timer" and "TSC-Deadline Mode". */
#include "vmm/devices/lapic_registers.h"
#include "vmm/devices/ticks.h"

#define NEVER UINT64_MAX

static unsigned timer_mode(uint32_t entry)
{
    return entry >> LVT_TIMER_SHIFT & 3;
}

static bool is_periodic(const struct lapic *lapic)
{
    return timer_mode(lapic->lvt[LVT_TIMER]) == LVT_TIMER_PERIODIC;
}

static bool is_deadline_mode(const struct lapic *lapic)
{
    return timer_mode(lapic->lvt[LVT_TIMER]) == LVT_TIMER_DEADLINE;
}

/* Bits 3, 1 and 0: 2, 4, 8 ... 128, and 1. */
static uint64_t divisor(const struct lapic *lapic)
{
    unsigned code = (lapic->divide & 3) | (lapic->divide >> 1 & 4);

    return code == 7 ? 1 : UINT64_C(2) << code;
}

/* Ticks of timer_hz. */
static uint64_t timer_period(const struct lapic *lapic)
{
    return lapic->initial_count * divisor(lapic);
}

static uint64_t period_ns(const struct lapic *lapic)
{
    return tick_begins(timer_period(lapic), lapic->config.timer_hz);
}

static uint64_t timer_tick(const struct lapic *lapic, uint64_t now)
{
    return ticks_in(now, lapic->config.timer_hz);
}

/* A period that passed unseen is lost in IRR, as it would be on a machine: all of them request once. */
void lapic_timer_advance(struct lapic *lapic, uint64_t now)
{
    uint64_t tick = timer_tick(lapic, now), period = timer_period(lapic);

    if (lapic->deadline_tick != NEVER && ticks_in(now, lapic->config.tsc_hz) >= lapic->deadline_tick) {
        lapic->deadline = 0;
        lapic->deadline_tick = NEVER;
        lapic_local_interrupt(lapic, LVT_TIMER);
    }
    if (lapic->expires == NEVER || tick < lapic->expires)
        return;
    if (is_periodic(lapic) && period > 0) {
        lapic->expires += ((tick - lapic->expires) / period + 1) * period;
        if ((lapic->lvt[LVT_TIMER] & LVT_MASKED) != 0 ||
            !device_period_interrupts(period_ns(lapic), lapic->expired, now))
            return;
        lapic->expired = now;
    } else {
        lapic->expires = NEVER;
    }
    lapic_local_interrupt(lapic, LVT_TIMER);
}

uint32_t lapic_current_count(const struct lapic *lapic, uint64_t now)
{
    uint64_t tick = timer_tick(lapic, now);

    if (lapic->expires == NEVER || tick >= lapic->expires)
        return 0;
    return (uint32_t)((lapic->expires - tick + divisor(lapic) - 1) / divisor(lapic));
}

void lapic_set_initial_count(struct lapic *lapic, uint32_t count, uint64_t now)
{
    if (is_deadline_mode(lapic))
        return;
    lapic->initial_count = count;
    lapic->expires = count == 0 ? NEVER : timer_tick(lapic, now) + count * divisor(lapic);
}

/* A running count goes on from where it is, at the new rate. */
void lapic_set_divide(struct lapic *lapic, uint32_t value, uint64_t now)
{
    uint32_t count = lapic_current_count(lapic, now);

    lapic->divide = value & DIVIDE_BITS;
    if (count > 0)
        lapic->expires = timer_tick(lapic, now) + count * divisor(lapic);
}

void lapic_timer_mode_changed(struct lapic *lapic, uint32_t old)
{
    if ((timer_mode(old) == LVT_TIMER_DEADLINE) == is_deadline_mode(lapic))
        return;
    lapic->expires = NEVER;
    lapic->deadline = 0;
    lapic->deadline_tick = NEVER;
}

uint64_t lapic_deadline(const struct lapic *lapic)
{
    return is_deadline_mode(lapic) ? lapic->deadline : 0;
}

void lapic_set_deadline(struct lapic *lapic, uint64_t deadline, uint64_t now)
{
    uint64_t ticks = ticks_in(now, lapic->config.tsc_hz), tsc = lapic->tsc_offset + ticks;

    if (!is_deadline_mode(lapic))
        return;
    lapic->deadline = deadline;
    lapic->deadline_tick = NEVER;
    if (deadline != 0)
        lapic->deadline_tick = ticks_add(ticks, deadline > tsc ? deadline - tsc : 0);
    lapic_timer_advance(lapic, now);
}

void lapic_set_tsc(struct lapic *lapic, uint64_t tsc, uint64_t now)
{
    lapic_timer_advance(lapic, now);
    lapic->tsc_offset = tsc - ticks_in(now, lapic->config.tsc_hz);
    lapic_set_deadline(lapic, lapic->deadline, now);
}

static uint64_t next(const void *device)
{
    const struct lapic *lapic = device;
    uint64_t expires;

    if ((lapic->lvt[LVT_TIMER] & LVT_MASKED) != 0)
        return DEVICE_NEVER;
    if (lapic->deadline_tick != NEVER)
        return tick_begins(lapic->deadline_tick, lapic->config.tsc_hz);
    if (lapic->expires == NEVER)
        return DEVICE_NEVER;
    expires = tick_begins(lapic->expires, lapic->config.timer_hz);
    if (!is_periodic(lapic))
        return expires;
    return device_period_next(period_ns(lapic), lapic->expired, expires);
}

static void run(void *device, uint64_t now)
{
    lapic_timer_advance(device, now);
}

struct device_timer lapic_timer(struct lapic *lapic)
{
    return (struct device_timer){.device = lapic, .next = next, .run = run};
}

bool lapic_timer_may_interrupt(const struct lapic *lapic)
{
    return (lapic->lvt[LVT_TIMER] & LVT_MASKED) == 0 &&
           (lapic->expires != NEVER || lapic->deadline_tick != NEVER);
}
