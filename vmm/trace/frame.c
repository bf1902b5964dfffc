/* SPDX-License-Identifier: MIT */
/* Trace records as binary frames: the writing side. vmm/trace/frame.h says what they look like. */
#include "vmm/trace/frame.h"
#include "arch/x86/exit_reason.h"

/* A frame in the making. */
struct frame {
    uint8_t *out;
    size_t length; /* of all that is written */
    size_t start;
    uint16_t crc;
};

uint16_t trace_frame_crc(uint16_t crc, uint8_t unit)
{
    uint8_t x = (uint8_t)(crc >> 8 ^ unit);

    x ^= x >> 4;
    return (uint16_t)(crc << 8 ^ x << 12 ^ x << 5 ^ x);
}

uint16_t trace_frame_crc_key(void)
{
    return 0xffff;
}

uint16_t trace_frame_crc_start(uint32_t cpu, uint32_t number)
{
    uint16_t crc = trace_frame_crc(trace_frame_crc_key(), (uint8_t)(cpu ^ cpu >> 8));

    for (unsigned shift = 0; shift < 32; shift += 8)
        crc = trace_frame_crc(crc, (uint8_t)(number >> shift));
    return crc;
}

static void put_byte(struct frame *frame, uint8_t byte)
{
    frame->out[frame->length++] = byte;
}

static void put_raw(struct frame *frame, uint8_t unit)
{
    if (unit >= TRACE_FRAME_ESCAPE - 0x80) {
        put_byte(frame, TRACE_FRAME_ESCAPE);
        unit = (uint8_t)(unit - (TRACE_FRAME_ESCAPE - 0x80));
    }
    put_byte(frame, 0x80 | unit);
}

static void put_unit(struct frame *frame, uint8_t unit)
{
    frame->crc = trace_frame_crc(frame->crc, unit);
    put_raw(frame, unit);
}

static void put_number(struct frame *frame, uint64_t number)
{
    for (; number >= 64; number >>= 6)
        put_unit(frame, 0x40 | (number & 63));
    put_unit(frame, (uint8_t)number);
}

static void put_difference(struct frame *frame, uint64_t now, uint64_t before)
{
    put_number(frame, trace_frame_zigzag(now - before));
}

static void begin(struct frame *frame, uint16_t crc)
{
    frame->start = frame->length;
    put_byte(frame, TRACE_FRAME_START);
    put_byte(frame, 0); /* the length, at the end */
    frame->crc = crc;
}

static void end(struct frame *frame)
{
    uint8_t *length = &frame->out[frame->start + 1];
    uint16_t crc = frame->crc;
    size_t more;

    put_raw(frame, crc >> 7 & 0x7f);
    put_raw(frame, crc & 0x7f);
    if (frame->length - frame->start - 2 < TRACE_FRAME_LONG) {
        *length = (uint8_t)(0x80 + (frame->length - frame->start - 2));
        return;
    }
    more = frame->length - frame->start - 2 - TRACE_FRAME_LONG;
    for (uint8_t *byte = &frame->out[frame->length - 1]; byte > length; byte--)
        byte[2] = *byte;
    length[0] = 0x80 + TRACE_FRAME_LONG;
    length[1] = (uint8_t)(0x80 + more / 64);
    length[2] = (uint8_t)(0x80 + more % 64);
    frame->length += 2;
}

static uint8_t head_cpu(const struct trace_frame_stream *stream, uint32_t cpu)
{
    return stream->cpu != cpu ? HEAD_CPU : 0;
}

static void put_head(struct frame *frame, struct trace_frame_stream *stream, uint32_t cpu, uint8_t head)
{
    put_unit(frame, head);
    if (head & HEAD_CPU)
        put_number(frame, cpu);
    stream->cpu = cpu;
}

static void begin_kind(struct frame *frame, struct trace_frame_stream *stream, struct trace_frame_cpu *state,
                       uint32_t cpu, enum trace_frame_kind kind)
{
    uint8_t head = (uint8_t)(HEAD_KIND | kind << 1 | (kind == FRAME_KEY ? HEAD_CPU : head_cpu(stream, cpu)));

    begin(frame, kind == FRAME_KEY ? trace_frame_crc_key() : trace_frame_crc_start(cpu, state->number));
    put_head(frame, stream, cpu, head);
}

void trace_frame_forget(struct trace_frame_cpu *cpu, uint64_t tsc)
{
    *cpu = (struct trace_frame_cpu){.number = cpu->number, .until_key = TRACE_FRAME_KEY_EVERY, .tsc = tsc};
}

