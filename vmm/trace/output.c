/* SPDX-License-Identifier: MIT */
/* Lines of text in a ring of bytes. No line goes over the ring's end: what is left there stays empty. */
#include "vmm/trace/output.h"
#include "arch/x86/memory.h"

#define FILLER UINT16_MAX /* `length` of what is no line: the next one is at the ring's beginning */

static struct trace_output_line *at(const struct trace_output *output, uint32_t place)
{
    return (struct trace_output_line *)(void *)(output->bytes + place % TRACE_OUTPUT_BYTES);
}

static uint32_t size_of(size_t length)
{
    return (uint32_t)(offsetof(struct trace_output_line, text) + length + 7) & ~UINT32_C(7);
}

/* Bytes from a place to the ring's end. */
static uint32_t left_behind(uint32_t place)
{
    return TRACE_OUTPUT_BYTES - place % TRACE_OUTPUT_BYTES;
}

bool trace_output_put(struct trace_output *output, const struct trace_output_line *line, const char *text,
                      size_t length)
{
    uint32_t head = output->head, left = left_behind(head), size, empty;
    struct trace_output_line *to;

    if (length > TRACE_TEXT_MAX)
        length = TRACE_TEXT_MAX;
    size = size_of(length);
    empty = size <= left ? 0 : left;
    if (TRACE_OUTPUT_BYTES - (head - __atomic_load_n(&output->tail, __ATOMIC_ACQUIRE)) < empty + size)
        return false;
    if (empty >= sizeof(*to))
        at(output, head)->length = FILLER;
    head += empty;
    to = at(output, head);
    to->tsc = line->tsc;
    to->mark = line->mark;
    to->vm = line->vm;
    to->length = (uint16_t)length;
    memcpy(to->text, text, length);
    __atomic_store_n(&output->head, head + size, __ATOMIC_RELEASE);
    return true;
}

/* Where the oldest line begins. There is one. */
static uint32_t oldest_place(const struct trace_output *output)
{
    uint32_t tail = output->tail, left = left_behind(tail);

    return left < sizeof(struct trace_output_line) || at(output, tail)->length == FILLER ? tail + left : tail;
}

const struct trace_output_line *trace_output_oldest(const struct trace_output *output)
{
    if (output->tail == __atomic_load_n(&output->head, __ATOMIC_ACQUIRE))
        return NULL;
    return at(output, oldest_place(output));
}

void trace_output_taken(struct trace_output *output)
{
    uint32_t place = oldest_place(output);

    __atomic_store_n(&output->tail, place + size_of(at(output, place)->length), __ATOMIC_RELEASE);
}
