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

#include "vmm/trace_record.h"

#define TRACE_OUTPUT_LINES 256u /* a power of two */
#define TRACE_TEXT_LENGTH  104

struct trace_output_line {
    uint64_t tsc;
    const struct trace_record
        *mark; /* the exits before this line are those that were published before `held` was this */
    uint16_t vm;
    uint8_t length;
    char text[TRACE_TEXT_LENGTH];
};

struct trace_output {
    struct trace_output_line *lines; /* TRACE_OUTPUT_LINES of them; NULL: none, and what is printed is lost */
    uint32_t head;                   /* atomic: next to write; only the CPU writes it */
    uint32_t tail;                   /* atomic: next to read; only the consumer writes it */
};

/* false: no room. The producer. */
static inline bool trace_output_put(struct trace_output *output, const struct trace_output_line *line)
{
    if (output->head - __atomic_load_n(&output->tail, __ATOMIC_ACQUIRE) == TRACE_OUTPUT_LINES)
        return false;
    output->lines[output->head % TRACE_OUTPUT_LINES] = *line;
    __atomic_store_n(&output->head, output->head + 1, __ATOMIC_RELEASE);
    return true;
}

/* NULL: there is none. It stays until trace_output_taken(). The consumer. */
static inline const struct trace_output_line *trace_output_oldest(const struct trace_output *output)
{
    if (output->lines == NULL || output->tail == __atomic_load_n(&output->head, __ATOMIC_ACQUIRE))
        return NULL;
    return &output->lines[output->tail % TRACE_OUTPUT_LINES];
}

static inline void trace_output_taken(struct trace_output *output)
{
    __atomic_store_n(&output->tail, output->tail + 1, __ATOMIC_RELEASE);
}

#endif
