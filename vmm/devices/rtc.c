/* SPDX-License-Identifier: MIT */
/*
 * The MC146818. Its divider chain decides everything: an update ends at each whole second of it, a period at
 * each multiple of 2^n ticks of 32.768 kHz. What has passed is made up for when somebody looks.
 */
#include "vmm/devices/rtc.h"

#include "vmm/devices/ticks.h"

#define PORT_INDEX 0x70u
#define PORT_DATA  0x71u
#define INDEX_BITS 0x7fu
#define INDEX_NMI  0x80u

/* CMOS bytes. */
#define SECOND       0x00u
#define SECOND_ALARM 0x01u
#define MINUTE       0x02u
#define MINUTE_ALARM 0x03u
#define HOUR         0x04u
#define HOUR_ALARM   0x05u
#define WEEKDAY      0x06u
#define DAY          0x07u
#define MONTH        0x08u
#define YEAR         0x09u
#define REGISTER_A   0x0au
#define REGISTER_B   0x0bu
#define REGISTER_C   0x0cu
#define REGISTER_D   0x0du
#define CENTURY      0x32u

#define A_UIP      0x80u
#define A_DIVIDER  0x70u
#define A_HELD     0x60u /* both upper bits of DV: the chain is held at zero */
#define A_RATE     0x0fu
#define A_DEFAULT  0x26u /* 32.768 kHz, 1024 Hz */
#define B_24_HOURS 0x02u
#define B_BINARY   0x04u
#define B_UIE      0x10u
#define B_AIE      0x20u
#define B_PIE      0x40u
#define B_SET      0x80u
#define C_UF       0x10u
#define C_AF       0x20u
#define C_PF       0x40u
#define C_IRQF     0x80u
#define D_VRT      0x80u
#define HOUR_PM    0x80u
#define DONT_CARE  0xc0u

#define CRYSTAL_HZ  32768u
#define DAY_SECONDS 86400u
/* UIP rises 244 us before an update, which takes 1984 us. */
#define UPDATE_NS 2228000u

static uint8_t encode(const struct rtc *rtc, unsigned value)
{
    return (uint8_t)((rtc->b & B_BINARY) != 0 ? value : value / 10 << 4 | value % 10);
}

static unsigned decode(const struct rtc *rtc, uint8_t byte)
{
    return (rtc->b & B_BINARY) != 0 ? byte : (byte >> 4) * 10u + (byte & 15u);
}

static uint8_t encode_hour(const struct rtc *rtc, unsigned hour)
{
    if ((rtc->b & B_24_HOURS) != 0)
        return encode(rtc, hour);
    return (uint8_t)(encode(rtc, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? HOUR_PM : 0));
}

static unsigned decode_hour(const struct rtc *rtc, uint8_t byte)
{
    if ((rtc->b & B_24_HOURS) != 0)
        return decode(rtc, byte);
    return decode(rtc, byte & (uint8_t)~HOUR_PM) % 12 + ((byte & HOUR_PM) != 0 ? 12 : 0);
}

static struct rtc_time read_time(const struct rtc *rtc)
{
    const uint8_t *cmos = rtc->cmos;

    return (struct rtc_time){.year = (uint16_t)(decode(rtc, cmos[CENTURY]) * 100 + decode(rtc, cmos[YEAR])),
                             .month = (uint8_t)decode(rtc, cmos[MONTH]),
                             .day = (uint8_t)decode(rtc, cmos[DAY]),
                             .hour = (uint8_t)decode_hour(rtc, cmos[HOUR]),
                             .minute = (uint8_t)decode(rtc, cmos[MINUTE]),
                             .second = (uint8_t)decode(rtc, cmos[SECOND]),
                             .weekday = (uint8_t)decode(rtc, cmos[WEEKDAY])};
}

static void write_time(struct rtc *rtc, const struct rtc_time *time)
{
    rtc->cmos[SECOND] = encode(rtc, time->second);
    rtc->cmos[MINUTE] = encode(rtc, time->minute);
    rtc->cmos[HOUR] = encode_hour(rtc, time->hour);
    rtc->cmos[WEEKDAY] = encode(rtc, time->weekday);
    rtc->cmos[DAY] = encode(rtc, time->day);
    rtc->cmos[MONTH] = encode(rtc, time->month);
    rtc->cmos[YEAR] = encode(rtc, time->year % 100u);
    rtc->cmos[CENTURY] = encode(rtc, time->year / 100u);
}

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

static bool alarm_part(const struct rtc *rtc, unsigned alarm, unsigned value)
{
    uint8_t byte = rtc->cmos[alarm];

    if ((byte & DONT_CARE) == DONT_CARE)
        return true;
    return value == (alarm == HOUR_ALARM ? decode_hour(rtc, byte) : decode(rtc, byte));
}

static bool alarm_is_possible(const struct rtc *rtc)
{
    static const uint8_t parts[3] = {SECOND_ALARM, MINUTE_ALARM, HOUR_ALARM};

    for (unsigned i = 0; i < 3; i++) {
        uint8_t byte = rtc->cmos[parts[i]];
        unsigned value = parts[i] == HOUR_ALARM ? decode_hour(rtc, byte) : decode(rtc, byte);

        if ((byte & DONT_CARE) != DONT_CARE && value > (parts[i] == HOUR_ALARM ? 23 : 59))
            return false;
    }
    return true;
}

/* Seconds, 1 to 86400, until the alarm is next equal to the time; 0 if it never is. Skips what cannot be. */
static unsigned seconds_to_alarm(const struct rtc *rtc)
{
    struct rtc_time time = read_time(rtc);
    unsigned start, wait = 1;

    if (!alarm_is_possible(rtc))
        return 0;
    rtc_time_add(&time, 0);
    start = time.hour * 3600u + time.minute * 60u + time.second;
    while (wait <= DAY_SECONDS) {
        unsigned at = (start + wait) % DAY_SECONDS;

        if (!alarm_part(rtc, HOUR_ALARM, at / 3600))
            wait += 3600 - at % 3600;
        else if (!alarm_part(rtc, MINUTE_ALARM, at / 60 % 60))
            wait += 60 - at % 60;
        else if (!alarm_part(rtc, SECOND_ALARM, at % 60))
            wait++;
        else
            return wait;
    }
    return 0;
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
    struct rtc_time time = read_time(rtc);
    unsigned wait = seconds_to_alarm(rtc);

    if (wait != 0 && wait <= seconds)
        rtc->c |= C_AF;
    rtc_time_add(&time, seconds);
    write_time(rtc, &time);
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
        unsigned wait = (rtc->b & B_UIE) != 0 ? 1 : seconds_to_alarm(rtc);

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
    write_time(rtc, &time);
    rtc_fill_cmos(rtc, config);
    update_irq(rtc);
}
