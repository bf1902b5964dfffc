/* SPDX-License-Identifier: MIT */
/*
 * A counter of the 8254. The time between two events (a load, zero, the end of a half-cycle or of a strobe)
 * is a subtraction; whole periods of modes 2 and 3 are skipped at once.
 */
#include "vmm/devices/pit_counter.h"

#define ACCESS_LSB 1u
#define ACCESS_MSB 2u

#define STATUS_OUT        0x80u
#define STATUS_NULL_COUNT 0x40u

#define CONTROL_BCD    0x01u
#define CONTROL_MODE   0x07u
#define CONTROL_SHOWN  0x3fu /* in the status byte */
#define CONTROL_ACCESS 0x30u

/* The counting element's values: it wraps from 0 to the highest. */
static uint32_t range(const struct pit_counter *counter)
{
    return counter->bcd ? 10000 : 65536;
}

/* The count that CR stands for: 0 is the whole range. 1, illegal in modes 2 and 3, counts as 2 there. */
static uint32_t programmed_count(const struct pit_counter *counter)
{
    uint32_t count = counter->count_register;

    if (counter->bcd)
        count =
            ((count >> 12) * 1000 + (count >> 8 & 15) * 100 + (count >> 4 & 15) * 10 + (count & 15)) % 10000;
    if (count == 0)
        return range(counter);
    if (count == 1 && (counter->mode == 2 || counter->mode == 3))
        return 2;
    return count;
}

static uint16_t element_as_read(const struct pit_counter *counter)
{
    uint32_t value = counter->element % range(counter);

    if (!counter->bcd)
        return (uint16_t)value;
    return (uint16_t)(value / 1000 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 | value % 10);
}

static bool is_periodic(const struct pit_counter *counter)
{
    return counter->mode == 2 || counter->mode == 3;
}

/* GATE stops modes 0, 2, 3 and 4; in 1 and 5 it only triggers. */
static bool is_running(const struct pit_counter *counter)
{
    return counter->counting && (counter->gate || counter->mode == 1 || counter->mode == 5);
}

/* Ticks from `at` to the next event of the element itself: zero, or the end of a cycle or half-cycle. */
static uint64_t until_event(const struct pit_counter *counter)
{
    if (!is_running(counter))
        return PIT_NEVER;
    switch (counter->mode) {
    case 2: /* OUT is low while the element is 1 */
        return counter->element > 1 ? counter->element - 1 : 1;
    case 3: /* an odd count has one tick more in its high half */
        return counter->element / 2 + (counter->out ? counter->loaded % 2 : 0);
    default:
        return counter->pending ? counter->element : PIT_NEVER;
    }
}

static uint64_t next_event(const struct pit_counter *counter)
{
    uint64_t until = until_event(counter);
    uint64_t next = until == PIT_NEVER ? PIT_NEVER : counter->at + until;

    if (counter->load_at < next)
        next = counter->load_at;
    return counter->strobe_end < next ? counter->strobe_end : next;
}

static void load(struct pit_counter *counter)
{
    counter->loaded = programmed_count(counter);
    counter->element = counter->mode == 3 ? counter->loaded & ~UINT32_C(1) : counter->loaded;
    counter->null_count = false;
    counter->counting = true;
}

/* Counts down to `tick`, before which no event lies. */
static void count_to(struct pit_counter *counter, uint64_t tick)
{
    uint64_t ticks = tick - counter->at;

    counter->at = tick;
    if (!is_running(counter))
        return;
    if (counter->mode == 3)
        ticks *= 2;
    ticks %= range(counter);
    counter->element = (uint32_t)(counter->element >= ticks ? counter->element - ticks
                                                            : counter->element + range(counter) - ticks);
}

/* CR goes into the element: a trigger, or the first count. */
static void load_event(struct pit_counter *counter)
{
    counter->load_at = PIT_NEVER;
    load(counter);
    counter->pending = !is_periodic(counter);
    if (counter->mode == 1)
        counter->out = false;
    else if (is_periodic(counter))
        counter->out = true;
}

/* What until_event() foretold, at its tick. */
static void element_event(struct pit_counter *counter)
{
    switch (counter->mode) {
    case 2:
        counter->out = counter->element != 1;
        if (counter->out)
            load(counter);
        break;
    case 3:
        counter->out = !counter->out;
        load(counter);
        break;
    case 4:
    case 5:
        counter->pending = false;
        counter->out = false;
        counter->strobe_end = counter->at + 1;
        break;
    default:
        counter->pending = false;
        counter->out = true;
        break;
    }
}

/* Whole periods up to `tick`, if nothing but repetition lies before it. Returns their number. */
static uint64_t skip_periods(struct pit_counter *counter, uint64_t tick)
{
    uint64_t periods;

    if (!is_periodic(counter) || !is_running(counter) || counter->load_at != PIT_NEVER ||
        counter->loaded != programmed_count(counter))
        return 0;
    periods = (tick - counter->at) / counter->loaded;
    counter->at += periods * counter->loaded;
    if (periods > 0)
        counter->null_count = false;
    return periods;
}

