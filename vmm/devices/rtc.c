/* SPDX-License-Identifier: MIT */
/*
 * The MC146818. Its divider chain decides everything: an update ends at each whole second of it, a period at
 * each multiple of 2^n ticks of 32.768 kHz. What has passed is made up for when somebody looks.
 */
#include "vmm/devices/rtc_registers.h"

#include "vmm/devices/ticks.h"

#define PORT_INDEX 0x70u
#define PORT_DATA  0x71u
#define INDEX_BITS 0x7fu
#define INDEX_NMI  0x80u

#define CRYSTAL_HZ 32768u
/* UIP rises 244 us before an update, which takes 1984 us. */
#define UPDATE_NS 2228000u

static bool is_held(const struct rtc *rtc)
{
    return (rtc->a & A_HELD) == A_HELD;
}

/* Ticks of the crystal between two periodic interrupts, 0 for none. */
static uint64_t period(const struct rtc *rtc)
{
    unsigned rate = rtc->a & A_RATE;

    if (rate == 0)
        return 0;
    return UINT64_C(1) << (rate < 3 ? rate + 6 : rate - 1);
}

static uint64_t chain_ns(const struct rtc *rtc, uint64_t now)
{
    return now > rtc->divider_start ? now - rtc->divider_start : 0;
}

static void update_irq(struct rtc *rtc)
{
    bool level = (rtc->c & rtc->b & (B_PIE | B_AIE | B_UIE)) != 0;

    rtc->c = (uint8_t)(level ? rtc->c | C_IRQF : rtc->c & ~C_IRQF);
    if (rtc->irq_level != level) {
        rtc->irq_level = level;
        device_line_set(&rtc->irq, level);
    }
}

static void pass_seconds(struct rtc *rtc, uint64_t seconds)
{
    struct rtc_time time = rtc_read_time(rtc);
    unsigned wait = rtc_seconds_to_alarm(rtc);

    if (wait != 0 && wait <= seconds)
        rtc->c |= C_AF;
    rtc_time_add(&time, seconds);
    rtc_write_time(rtc, &time);
    rtc->c |= C_UF;
}

static void advance(struct rtc *rtc, uint64_t now)
{
    uint64_t ns = chain_ns(rtc, now), seconds, periods;

    if (is_held(rtc))
        return;
    seconds = ns / DEVICE_SECOND + (ns % DEVICE_SECOND + rtc->divider_offset) / DEVICE_SECOND;
    if (seconds > rtc->seconds_done) {
        if ((rtc->b & B_SET) == 0)
            pass_seconds(rtc, seconds - rtc->seconds_done);
        rtc->seconds_done = seconds;
    }
    if (period(rtc) != 0) {
        periods = ticks_in(ns, CRYSTAL_HZ) / period(rtc);
        if (periods > rtc->periods_done)
            rtc->c |= C_PF;
        rtc->periods_done = periods;
    }
    update_irq(rtc);
}

static uint8_t read_a(const struct rtc *rtc, uint64_t now)
{
    uint64_t ns = (chain_ns(rtc, now) % DEVICE_SECOND + rtc->divider_offset) % DEVICE_SECOND;
    bool updating = !is_held(rtc) && (rtc->b & B_SET) == 0 && ns >= DEVICE_SECOND - UPDATE_NS;

    return (uint8_t)(rtc->a | (updating ? A_UIP : 0));
}

/* The chain starts anew when it is let go: half a second to the first update. */
static void write_a(struct rtc *rtc, uint8_t value, uint64_t now)
{
    bool was_held = is_held(rtc);

    rtc->a = value & (A_DIVIDER | A_RATE);
    if (was_held && !is_held(rtc)) {
        rtc->divider_start = now;
        rtc->divider_offset = DEVICE_SECOND / 2;
        rtc->seconds_done = 0;
    }
    rtc->periods_done = period(rtc) != 0 ? ticks_in(chain_ns(rtc, now), CRYSTAL_HZ) / period(rtc) : 0;
}

