/* SPDX-License-Identifier: MIT */
/*
 * Trace records as text, CSV and JSON. The text is what the hypervisor writes on its console: the same code
 * makes it. JSON is the Trace Event Format: a process a VM, a track a vCPU, an exit a slice, an EPT map an
 * instant.
 */
#include "tools/trace_write.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "ept/memtype.h"
#include "arch/x86/exit_reason.h"
#include "vmm/trace/text.h"

static const char *vm_name(const struct trace_decoder_vm *vm)
{
    return vm != NULL ? vm->name : "?";
}

static uint64_t vm_start(const struct trace_decoder_vm *vm)
{
    return vm != NULL ? vm->start_tsc : 0;
}

static void line_of(const struct trace_record *record, const struct trace_decoder_vm *vm,
                    char line[TRACE_LINE_MAX])
{
    (void)trace_text(record, vm_name(vm), vm_start(vm), line, TRACE_LINE_MAX);
}

/* What stands between "cs:ip=... " and " (ticks)" in the line. */
static const char *details(const char *line, char *place, size_t size)
{
    const char *from = strstr(line, " cs:ip="), *to = strrchr(line, '(');

    from = from != NULL ? strchr(from + 1, ' ') : NULL;
    if (from == NULL || to == NULL || to <= from + 1)
        return "";
    (void)snprintf(place, size, "%.*s", (int)(to - from - 2), from + 1);
    return place;
}

/* --- CSV --- */

static void csv_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"')
            fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

/* A name needs no quotes but for a character that means something. */
static void csv_name(FILE *file, const char *name)
{
    if (strpbrk(name, "\",") != NULL)
        csv_string(file, name);
    else
        fputs(name, file);
}

static void csv_record(struct trace_writer *writer, const struct trace_record *record,
                       const struct trace_decoder_vm *vm)
{
    static const char *const modes[] = {"real", "protected", "long"};
    char line[TRACE_LINE_MAX], text[TRACE_LINE_MAX];

    if (record->source.kind != TRACE_EXIT) {
        fprintf(writer->file, ",%u,,,,%" PRIu64 ",%s,,,,,,,,,,,%" PRIu64 ",\n", record->source.cpu,
                record->tsc, record->source.kind == TRACE_LOST ? "LOST" : "SUPPRESSED", record->count);
        return;
    }
    line_of(record, vm, line);
    fprintf(writer->file, "%" PRIu64 ",%u,", record->sequence, record->source.cpu);
    csv_name(writer->file, vm_name(vm));
    fputc(',', writer->file);
    if (record->source.vcpu != 0)
        fprintf(writer->file, "%u", record->source.vcpu - 1u);
    fprintf(writer->file, ",%" PRIu64 ",%" PRIu64 ",%s,%u,%s,0x%" PRIx64 ",0x%" PRIx64,
            record->tsc - vm_start(vm), record->tsc, exit_reason_name(record->reason), record->reason,
            modes[trace_record_mode(record)], record->cs, record->rip);
    fprintf(writer->file, ",0x%" PRIx64 ",0x%" PRIx64 ",0x%" PRIx64 ",0x%" PRIx64 ",0x%" PRIx64,
            record->qualification, record->guest_physical_address, record->guest_linear_address, record->word,
            record->value);
    fprintf(writer->file, ",%" PRIu64 ",%" PRIu64 ",", record->ticks, UINT64_C(1) + record->folded);
    csv_string(writer->file, details(line, text, sizeof(text)));
    fputc('\n', writer->file);
}

/* --- JSON --- */

static void json_string(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\')
            fputc('\\', file);
        if ((unsigned char)*text >= 0x20)
            fputc(*text, file);
    }
    fputc('"', file);
}

/* TSC ticks as microseconds, three decimals. */
static void json_time(const struct trace_writer *writer, const char *key, uint64_t ticks)
{
    uint64_t khz = writer->decoder->stream.tsc_khz != 0 ? writer->decoder->stream.tsc_khz : 1000000;
    uint64_t ns = (uint64_t)((unsigned __int128)ticks * 1000000 / khz);

    fprintf(writer->file, ",\"%s\":%" PRIu64 ".%03u", key, ns / 1000, (unsigned)(ns % 1000));
}

static void json_event(struct trace_writer *writer, const char *phase, const struct trace_record *record)
{
    unsigned track = record->source.vcpu != 0 ? record->source.vcpu - 1u : 0;

    fputs(writer->begun ? ",\n" : "\n", writer->file);
    writer->begun = true;
    fprintf(writer->file, "{\"ph\":\"%s\",\"pid\":%u,\"tid\":%u", phase, record->source.vm, track);
}

/* Whether this track was named before; then it is the first in the list, for the next time. */
static bool json_named(struct trace_writer *writer, uint32_t track)
{
    for (size_t i = 0; i < writer->track_count; i++) {
        if (writer->tracks[i] != track)
            continue;
        writer->tracks[i] = writer->tracks[0];
        writer->tracks[0] = track;
        return true;
    }
    writer->tracks = realloc(writer->tracks, (writer->track_count + 1) * sizeof(*writer->tracks));
    if (writer->tracks == NULL)
        abort();
    writer->tracks[writer->track_count++] = track;
    return false;
}

