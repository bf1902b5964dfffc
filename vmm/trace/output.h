/* SPDX-License-Identifier: MIT */
/*
 * A CPU's ring of lines that its guests have printed. Beside the ring of exits, so that an exit's record is
 * small and a flood of exits drops no text. One producer, the CPU; one consumer at a time. Pure.
 */
#ifndef VMM_TRACE_OUTPUT_H
#define VMM_TRACE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/trace/record.h"

#define TRACE_OUTPUT_BYTES 0x8000u /* a power of two */
#define TRACE_TEXT_MAX     1056u   /* characters of a line; what is longer is cut */

/* As it stands in the ring, its text behind it. The next one begins at a multiple of 8. */
struct trace_output_line {
    uint64_t tsc;
    const struct trace_record
        *mark; /* the exits before this line are those that were published before `held` was this */
    uint16_t vm;
    uint16_t length;
    char text[];
};

/* The most lines in a ring: all are empty. */
#define TRACE_OUTPUT_LINES (TRACE_OUTPUT_BYTES / sizeof(struct trace_output_line))

/* `head`, `tail` and `until` count bytes from the ring's beginning, without end. */
struct trace_output {
    uint8_t *bytes; /* TRACE_OUTPUT_BYTES, aligned to 8; NULL: none, and what is printed is lost */
    uint32_t head;  /* atomic: next to write; only the CPU writes it */
    uint32_t tail;  /* atomic: next to read; only the consumer writes it */
    uint32_t until; /* the consumer's: trace_output_mark() */
};

/* Bytes that are free. The producer; the consumer makes them more. */
static inline uint32_t trace_output_room(const struct trace_output *output)
{
    return TRACE_OUTPUT_BYTES - (output->head - __atomic_load_n(&output->tail, __ATOMIC_ACQUIRE));
}

/* Adds a line: `line` but for its length, and the text. false: no room. The producer. */
bool trace_output_put(struct trace_output *output, const struct trace_output_line *line, const char *text,
                      size_t length);

/* NULL: there is none. It stays until trace_output_taken(). The consumer. */
const struct trace_output_line *trace_output_oldest(const struct trace_output *output);
void trace_output_taken(struct trace_output *output);

/* Remembers what is there now; then, whether all that was there has been taken. The consumer. */
static inline void trace_output_mark(struct trace_output *output)
{
    output->until = __atomic_load_n(&output->head, __ATOMIC_ACQUIRE);
}

static inline bool trace_output_at_mark(const struct trace_output *output)
{
    return output->tail == output->until;
}

#endif