uint64_t pit_counter_advance(struct pit_counter *counter, uint64_t tick)
{
    uint64_t rises = 0;

    while (counter->at < tick) {
        rises += skip_periods(counter, tick);

        uint64_t event = next_event(counter);
        bool out = counter->out;

        if (event > tick) {
            count_to(counter, tick);
            break;
        }

        bool element = counter->at + until_event(counter) == event && until_event(counter) != PIT_NEVER;

        count_to(counter, event);
        if (counter->strobe_end <= event) {
            counter->strobe_end = PIT_NEVER;
            counter->out = true;
        }
        if (element)
            element_event(counter);
        if (counter->load_at <= event)
            load_event(counter);
        rises += !out && counter->out;
    }
    return rises;
}

uint64_t pit_counter_next_edge(const struct pit_counter *counter)
{
    struct pit_counter later = *counter;

    /* A load comes before the edge that it leads to, and one half-cycle before a new count: no more than
     * these. */
    for (unsigned events = 0; events < 4; events++) {
        uint64_t event = next_event(&later);

        if (event == PIT_NEVER)
            return PIT_NEVER;
        (void)pit_counter_advance(&later, event);
        if (later.out != counter->out)
            return event;
    }
    return PIT_NEVER;
}

uint64_t pit_counter_period(const struct pit_counter *counter)
{
    return is_periodic(counter) ? counter->loaded : PIT_NEVER;
}

void pit_counter_reset(struct pit_counter *counter, uint64_t tick)
{
    bool gate = counter->gate;

    *counter = (struct pit_counter){.control = CONTROL_ACCESS,
                                    .access = ACCESS_LSB | ACCESS_MSB,
                                    .null_count = true,
                                    .at = tick,
                                    .gate = gate,
                                    .load_at = PIT_NEVER,
                                    .strobe_end = PIT_NEVER};
}

void pit_counter_control(struct pit_counter *counter, uint8_t control_word)
{
    uint32_t element = counter->element;

    pit_counter_reset(counter, counter->at);
    counter->element = element;
    counter->control = control_word & CONTROL_SHOWN;
    counter->access = control_word >> 4 & 3;
    counter->mode = control_word >> 1 & CONTROL_MODE;
    if (counter->mode > 5) /* bit 2 of modes 2 and 3 is a "don't care" */
        counter->mode -= 4;
    counter->bcd = (control_word & CONTROL_BCD) != 0;
    counter->element %= range(counter);
    counter->out = counter->mode != 0;
}

/* A whole count is in CR. */
static void count_written(struct pit_counter *counter)
{
    bool first = !counter->written;

    counter->written = true;
    counter->null_count = true;
    switch (counter->mode) {
    case 0:
        counter->out = false;
        counter->pending = false; /* the old count's zero may lie on the tick of the load */
        counter->load_at = counter->at + 1;
        break;
    case 2:
    case 3:
        if (first)
            counter->load_at = counter->at + 1;
        break;
    case 4:
        counter->load_at = counter->at + 1;
        break;
    default: /* waits for a trigger */
        break;
    }
}

void pit_counter_write(struct pit_counter *counter, uint8_t value)
{
    if (counter->access == ACCESS_LSB) {
        counter->count_register = value;
    } else if (counter->access == ACCESS_MSB) {
        counter->count_register = (uint16_t)(value << 8);
    } else if (!counter->write_msb) {
        /* CR holds back the first byte: what is reloaded meanwhile is the whole old count. */
        counter->first_byte = value;
        counter->write_msb = true;
        if (counter->mode == 0) {
            counter->counting = false;
            counter->pending = false;
            counter->load_at = PIT_NEVER;
            counter->out = false;
        }
        return;
    } else {
        counter->count_register = (uint16_t)(value << 8 | counter->first_byte);
        counter->write_msb = false;
    }
    count_written(counter);
}

uint8_t pit_counter_read(struct pit_counter *counter)
{
    uint16_t value = counter->count_latched ? counter->latched_count : element_as_read(counter);
    bool last = true;

    if (counter->status_latched) {
        counter->status_latched = false;
        return counter->latched_status;
    }
    if (counter->access == (ACCESS_LSB | ACCESS_MSB)) {
        last = counter->read_msb;
        counter->read_msb = !counter->read_msb;
        value = last ? value >> 8 : value;
    } else if (counter->access == ACCESS_MSB) {
        value >>= 8;
    }
    if (last)
        counter->count_latched = false;
    return (uint8_t)value;
}

void pit_counter_latch_count(struct pit_counter *counter)
{
    if (counter->count_latched)
        return;
    counter->count_latched = true;
    counter->latched_count = element_as_read(counter);
}

void pit_counter_latch_status(struct pit_counter *counter)
{
    if (counter->status_latched)
        return;
    counter->status_latched = true;
    counter->latched_status =
        (uint8_t)(counter->control | (counter->out ? STATUS_OUT : 0) |
                  (counter->null_count ? STATUS_NULL_COUNT : 0));
}

void pit_counter_gate(struct pit_counter *counter, bool level)
{
    bool rises = level && !counter->gate;

    counter->gate = level;
    if (!level && is_periodic(counter))
        counter->out = true;
    if (rises && counter->written && counter->mode != 0 && counter->mode != 4)
        counter->load_at = counter->at + 1;
}
