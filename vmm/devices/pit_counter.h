/* SPDX-License-Identifier: MIT */
/*
 * One counter of an 8254, in ticks of its CLK. It is computed, not clocked: any distance of time costs the
 * same. Intel's data sheet "82C54 CHMOS Programmable Interval Timer", "Mode Definitions".
 */
#ifndef VMM_DEVICES_PIT_COUNTER_H
#define VMM_DEVICES_PIT_COUNTER_H

#include <stdbool.h>
#include <stdint.h>

#define PIT_NEVER UINT64_MAX

struct pit_counter {
    /* Programmed. */
    uint8_t control; /* bits 5:0 of the control word, as the status byte shows them */
    uint8_t mode;    /* what they mean: 0 to 5 */
    uint8_t access;  /* 1 LSB, 2 MSB, 3 LSB then MSB */
    bool bcd;
    uint16_t count_register;  /* CR, as it was written */
    bool null_count;          /* CR is not yet in the counting element */
    uint8_t first_byte;       /* access 3: written, not yet in CR */
    bool write_msb, read_msb; /* access 3: the second byte is next */

    /* Latched. */
    bool count_latched, status_latched;
    uint16_t latched_count;
    uint8_t latched_status;

    /* Counting: all of it as of the tick `at`. */
    uint64_t at;
    bool gate, out;
    bool written;        /* a count since the control word: triggers are heeded */
    bool counting;       /* the counting element has been loaded */
    bool pending;        /* modes 0, 1, 4, 5: OUT still changes when zero is reached */
    uint32_t element;    /* CE, 0 to 65536 (BCD: to 10000) */
    uint32_t loaded;     /* the count that the element was loaded from: modes 2 and 3 repeat it */
    uint64_t load_at;    /* tick at which CR goes into the element; PIT_NEVER */
    uint64_t strobe_end; /* modes 4 and 5: tick at which OUT goes high again; PIT_NEVER */
};

void pit_counter_reset(struct pit_counter *counter, uint64_t tick);

/* Moves on to `tick`; an earlier one changes nothing. Returns how often OUT has risen on the way. */
uint64_t pit_counter_advance(struct pit_counter *counter, uint64_t tick);
/* The first tick after `at` at which OUT changes by itself; PIT_NEVER. */
uint64_t pit_counter_next_edge(const struct pit_counter *counter);

/* Ticks of a period of OUT; PIT_NEVER in modes that do not repeat. */
uint64_t pit_counter_period(const struct pit_counter *counter);

/* Of a counter that was advanced to the tick of the access: */
void pit_counter_control(struct pit_counter *counter, uint8_t control_word); /* access, mode, bcd */
void pit_counter_write(struct pit_counter *counter, uint8_t value);
uint8_t pit_counter_read(struct pit_counter *counter);
void pit_counter_latch_count(struct pit_counter *counter);
void pit_counter_latch_status(struct pit_counter *counter);
void pit_counter_gate(struct pit_counter *counter, bool level);

#endif
