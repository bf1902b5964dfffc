/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: tools/trace_decode.c and tools/trace_write.c on any bytes. The first byte says in which form it
 * is written. What the decoder makes records of must survive being encoded and decoded again.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/trace_write.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

struct again {
    struct trace_frame_stream stream;
    struct trace_frame_cpu *cpus[TRACE_DECODER_CPUS];
    struct trace_decoder decoder;
    const struct trace_record *sent;
    unsigned received;
};

static void on_again(void *context, const struct trace_record *record, const struct trace_decoder_vm *vm)
{
    struct again *again = context;
    struct trace_record x = *record, y = *again->sent;

    (void)vm;
    require((x.device == NULL) == (y.device == NULL));
    x.device = y.device = NULL;
    if (x.source.kind != TRACE_EXIT)
        y.source.vm = y.source.vcpu = 0;
    require(memcmp(&x, &y, sizeof(x)) == 0);
    again->received++;
}

static const struct trace_decoder_events again_events = {.record = on_again};
static const struct trace_decoder_events *write_events = &trace_writer_events;
static struct trace_writer writer;
static struct again *again;

static void on_record(void *context, const struct trace_record *record, const struct trace_decoder_vm *vm)
{
    uint8_t bytes[TRACE_FRAMES_MAX];
    struct trace_record tidy = *record;
    size_t length;

    require(record->reason < TRACE_FRAME_REASONS && record->source.cpu < TRACE_DECODER_CPUS);
    trace_record_tidy(&tidy);
    require(memcmp(&tidy, record, sizeof(tidy)) == 0);
    write_events->record(context, record, vm);

    if (again->cpus[record->source.cpu] == NULL)
        again->cpus[record->source.cpu] = calloc(1, sizeof(struct trace_frame_cpu));
    if (tidy.device != NULL)
        tidy.device = "device"; /* the encoder keeps it */
    again->sent = &tidy;
    again->received = 0;
    length = trace_frame_encode(&again->stream, again->cpus[record->source.cpu], &tidy, "vm", 1, bytes);
    require(length <= sizeof(bytes));
    for (size_t i = 0; i < length; i++)
        trace_decoder_byte(&again->decoder, bytes[i]);
    require(again->received == 1 && again->decoder.damaged == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace_decoder_events events = trace_writer_events;
    static struct trace_decoder decoder;
    char *text = NULL;
    size_t length;
    FILE *file;

    if (size == 0)
        return 0;
    file = open_memstream(&text, &length);
    again = calloc(1, sizeof(*again));
    require(file != NULL && again != NULL);
    again->stream.cpu = TRACE_FRAME_NO_CPU;
    trace_decoder_init(&again->decoder, &again_events, again);
    events.record = on_record;
    events.missing = NULL;
    trace_decoder_init(&decoder, &events, &writer);
    trace_writer_begin(&writer, file, data[0] % 3, &decoder);
    for (size_t i = 1; i < size; i++)
        trace_decoder_byte(&decoder, data[i]);
    trace_decoder_end(&decoder);
    trace_writer_end(&writer);
    fclose(file);
    free(text);
    trace_decoder_free(&decoder);
    trace_decoder_free(&again->decoder);
    for (size_t i = 0; i < TRACE_DECODER_CPUS; i++)
        free(again->cpus[i]);
    free(again);
    return 0;
}
