/* SPDX-License-Identifier: MIT */
/* Trace frames to records. */
#include "tools/trace_decode.h"

#include <stdlib.h>
#include <string.h>

#include "arch/x86/exit_reason.h"

/* The units of a frame, being read. */
struct reader {
    const uint8_t *units;
    size_t count, at;
    bool bad; /* there was less than was wanted */
};

static uint8_t unit(struct reader *reader)
{
    if (reader->at >= reader->count) {
        reader->bad = true;
        return 0;
    }
    return reader->units[reader->at++];
}

static uint64_t number(struct reader *reader)
{
    uint64_t value = 0;

    for (unsigned shift = 0; shift < 66; shift += 6) {
        uint8_t digit = unit(reader);

        value |= (uint64_t)(digit & 63) << shift;
        if (!(digit & 0x40))
            return value;
    }
    reader->bad = true;
    return 0;
}

static uint64_t difference(struct reader *reader, uint64_t before)
{
    return before + trace_frame_unzigzag(number(reader));
}

static void name(struct reader *reader, char out[TRACE_NAME_MAX])
{
    uint64_t length = number(reader);

    if (length >= TRACE_NAME_MAX) {
        reader->bad = true;
        length = 0;
    }
    for (uint64_t i = 0; i < length; i++) {
        uint8_t character = unit(reader);

        out[i] = character >= 0x20 && character < 0x7f ? (char)character : '?';
    }
    out[length] = '\0';
}

void trace_decoder_init(struct trace_decoder *decoder, const struct trace_decoder_events *events,
                        void *context)
{
    memset(decoder, 0, sizeof(*decoder));
    decoder->events = events;
    decoder->context = context;
    decoder->stream.cpu = TRACE_FRAME_NO_CPU;
}

void trace_decoder_free(struct trace_decoder *decoder)
{
    for (size_t i = 0; i < TRACE_DECODER_CPUS; i++)
        free(decoder->cpus[i]);
    for (size_t i = 0; i < TRACE_DECODER_VMS; i++)
        free(decoder->vms[i]);
}

static void give(struct trace_decoder *decoder, const struct trace_record *record)
{
    decoder->records++;
    if (decoder->events->record != NULL)
        decoder->events->record(decoder->context, record,
                                record->source.vm < TRACE_DECODER_VMS ? decoder->vms[record->source.vm]
                                                                      : NULL);
}

static void *allocate(size_t size)
{
    void *memory = calloc(1, size);

    if (memory == NULL)
        abort();
    return memory;
}

static void read_key(struct trace_decoder *decoder, uint32_t index, struct reader *reader)
{
    uint64_t version = number(reader), frame = number(reader), tsc = number(reader), khz = number(reader);
    struct trace_decoder_cpu *cpu;
    uint32_t missing;

    if (reader->bad || version != TRACE_FRAME_VERSION || index >= TRACE_DECODER_CPUS)
        return;
    if (decoder->cpus[index] == NULL)
        decoder->cpus[index] = allocate(sizeof(**decoder->cpus));
    cpu = decoder->cpus[index];
    missing = (uint32_t)frame - cpu->state.number;
    if (missing > UINT32_MAX / 2) { /* another stream: the machine was started again */
        cpu->ever = false;
        cpu->state.number = 0;
    }
    if (cpu->ever ? missing != 0 : frame != 0) {
        decoder->missing += cpu->ever ? missing : 0;
        if (decoder->events->missing != NULL)
            decoder->events->missing(decoder->context, index, cpu->ever ? missing : 0);
    }
    cpu->known = cpu->ever = true;
    cpu->state.number = (uint32_t)frame;
    trace_frame_forget(&cpu->state, tsc);
    decoder->stream.tsc_khz = (uint32_t)khz;
}

static void read_vm(struct trace_decoder *decoder, struct reader *reader)
{
    struct trace_decoder_vm vm;
    uint64_t id = number(reader);

    vm.start_tsc = number(reader);
    name(reader, vm.name);
    if (reader->bad || id >= TRACE_DECODER_VMS)
        return;
    if (decoder->vms[id] == NULL)
        decoder->vms[id] = allocate(sizeof(vm));
    *decoder->vms[id] = vm;
}

static void read_missing(struct trace_decoder *decoder, uint32_t index, struct trace_decoder_cpu *cpu,
                         enum trace_kind kind, struct reader *reader)
{
    struct trace_record record = {.source = {.kind = (uint16_t)kind, .cpu = (uint16_t)index}};

