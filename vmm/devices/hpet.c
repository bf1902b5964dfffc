/* SPDX-License-Identifier: MIT */
/* The HPET. Names of registers and bits are those of its specification. */
#include "vmm/devices/hpet.h"

#include "vmm/devices/ticks.h"

/* Registers of 64 bits; those of timer n at TIMER + n * TIMER_STRIDE. */
#define GCAP_ID          0x000u
#define GEN_CONF         0x010u
#define GINTR_STA        0x020u
#define MAIN_CNT         0x0f0u
#define TIMER            0x100u
#define TIMER_STRIDE     0x020u
#define TIMER_CONFIG     0x000u
#define TIMER_COMPARATOR 0x008u

#define FEMTOSECONDS_PER_NS UINT64_C(1000000)
#define CAP_PERIOD          (HPET_TICK_NS * FEMTOSECONDS_PER_NS << 32)
#define CAP_VENDOR          (UINT64_C(0x8086) << 16)
#define CAP_LEGACY          (UINT64_C(1) << 15)
#define CAP_64_BIT          (UINT64_C(1) << 13)
#define CAP_TIMERS          ((HPET_TIMERS - 1) << 8)
#define CAP_REVISION        1u

#define CONF_ENABLE UINT64_C(0x1)
#define CONF_LEGACY UINT64_C(0x2)

#define TN_LEVEL       UINT64_C(0x2)
#define TN_INT_ENB     UINT64_C(0x4)
#define TN_PERIODIC    UINT64_C(0x8)
#define TN_CAPS        UINT64_C(0x30) /* periodic, 64 bits wide */
#define TN_VAL_SET     UINT64_C(0x40)
#define TN_32_BIT      UINT64_C(0x100)
#define TN_ROUTE_SHIFT 9
#define TN_ROUTE       (UINT64_C(0x1f) << TN_ROUTE_SHIFT)
#define TN_WRITABLE    (TN_LEVEL | TN_INT_ENB | TN_PERIODIC | TN_VAL_SET | TN_32_BIT)
#define TN_ROUTES      UINT64_C(0x00f00000) /* pins 20 to 23 */

static uint64_t width_mask(const struct hpet_comparator *timer)
{
    return (timer->config & TN_32_BIT) != 0 ? UINT32_MAX : UINT64_MAX;
}

static bool is_enabled(const struct hpet *hpet)
{
    return (hpet->config & CONF_ENABLE) != 0;
}

/* --- Lines --- */

static void set_line(struct hpet *hpet, unsigned index, bool level)
{
    struct hpet_comparator *timer = &hpet->timers[index];
    unsigned pin = (unsigned)((timer->config & TN_ROUTE) >> TN_ROUTE_SHIFT);
    struct device_line line = hpet->pins;

    if (timer->line_level == level)
        return;
    timer->line_level = level;
    line.number += pin;
    if ((hpet->config & CONF_LEGACY) != 0 && index < 2)
        device_line_set(&hpet->legacy[index], level);
    else if ((TN_ROUTES >> pin & 1) != 0)
        device_line_set(&line, level);
}

/* Level-triggered lines as status says; edge-triggered ones stay. */
static void show_levels(struct hpet *hpet)
{
    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        uint64_t config = hpet->timers[i].config;

        if ((config & TN_LEVEL) != 0)
            set_line(hpet, i, is_enabled(hpet) && (config & TN_INT_ENB) != 0 && (hpet->status >> i & 1) != 0);
    }
}

static void match(struct hpet *hpet, unsigned index)
{
    uint64_t config = hpet->timers[index].config;

    if ((config & TN_LEVEL) != 0) {
        hpet->status |= UINT64_C(1) << index;
    } else if ((config & TN_INT_ENB) != 0) {
        set_line(hpet, index, false);
        set_line(hpet, index, true);
    }
}

/* --- Time --- */

/* Ticks until the counter reaches the comparator; one that it stands at is a whole round away. 0: never. */
static uint64_t until_match(const struct hpet *hpet, const struct hpet_comparator *timer)
{
    uint64_t mask = width_mask(timer), distance = (timer->comparator - hpet->counter) & mask;

    return distance != 0 ? distance : mask + 1; /* a round of 64 bits is 0 */
}

static bool is_periodic(const struct hpet_comparator *timer)
{
    return (timer->config & TN_PERIODIC) != 0 && timer->period != 0;
}