static void put_key(struct frame *frame, struct trace_frame_stream *stream, struct trace_frame_cpu *state,
                    uint32_t cpu, uint64_t tsc)
{
    begin_kind(frame, stream, state, cpu, FRAME_KEY);
    put_number(frame, TRACE_FRAME_VERSION);
    put_number(frame, state->number);
    put_number(frame, tsc);
    put_number(frame, stream->tsc_khz);
    end(frame);
    trace_frame_forget(state, tsc);
    state->number++;
}

static void put_name(struct frame *frame, const char *name)
{
    unsigned length = 0;

    while (length < 40 && name[length] != '\0')
        length++;
    put_number(frame, length);
    for (unsigned i = 0; i < length; i++)
        put_unit(frame, name[i] & 0x7f);
}

static void put_vm(struct frame *frame, struct trace_frame_stream *stream, struct trace_frame_cpu *state,
                   const struct trace_record *record, const char *name, uint64_t start)
{
    for (unsigned i = 0; i < state->vm_count; i++)
        if (state->vms[i] == record->source.vm)
            return;
    state->vms[state->vm_count++] = record->source.vm;
    begin_kind(frame, stream, state, record->source.cpu, FRAME_VM);
    put_number(frame, record->source.vm);
    put_number(frame, start);
    put_name(frame, name);
    end(frame);
    state->number++;
}

/* The device's number; its name is sent if it is new. */
static uint16_t put_device(struct frame *frame, struct trace_frame_stream *stream,
                           struct trace_frame_cpu *state, const struct trace_record *record)
{
    for (uint16_t i = 0; i < state->device_count; i++)
        if (state->devices[i] == record->device)
            return i;

    state->devices[state->device_count] = record->device;
    begin_kind(frame, stream, state, record->source.cpu, FRAME_DEVICE);
    put_name(frame, record->device);
    end(frame);
    state->number++;
    return state->device_count++;
}

static bool same_result(const struct trace_result *a, const struct trace_result *b)
{
    return a->code == b->code && a->level == b->level && a->type == b->type && a->vector == b->vector;
}

static uint8_t more_bits(const struct trace_frame_cpu *state, const struct trace_record *record,
                         const struct trace_frame_last *last)
{
    unsigned fields = trace_record_fields(record), more = 0;

    more |= record->qualification != last->qualification && (fields & TRACE_HAS_QUALIFICATION)
                ? MORE_QUALIFICATION
                : 0;
    more |= record->guest_physical_address != last->guest_physical_address &&
                    (fields & TRACE_HAS_PHYSICAL_ADDRESS)
                ? MORE_PHYSICAL
                : 0;
    more |=
        record->guest_linear_address != record->guest_physical_address && (fields & TRACE_HAS_LINEAR_ADDRESS)
            ? MORE_LINEAR
            : 0;
    more |= record->word != last->word && (fields & TRACE_HAS_WORD) ? MORE_WORD : 0;
    more |= record->value != last->value && (fields & TRACE_HAS_VALUE) ? MORE_VALUE : 0;
    more |= record->folded != 0 ? MORE_FOLDED : 0;
    more |= record->sequence != state->sequence ? MORE_SEQUENCE : 0;
    return (uint8_t)more;
}

static uint8_t head_bits(const struct trace_frame_stream *stream, const struct trace_frame_cpu *state,
                         const struct trace_record *record, const struct trace_frame_last *last,
                         uint16_t device, uint8_t more)
{
    unsigned head = head_cpu(stream, record->source.cpu);

    head |= record->source.vm != state->vm || record->source.vcpu != state->vcpu ? HEAD_SOURCE : 0;
    head |= record->cs != state->cs || trace_record_mode(record) != state->mode ? HEAD_PLACE : 0;
    head |= record->reason != state->reason ? HEAD_REASON : 0;
    head |= !same_result(&record->result, &last->result) || device != last->device ? HEAD_RESULT : 0;
    head |= more != 0 ? HEAD_MORE : 0;
    return (uint8_t)head;
}

static void put_result(struct frame *frame, const struct trace_result *result, uint16_t device)
{
    put_number(frame, result->code);
    if (result->code == RESULT_MAP || result->code == RESULT_REPAIR) {
        put_number(frame, result->level);
        put_number(frame, result->type);
    } else if (result->code == RESULT_INJECT || result->code == RESULT_REINJECT) {
        put_number(frame, result->vector);
    } else if (result->code == RESULT_DEVICE) {
        put_number(frame, device);
    }
}