static void json_announce(struct trace_writer *writer, const struct trace_record *record,
                          const struct trace_decoder_vm *vm)
{
    if (json_named(writer, (uint32_t)record->source.vm << 16 | record->source.vcpu))
        return;
    json_event(writer, "M", record);
    fputs(",\"name\":\"process_name\",\"args\":{\"name\":", writer->file);
    json_string(writer->file, vm_name(vm));
    fputs("}}", writer->file);
    json_event(writer, "M", record);
    fprintf(writer->file, ",\"name\":\"thread_name\",\"args\":{\"name\":\"vCPU %u\"}}",
            record->source.vcpu != 0 ? record->source.vcpu - 1u : 0);
}

static void json_arguments(struct trace_writer *writer, const struct trace_record *record,
                           const struct trace_decoder_vm *vm)
{
    char line[TRACE_LINE_MAX], text[TRACE_LINE_MAX];
    unsigned fields = trace_record_fields(record);

    line_of(record, vm, line);
    fprintf(writer->file,
            ",\"args\":{\"sequence\":%" PRIu64 ",\"cpu\":%u,\"rip\":\"0x%" PRIx64 "\",\"cs\":\"0x%" PRIx64
            "\"",
            record->sequence, record->source.cpu, record->rip, record->cs);
    if (fields & TRACE_HAS_PHYSICAL_ADDRESS)
        fprintf(writer->file, ",\"gpa\":\"0x%" PRIx64 "\"", record->guest_physical_address);
    if (fields & TRACE_HAS_LINEAR_ADDRESS)
        fprintf(writer->file, ",\"gla\":\"0x%" PRIx64 "\"", record->guest_linear_address);
    fprintf(writer->file, ",\"ticks\":%" PRIu64 ",\"count\":%" PRIu64 ",\"what\":", record->ticks,
            UINT64_C(1) + record->folded);
    json_string(writer->file, details(line, text, sizeof(text)));
    fputs("}}", writer->file);
}

static void json_record(struct trace_writer *writer, const struct trace_record *record,
                        const struct trace_decoder_vm *vm)
{
    uint64_t at = record->tsc;

    if (record->source.kind != TRACE_EXIT) {
        json_event(writer, "i", record);
        json_time(writer, "ts", at);
        fprintf(writer->file, ",\"s\":\"g\",\"name\":\"%" PRIu64 " exits of CPU %u %s\"}", record->count,
                record->source.cpu, record->source.kind == TRACE_LOST ? "lost" : "suppressed");
        return;
    }
    json_announce(writer, record, vm);
    json_event(writer, "X", record);
    json_time(writer, "ts", at);
    json_time(writer, "dur", record->ticks);
    fprintf(writer->file, ",\"cat\":\"exit\",\"name\":\"%s\"", exit_reason_name(record->reason));
    json_arguments(writer, record, vm);
    if (record->result.code != RESULT_MAP && record->result.code != RESULT_REPAIR)
        return;
    json_event(writer, "i", record);
    json_time(writer, "ts", at);
    fprintf(writer->file,
            ",\"s\":\"t\",\"cat\":\"ept\",\"name\":\"EPT map %s %s\",\"args\":{\"gpa\":\"0x%" PRIx64 "\"}}",
            trace_page_size(record->result.level), memory_type_name((enum memory_type)record->result.type),
            record->guest_physical_address);
}

/* --- All three --- */

static void on_record(void *context, const struct trace_record *record, const struct trace_decoder_vm *vm)
{
    struct trace_writer *writer = context;
    char line[TRACE_LINE_MAX];

    switch (writer->format) {
    case TRACE_WRITE_CSV:
        csv_record(writer, record, vm);
        break;
    case TRACE_WRITE_JSON:
        json_record(writer, record, vm);
        break;
    default:
        line_of(record, vm, line);
        fprintf(writer->file, "%s\n", line);
    }
}

static void flush_line(struct trace_writer *writer)
{
    if (writer->length > 0 && writer->format == TRACE_WRITE_TEXT)
        fwrite(writer->line, 1, writer->length, writer->file);
    writer->length = 0;
}

/* Lines stay whole, whatever frames came between their characters. */
static void on_text(void *context, char character)
{
    struct trace_writer *writer = context;

    if (character == '\r')
        return;
    writer->line[writer->length++] = character;
    if (character == '\n' || writer->length == sizeof(writer->line))
        flush_line(writer);
}

static void on_missing(void *context, uint32_t cpu, uint64_t frames)
{
    struct trace_writer *writer = context;
    FILE *to = writer->format == TRACE_WRITE_TEXT ? writer->file : stderr;

    if (frames != 0)
        fprintf(to, "adept-trace: cpu=%u missing=%" PRIu64 " frames (the stream is damaged)\n", cpu, frames);
    else
        fprintf(to, "adept-trace: cpu=%u joined here: what came before is not shown\n", cpu);
}

const struct trace_decoder_events trace_writer_events = {
    .text = on_text, .record = on_record, .missing = on_missing};

void trace_writer_begin(struct trace_writer *writer, FILE *file, enum trace_write_format format,
                        const struct trace_decoder *decoder)
{
    *writer = (struct trace_writer){.file = file, .format = format, .decoder = decoder};
    if (format == TRACE_WRITE_CSV)
        fputs("sequence,cpu,vm,vcpu,t,tsc,reason,number,mode,cs,rip,qualification,gpa,gla,word,value,ticks,"
              "count,what\n",
              file);
    if (format == TRACE_WRITE_JSON)
        fputs("{\"displayTimeUnit\":\"ns\",\"traceEvents\":[", file);
}

void trace_writer_end(struct trace_writer *writer)
{
    flush_line(writer);
    if (writer->format == TRACE_WRITE_JSON)
        fputs("\n]}\n", writer->file);
    free(writer->tracks);
    fflush(writer->file);
}