static void write_data(struct rtc *rtc, uint8_t value, uint64_t now)
{
    switch (rtc->index) {
    case REGISTER_A:
        write_a(rtc, value, now);
        break;
    case REGISTER_B:
        rtc->b = (value & B_SET) != 0 ? value & (uint8_t)~B_UIE : value;
        break;
    case REGISTER_C:
    case REGISTER_D: /* read-only */
        break;
    case SECOND:
        rtc->cmos[SECOND] = value & 0x7f;
        break;
    default:
        rtc->cmos[rtc->index] = value;
        break;
    }
    update_irq(rtc);
}

static void write_port(void *device, uint16_t port, unsigned size, uint32_t value, uint64_t now)
{
    struct rtc *rtc = device;

    (void)size;
    advance(rtc, now);
    if (port == PORT_INDEX) {
        rtc->index = value & INDEX_BITS;
        rtc->nmi_masked = (value & INDEX_NMI) != 0;
    } else {
        write_data(rtc, (uint8_t)value, now);
    }
}

static uint32_t read_port(void *device, uint16_t port, unsigned size, uint64_t now)
{
    struct rtc *rtc = device;
    uint8_t flags;

    (void)size;
    advance(rtc, now);
    if (port == PORT_INDEX)
        return 0xff; /* write-only */
    switch (rtc->index) {
    case REGISTER_A:
        return read_a(rtc, now);
    case REGISTER_B:
        return rtc->b;
    case REGISTER_C:
        flags = rtc->c;
        rtc->c = 0;
        update_irq(rtc);
        return flags;
    case REGISTER_D:
        return D_VRT;
    default:
        return rtc->cmos[rtc->index];
    }
}

void rtc_ports(struct rtc *rtc, struct device_ports ports[RTC_PORT_RANGES])
{
    ports[0] = (struct device_ports){.name = "rtc",
                                     .first = PORT_INDEX,
                                     .last = PORT_DATA,
                                     .width = 1,
                                     .device = rtc,
                                     .read = read_port,
                                     .write = write_port};
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next(const void *device)
{
    const struct rtc *rtc = device;
    uint64_t when = DEVICE_NEVER, ns;

    if (is_held(rtc) || (rtc->c & C_IRQF) != 0)
        return DEVICE_NEVER;
    if ((rtc->b & B_PIE) != 0 && period(rtc) != 0)
        when = ticks_add(rtc->divider_start, tick_begins((rtc->periods_done + 1) * period(rtc), CRYSTAL_HZ));
    if ((rtc->b & B_SET) == 0 && (rtc->b & (B_UIE | B_AIE)) != 0) {
        unsigned wait = (rtc->b & B_UIE) != 0 ? 1 : rtc_seconds_to_alarm(rtc);

        ns = (rtc->seconds_done + wait) * DEVICE_SECOND - rtc->divider_offset;
        if (wait != 0)
            when = earlier(when, ticks_add(rtc->divider_start, ns));
    }
    return when;
}

static void run(void *device, uint64_t now)
{
    advance(device, now);
}

struct device_timer rtc_timer(struct rtc *rtc)
{
    return (struct device_timer){.device = rtc, .next = next, .run = run};
}

void rtc_reset(struct rtc *rtc, const struct rtc_config *config, uint64_t now)
{
    struct rtc_time time = config->time;

    *rtc = (struct rtc){.irq = rtc->irq, .irq_level = rtc->irq_level, .divider_start = now};
    rtc->a = A_DEFAULT;
    rtc->b = B_24_HOURS;
    rtc->periods_done = 0;
    time.weekday = rtc_time_weekday(&time);
    rtc_write_time(rtc, &time);
    rtc_fill_cmos(rtc, config);
    update_irq(rtc);
}

void rtc_restart(struct rtc *rtc)
{
    rtc->b &= (uint8_t) ~(B_PIE | B_AIE | B_UIE | B_SQWE);
    rtc->c = 0;
    rtc->nmi_masked = false;
    update_irq(rtc);
}