/* Of a periodic one; what is longer than the least period is long enough. */
static uint64_t period_ns(const struct hpet_comparator *timer)
{
    return timer->period < DEVICE_LEAST_PERIOD ? timer->period * HPET_TICK_NS : DEVICE_LEAST_PERIOD;
}

static void pass_ticks(struct hpet *hpet, unsigned index, uint64_t ticks, uint64_t now)
{
    struct hpet_comparator *timer = &hpet->timers[index];
    uint64_t distance = until_match(hpet, timer);

    if (distance == 0 || ticks < distance)
        return;
    if (is_periodic(timer)) {
        uint64_t matches = 1 + (ticks - distance) / timer->period;

        timer->comparator = (timer->comparator + matches * timer->period) & width_mask(timer);
        if (!device_period_interrupts(period_ns(timer), timer->matched, now))
            return;
        timer->matched = now;
    }
    match(hpet, index);
}

static __attribute__((noinline)) void advance_running(struct hpet *hpet, uint64_t now)
{
    uint64_t ticks = now > hpet->counted ? (now - hpet->counted) / HPET_TICK_NS : 0;

    if (ticks == 0)
        return;
    for (unsigned i = 0; i < HPET_TIMERS; i++)
        pass_ticks(hpet, i, ticks, now);
    hpet->counter += ticks;
    hpet->counted += ticks * HPET_TICK_NS;
    show_levels(hpet);
}

static inline void advance(struct hpet *hpet, uint64_t now)
{
    if (is_enabled(hpet))
        advance_running(hpet, now);
}

/* The moment of its next match, DEVICE_NEVER for none. */
static uint64_t next_match(const struct hpet *hpet, const struct hpet_comparator *timer)
{
    uint64_t ticks = until_match(hpet, timer), moment;

    if (ticks == 0 || ticks > UINT64_MAX / HPET_TICK_NS)
        return DEVICE_NEVER;
    moment = ticks_add(hpet->counted, ticks * HPET_TICK_NS);
    return is_periodic(timer) ? device_period_next(period_ns(timer), timer->matched, moment) : moment;
}

static uint64_t next(const void *device)
{
    const struct hpet *hpet = device;
    uint64_t earliest = DEVICE_NEVER;

    for (unsigned i = 0; is_enabled(hpet) && i < HPET_TIMERS; i++) {
        const struct hpet_comparator *timer = &hpet->timers[i];
        bool shown = (timer->config & TN_LEVEL) != 0 && (hpet->status >> i & 1) != 0;
        uint64_t moment =
            (timer->config & TN_INT_ENB) != 0 && !shown ? next_match(hpet, timer) : DEVICE_NEVER;

        earliest = moment < earliest ? moment : earliest;
    }
    return earliest;
}

static void run(void *device, uint64_t now)
{
    advance(device, now);
}

struct device_timer hpet_timer(struct hpet *hpet)
{
    return (struct device_timer){.device = hpet, .next = next, .run = run};
}

/* --- Registers --- */

static uint64_t merge(uint64_t old, uint64_t value, uint64_t written)
{
    return (old & ~written) | (value & written);
}

static void write_general_config(struct hpet *hpet, uint64_t value, uint64_t now)
{
    bool was_enabled = is_enabled(hpet);

    for (unsigned i = 0; i < HPET_TIMERS; i++) {
        if (((value ^ hpet->config) & CONF_LEGACY) != 0 || (value & CONF_ENABLE) == 0)
            set_line(hpet, i, false);
    }
    hpet->config = value & (CONF_ENABLE | CONF_LEGACY);
    if (!was_enabled)
        hpet->counted = now;
    device_line_set(&hpet->legacy_replacement, (hpet->config & CONF_LEGACY) != 0);
    show_levels(hpet);
}

/* A pin that is not offered changes nothing: the guest sees it by reading back. */
static void write_timer_config(struct hpet *hpet, unsigned index, uint64_t value)
{
    struct hpet_comparator *timer = &hpet->timers[index];
    uint64_t route = value & TN_ROUTE;

    if ((TN_ROUTES >> (route >> TN_ROUTE_SHIFT) & 1) == 0)
        route = timer->config & TN_ROUTE;
    value = (value & TN_WRITABLE) | route;
    if (((value ^ timer->config) & (TN_ROUTE | TN_LEVEL)) != 0 || (value & TN_INT_ENB) == 0)
        set_line(hpet, index, false);
    if ((value & TN_LEVEL) == 0)
        hpet->status &= ~(UINT64_C(1) << index);
    timer->config = value;
    timer->comparator &= width_mask(timer);
    timer->period &= width_mask(timer);
    show_levels(hpet);
}

