/* SPDX-License-Identifier: MIT */
/* Decoded trace records as text, CSV, or the JSON that Perfetto's and Chrome's viewers open. */
#ifndef TOOLS_TRACE_WRITE_H
#define TOOLS_TRACE_WRITE_H

#include <stdbool.h>
#include <stdio.h>

#include "tools/trace_decode.h"

enum trace_write_format { TRACE_WRITE_TEXT, TRACE_WRITE_CSV, TRACE_WRITE_JSON };

struct trace_writer {
    FILE *file;
    enum trace_write_format format;
    const struct trace_decoder *decoder;
    char line[1024]; /* of the stream's own text, until it is whole */
    size_t length;
    bool begun;       /* JSON: there is an event already */
    uint32_t *tracks; /* JSON: those that were named, VM id and vCPU; the last one used first */
    size_t track_count;
};

/* What a decoder calls, with the writer as context. */
extern const struct trace_decoder_events trace_writer_events;

/* Writes what comes before all records. */
void trace_writer_begin(struct trace_writer *writer, FILE *file, enum trace_write_format format,
                        const struct trace_decoder *decoder);
/* Writes what comes after them. */
void trace_writer_end(struct trace_writer *writer);

#endif