    record.tsc = cpu->state.tsc + number(reader);
    record.count = number(reader);
    if (reader->bad)
        return;
    cpu->state.tsc = record.tsc;
    give(decoder, &record);
}

static void read_kind(struct trace_decoder *decoder, uint32_t index, uint8_t head, struct reader *reader)
{
    struct trace_decoder_cpu *cpu = decoder->cpus[index];

    switch (head >> 1 & 31) {
    case FRAME_VM:
        read_vm(decoder, reader);
        break;
    case FRAME_DEVICE:
        if (cpu->state.device_count < TRACE_FRAME_DEVICES)
            name(reader, cpu->devices[cpu->state.device_count++]);
        break;
    case FRAME_LOST:
        read_missing(decoder, index, cpu, TRACE_LOST, reader);
        break;
    case FRAME_SUPPRESSED:
        read_missing(decoder, index, cpu, TRACE_SUPPRESSED, reader);
        break;
    default: /* of a later version */
        break;
    }
}

static void read_result(struct trace_decoder_cpu *cpu, struct trace_record *record, uint16_t *device,
                        struct reader *reader)
{
    struct trace_result *result = &record->result;

    *result = (struct trace_result){.code = (uint8_t)number(reader)};
    *device = 0;
    if (result->code == RESULT_MAP || result->code == RESULT_REPAIR) {
        result->level = (uint8_t)number(reader);
        result->type = (uint8_t)number(reader);
    } else if (result->code == RESULT_INJECT || result->code == RESULT_REINJECT) {
        result->vector = (uint8_t)number(reader);
    } else if (result->code == RESULT_DEVICE) {
        *device = (uint16_t)number(reader);
    }
    reader->bad |= *device >= TRACE_FRAME_DEVICES ||
                   (result->code == RESULT_DEVICE && *device >= cpu->state.device_count);
}

static void read_fields(struct trace_record *record, uint8_t more, struct reader *reader)
{
    if (more & MORE_QUALIFICATION)
        record->qualification ^= number(reader);
    if (more & MORE_PHYSICAL)
        record->guest_physical_address = difference(reader, record->guest_physical_address);
    record->guest_linear_address = record->guest_physical_address;
    if (more & MORE_LINEAR)
        record->guest_linear_address = difference(reader, record->guest_physical_address);
    if (more & MORE_WORD)
        record->word ^= number(reader);
    if (more & MORE_VALUE)
        record->value = number(reader);
    if (more & MORE_FOLDED)
        record->folded = (uint32_t)number(reader);
}

static void read_exit(struct trace_decoder *decoder, uint32_t index, uint8_t head, struct reader *reader)
{
    struct trace_decoder_cpu *cpu = decoder->cpus[index];
    struct trace_frame_cpu *state = &cpu->state;
    uint8_t more = head & HEAD_MORE ? unit(reader) : 0;
    struct trace_record record = {
        .source = {.kind = TRACE_EXIT, .vm = state->vm, .cpu = (uint16_t)index, .vcpu = state->vcpu}};
    const struct trace_frame_last *last;
    uint64_t mode = state->mode;
    uint16_t device;

    if (head & HEAD_SOURCE) {
        record.source.vm = (uint16_t)number(reader);
        record.source.vcpu = (uint16_t)number(reader);
    }
    record.cs = state->cs;
    if (head & HEAD_PLACE) {
        record.cs = (uint32_t)number(reader);
        mode = number(reader);
    }
    trace_record_set_mode(&record, mode < TRACE_MODE_COUNT ? (enum trace_mode)mode : TRACE_MODE_REAL);
    record.reason = head & HEAD_REASON ? unit(reader) : state->reason;
    last = &state->last[record.reason];
    record.sequence = more & MORE_SEQUENCE ? difference(reader, state->sequence) : state->sequence;
    record.tsc = state->tsc + number(reader);
    record.rip = difference(reader, last->rip);
    record.result = last->result;
    device = last->device;
    if (head & HEAD_RESULT)
        read_result(cpu, &record, &device, reader);
    if (record.reason == EXIT_EPT_MISCONFIG) {
        record.result.entry_level = (uint8_t)number(reader);
        record.result.entry_reasons = (uint16_t)number(reader);
    }
    record.qualification = last->qualification;
    record.guest_physical_address = last->guest_physical_address;
    record.word = last->word;
    record.value = last->value;
    read_fields(&record, more, reader);
    record.ticks = difference(reader, last->ticks);
    if (reader->bad)
        return;
    if (record.result.code == RESULT_DEVICE)
        record.device = cpu->devices[device];
    trace_record_tidy(&record);
    trace_frame_remember(state, &record, device);
    give(decoder, &record);
}