static void put_fields(struct frame *frame, const struct trace_record *record,
                       const struct trace_frame_last *last, uint8_t more)
{
    if (more & MORE_QUALIFICATION)
        put_number(frame, record->qualification ^ last->qualification);
    if (more & MORE_PHYSICAL)
        put_difference(frame, record->guest_physical_address, last->guest_physical_address);
    if (more & MORE_LINEAR)
        put_difference(frame, record->guest_linear_address, record->guest_physical_address);
    if (more & MORE_WORD)
        put_number(frame, record->word ^ last->word);
    if (more & MORE_VALUE)
        put_number(frame, record->value);
    if (more & MORE_FOLDED)
        put_number(frame, record->folded);
}

static void put_exit(struct frame *frame, struct trace_frame_stream *stream, struct trace_frame_cpu *state,
                     const struct trace_record *record, uint16_t device)
{
    struct trace_frame_last *last = &state->last[record->reason];
    uint8_t more = more_bits(state, record, last);
    uint8_t head = head_bits(stream, state, record, last, device, more);

    begin(frame, trace_frame_crc_start(record->source.cpu, state->number));
    put_head(frame, stream, record->source.cpu, head);
    if (head & HEAD_MORE)
        put_unit(frame, more);
    if (head & HEAD_SOURCE) {
        put_number(frame, record->source.vm);
        put_number(frame, record->source.vcpu);
    }
    if (head & HEAD_PLACE) {
        put_number(frame, record->cs);
        put_number(frame, trace_record_mode(record));
    }
    if (head & HEAD_REASON)
        put_unit(frame, (uint8_t)record->reason);
    if (more & MORE_SEQUENCE)
        put_difference(frame, record->sequence, state->sequence);
    put_number(frame, record->tsc - state->tsc);
    put_difference(frame, record->rip, last->rip);
    if (head & HEAD_RESULT)
        put_result(frame, &record->result, device);
    if (record->reason == EXIT_EPT_MISCONFIG) {
        put_number(frame, record->result.entry_level);
        put_number(frame, record->result.entry_reasons);
    }
    put_fields(frame, record, last, more);
    put_difference(frame, record->ticks, last->ticks);
    end(frame);
}

void trace_frame_remember(struct trace_frame_cpu *state, const struct trace_record *record, uint16_t device)
{
    state->number++;
    state->until_key--;
    state->tsc = record->tsc;

    state->sequence = record->sequence + 1 + record->folded;
    state->vm = record->source.vm;
    state->vcpu = record->source.vcpu;
    state->cs = (uint32_t)record->cs;
    state->mode = (uint8_t)trace_record_mode(record);
    state->reason = (uint8_t)record->reason;
    state->last[record->reason] =
        (struct trace_frame_last){.rip = record->rip,
                                  .qualification = record->qualification,
                                  .guest_physical_address = record->guest_physical_address,
                                  .word = record->word,
                                  .value = record->value,
                                  .ticks = record->ticks,
                                  .result = record->result,
                                  .device = device};
}

static void put_missing(struct frame *frame, struct trace_frame_stream *stream, struct trace_frame_cpu *state,
                        const struct trace_record *record)
{
    begin_kind(frame, stream, state, record->source.cpu,
               record->source.kind == TRACE_LOST ? FRAME_LOST : FRAME_SUPPRESSED);
    put_number(frame, record->tsc - state->tsc);
    put_number(frame, record->count);
    end(frame);
    state->tsc = record->tsc;
    state->number++;
    state->until_key--;
}

size_t trace_frame_encode(struct trace_frame_stream *stream, struct trace_frame_cpu *cpu,
                          const struct trace_record *record, const char *vm_name, uint64_t vm_start,
                          uint8_t out[TRACE_FRAMES_MAX])
{
    struct frame frame = {.out = out};
    struct trace_record known;
    uint16_t device = 0;

    if (record->reason >= TRACE_FRAME_REASONS) {
        known = *record;
        known.reason = TRACE_FRAME_REASONS - 1;
        record = &known;
    }

    if (cpu->until_key == 0 || cpu->vm_count == TRACE_FRAME_VMS || cpu->device_count == TRACE_FRAME_DEVICES)
        put_key(&frame, stream, cpu, record->source.cpu, record->tsc);
    if (record->source.kind != TRACE_EXIT) {
        put_missing(&frame, stream, cpu, record);
        return frame.length;
    }
    put_vm(&frame, stream, cpu, record, vm_name, vm_start);
    if (record->result.code == RESULT_DEVICE)
        device = put_device(&frame, stream, cpu, record);
    put_exit(&frame, stream, cpu, record, device);
    trace_frame_remember(cpu, record, device);
    return frame.length;
}