/* Of a periodic timer a write sets the period; with VAL_SET, which it uses up, the next match as well. */
static void write_comparator(struct hpet_comparator *timer, uint64_t value, uint64_t written)
{
    bool periodic = (timer->config & TN_PERIODIC) != 0;

    if (!periodic || (timer->config & TN_VAL_SET) != 0)
        timer->comparator = merge(timer->comparator, value, written) & width_mask(timer);
    timer->period = merge(timer->period, value, written) & width_mask(timer);
    timer->config &= ~TN_VAL_SET;
}

static uint64_t read_register(const struct hpet *hpet, uint64_t offset)
{
    uint64_t index = (offset - TIMER) / TIMER_STRIDE;

    switch (offset) {
    case GCAP_ID:
        return CAP_PERIOD | CAP_VENDOR | CAP_LEGACY | CAP_64_BIT | CAP_TIMERS | CAP_REVISION;
    case GEN_CONF:
        return hpet->config;
    case GINTR_STA:
        return hpet->status;
    case MAIN_CNT:
        return hpet->counter;
    default:
        break;
    }
    if (offset < TIMER || index >= HPET_TIMERS)
        return 0;
    if (offset % TIMER_STRIDE == TIMER_CONFIG)
        return (hpet->timers[index].config & ~TN_VAL_SET) | TN_CAPS | TN_ROUTES << 32;
    return offset % TIMER_STRIDE == TIMER_COMPARATOR ? hpet->timers[index].comparator : 0;
}

static void write_register(struct hpet *hpet, uint64_t offset, uint64_t value, uint64_t written, uint64_t now)
{
    uint64_t index = (offset - TIMER) / TIMER_STRIDE;

    switch (offset) {
    case GEN_CONF:
        write_general_config(hpet, merge(hpet->config, value, written), now);
        return;
    case GINTR_STA:
        hpet->status &= ~(value & written);
        show_levels(hpet);
        return;
    case MAIN_CNT:
        hpet->counter = merge(hpet->counter, value, written);
        hpet->counted = now;
        return;
    default:
        break;
    }
    if (offset < TIMER || index >= HPET_TIMERS)
        return;
    if (offset % TIMER_STRIDE == TIMER_CONFIG)
        write_timer_config(hpet, (unsigned)index, merge(hpet->timers[index].config, value, written));
    else if (offset % TIMER_STRIDE == TIMER_COMPARATOR)
        write_comparator(&hpet->timers[index], value, written);
}

static uint64_t read_memory(void *device, uint64_t offset, unsigned size, uint64_t now)
{
    struct hpet *hpet = device;
    uint64_t value;

    advance(hpet, now);
    value = read_register(hpet, offset & ~UINT64_C(7)) >> (offset & 7) * 8;
    return size < 8 ? value & ((UINT64_C(1) << size * 8) - 1) : value;
}

/* The specification knows aligned accesses of 4 and 8 bytes; other writes do nothing. */
static void write_memory(void *device, uint64_t offset, unsigned size, uint64_t value, uint64_t now)
{
    struct hpet *hpet = device;
    unsigned shift = (unsigned)(offset & 7) * 8;

    advance(hpet, now);
    if (size < 4 || offset % size != 0)
        return;
    write_register(hpet, offset & ~UINT64_C(7), value << shift,
                   (size == 8 ? UINT64_MAX : UINT32_MAX) << shift, now);
}

struct device_memory hpet_memory(struct hpet *hpet)
{
    return (struct device_memory){.name = "hpet",
                                  .gpa = HPET_GPA,
                                  .size = HPET_SIZE,
                                  .device = hpet,
                                  .read = read_memory,
                                  .write = write_memory};
}

void hpet_reset(struct hpet *hpet, uint64_t now)
{
    write_general_config(hpet, 0, now);
    hpet->status = hpet->counter = 0;
    hpet->counted = now;
    for (unsigned i = 0; i < HPET_TIMERS; i++)
        hpet->timers[i] = (struct hpet_comparator){.comparator = UINT64_MAX};
}
