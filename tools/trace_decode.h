/* SPDX-License-Identifier: MIT */
/*
 * Reads a stream that carries trace frames (vmm/trace/frame.h) and perhaps text, byte by byte; it may begin
 * anywhere and be damaged. What does not check is not shown: after a loss a CPU's records come again from its
 * next key frame on, which says how many frames are missing.
 */
#ifndef TOOLS_TRACE_DECODE_H
#define TOOLS_TRACE_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/trace/frame.h"

#define TRACE_NAME_MAX     41u
#define TRACE_DECODER_CPUS 256u
#define TRACE_FRAME_UNITS  640u /* in one frame, at most; and bytes */
#define TRACE_DECODER_VMS  256u

struct trace_decoder_vm {
    char name[TRACE_NAME_MAX];
    uint64_t start_tsc;
};

struct trace_decoder;

/* What was read. Each may be NULL. */
struct trace_decoder_events {
    void (*text)(void *context, char character);
    /* A tidy record; its device's name is the decoder's and may go with the next byte. `vm` is NULL for a VM
     * without a name. */
    void (*record)(void *context, const struct trace_record *record, const struct trace_decoder_vm *vm);
    /* So many frames of this CPU are missing before what comes next; 0: so many bytes belong to no frame that
     * checks. */
    void (*missing)(void *context, uint32_t cpu, uint64_t frames);
};

struct trace_decoder_cpu {
    bool known; /* what is remembered is right, and the next frame's number */
    bool ever;  /* it was so once: then what is missing can be counted */
    struct trace_frame_cpu state;
    char devices[TRACE_FRAME_DEVICES][TRACE_NAME_MAX];
};

struct trace_decoder {
    const struct trace_decoder_events *events;
    void *context;
    struct trace_frame_stream stream;
    struct trace_decoder_cpu *cpus[TRACE_DECODER_CPUS];
    struct trace_decoder_vm *vms[TRACE_DECODER_VMS];
    bool in_frame;
    uint8_t bytes[TRACE_FRAME_UNITS];
    size_t count;

    /* How it went. */
    uint64_t records;
    uint64_t frames;  /* that checked */
    uint64_t damaged; /* frames that did not check, were cut, or came before their CPU's key frame */
    uint64_t missing; /* frames, by the numbers of key frames */
    uint64_t stray;   /* bytes with bit 7 set outside of frames */
};

void trace_decoder_init(struct trace_decoder *decoder, const struct trace_decoder_events *events,
                        void *context);
void trace_decoder_byte(struct trace_decoder *decoder, uint8_t byte);
/* The stream has ended. */
void trace_decoder_end(struct trace_decoder *decoder);
void trace_decoder_free(struct trace_decoder *decoder);

#endif