/* Bytes to units, in place; false: the escapes are wrong. */
static bool unescape(uint8_t *bytes, size_t *count)
{
    size_t to = 0;

    for (size_t from = 0; from < *count; from++) {
        uint8_t value = bytes[from] & 0x7f;

        if (bytes[from] == TRACE_FRAME_ESCAPE) {
            if (++from == *count || (bytes[from] & 0x7f) > 1)
                return false;
            value = (uint8_t)(TRACE_FRAME_ESCAPE - 0x80 + (bytes[from] & 1));
        }
        bytes[to++] = value;
    }
    *count = to;
    return true;
}

static bool checks(const uint8_t *units, size_t count, uint16_t crc)
{
    for (size_t i = 0; i < count; i++)
        crc = trace_frame_crc(crc, units[i]);
    return (crc >> 7 & 0x7f) == units[count] && (crc & 0x7f) == units[count + 1];
}

/* The units of a whole frame. false: it does not check, or nothing can be made of it yet. */
static bool read_frame(struct trace_decoder *decoder, const uint8_t *units, size_t count)
{
    struct reader reader = {.units = units, .count = count};
    uint8_t head = unit(&reader);
    uint64_t index = head & HEAD_CPU ? number(&reader) : decoder->stream.cpu;
    bool key = (head & HEAD_KIND) && (head >> 1 & 31) == FRAME_KEY;
    struct trace_decoder_cpu *cpu;

    if (reader.bad || index >= TRACE_DECODER_CPUS)
        return false;
    cpu = decoder->cpus[index];
    if (!key && (cpu == NULL || !cpu->known))
        return false;
    if (!checks(units, count,
                key ? trace_frame_crc_key() : trace_frame_crc_start((uint32_t)index, cpu->state.number))) {
        if (cpu != NULL)
            cpu->known = false;
        return false;
    }
    decoder->stream.cpu = (uint32_t)index;
    if (key)
        read_key(decoder, (uint32_t)index, &reader);
    else if (head & HEAD_KIND)
        read_kind(decoder, (uint32_t)index, head, &reader);
    else
        read_exit(decoder, (uint32_t)index, head, &reader);
    if (decoder->cpus[index] != NULL && (key || (head & HEAD_KIND)))
        decoder->cpus[index]->state.number++;
    return !reader.bad;
}

/* How many bytes the frame has behind its length; 0: that is not known yet, or the frame is longer than any.
 */
static size_t wanted(const struct trace_decoder *decoder, size_t *header)
{
    const uint8_t *bytes = decoder->bytes;

    *header = 1;
    if (decoder->count == 0)
        return 0;
    if ((bytes[0] & 0x7f) < TRACE_FRAME_LONG)
        return bytes[0] & 0x7f;
    *header = 3;
    if (decoder->count < 3)
        return 0;
    return TRACE_FRAME_LONG + (size_t)(bytes[1] & 0x3f) * 64 + (bytes[2] & 0x3f);
}

/* What was begun is no frame. */
static void damaged(struct trace_decoder *decoder)
{
    decoder->damaged++;
    decoder->in_frame = false;
    decoder->stream.cpu = TRACE_FRAME_NO_CPU;
}

static void frame_byte(struct trace_decoder *decoder, uint8_t byte)
{
    size_t header, length, units;

    decoder->bytes[decoder->count++] = byte;
    length = wanted(decoder, &header);
    if (decoder->count < header)
        return;
    if (length < 3 || header + length > sizeof(decoder->bytes)) {
        damaged(decoder);
        return;
    }
    if (decoder->count < header + length)
        return;
    units = length;
    decoder->in_frame = false;
    if (unescape(decoder->bytes + header, &units) && units >= 3 &&
        read_frame(decoder, decoder->bytes + header, units - 2))
        decoder->frames++;
    else
        damaged(decoder);
}

void trace_decoder_byte(struct trace_decoder *decoder, uint8_t byte)
{
    if (byte < 0x80) {
        if (decoder->events->text != NULL)
            decoder->events->text(decoder->context, (char)byte);
    } else if (byte == TRACE_FRAME_START) {
        if (decoder->in_frame)
            damaged(decoder);
        decoder->in_frame = true;
        decoder->count = 0;
    } else if (decoder->in_frame) {
        frame_byte(decoder, byte);
    } else {
        decoder->stray++;
    }
}

void trace_decoder_end(struct trace_decoder *decoder)
{
    if (decoder->in_frame)
        damaged(decoder);
}
