/* SPDX-License-Identifier: MIT */
/* A trace record as one line: `#17 cpu=0 vm=tour t=123456 EPT_VIOLATION(48) cs:ip=0000:7c3e ... -> map 4K WB
 * (214)`. */
#include "vmm/trace/text.h"
#include "arch/x86/exception.h"
#include "arch/x86/msr.h"
#include "drivers/format.h"
#include "ept/memtype.h"
#include "ept/misconfig.h"
#include "ept/qualification.h"
#include "arch/x86/exit_reason.h"
#include "vmm/hypercall_abi.h"
#include "vmm/trace/hypercall_name.h"
#include <stdarg.h>

struct line {
    char *buffer;
    size_t size, length;
};

static void add(struct line *line, const char *text, ...) printf_like(2, 3);

static void add(struct line *line, const char *text, ...)
{
    va_list arguments;
    size_t room = line->size - line->length;
    size_t wanted;

    va_start(arguments, text);
    wanted = format_v(line->buffer + line->length, room, text, arguments);
    va_end(arguments);
    line->length += wanted < room ? wanted : room - 1;
}

const char *trace_page_size(unsigned level)
{
    static const char *const names[] = {"none", "4K", "2M", "1G", "512G"};

    return level < array_count(names) ? names[level] : "?";
}

static void add_place(struct line *line, const struct trace_record *exit)
{
    static const int digits[TRACE_MODE_COUNT] = {
        [TRACE_MODE_REAL] = 4, [TRACE_MODE_PROTECTED] = 8, [TRACE_MODE_LONG] = 16};

    if (exit->cs == TRACE_NO_CS)
        add(line, " cs:ip=----:");
    else
        add(line, " cs:ip=%04x:", (unsigned)exit->cs);
    add(line, "%0*llx", digits[trace_record_mode(exit)], (unsigned long long)exit->rip);
}

static void add_misconfig(struct line *line, const struct trace_record *exit)
{
    const char *separator = "";

    if (exit->result.entry_level == 0) {
        add(line, " entry=none");
        return;
    }
    add(line, " level=%u entry=%#llx raw=%#llx bits=%#llx reason=\"", exit->result.entry_level,
        (unsigned long long)exit->word, (unsigned long long)exit->qualification,
        (unsigned long long)exit->value);
    for (unsigned bit = 0; bit < EPT_REASON_COUNT; bit++) {
        if (!(exit->result.entry_reasons & (1u << bit)))
            continue;
        add(line, "%s%s", separator, ept_misconfig_reason_text(1u << bit));
        separator = ", ";
    }
    add(line, "\"");
}

static void add_ept(struct line *line, const struct trace_record *exit)
{
    char access[EPT_QUALIFICATION_WORD_SIZE], page[EPT_QUALIFICATION_WORD_SIZE];

    add(line, " gpa=%#llx", (unsigned long long)exit->guest_physical_address);
    if (trace_record_fields(exit) & TRACE_HAS_LINEAR_ADDRESS)
        add(line, " gla=%#llx", (unsigned long long)exit->guest_linear_address);
    if (exit->reason == EXIT_EPT_MISCONFIG) {
        add_misconfig(line, exit);
        return;
    }
    ept_qualification_access_text(exit->qualification, access, sizeof(access));
    ept_qualification_rights_text(exit->qualification, page, sizeof(page));
    add(line, " qual=%#llx access=%s page=%s", (unsigned long long)exit->qualification, access, page);
}

static void add_event(struct line *line, const struct trace_record *exit)
{
    unsigned vector = exit->word & 0xff;

    add(line, " vector=%s(%u)", exception_name(vector), vector);
    if (exit->word & (1u << 11))
        add(line, " error=%#llx", (unsigned long long)exit->value);
}

/* SDM vol. 3, "Exit Qualification for I/O Instructions": bits 2:0 size - 1, bit 3 in, bit 4 string, bit 5
 * REP, 31:16 port. */
static void add_io(struct line *line, const struct trace_record *exit)
{
    uint64_t q = exit->qualification;

    add(line, " port=%#llx %s%s size=%u", (unsigned long long)((q >> 16) & 0xffff), q & 8 ? "in" : "out",
        q & 16 ? (q & 32 ? " rep string" : " string") : "", (unsigned)(q & 7) + 1);
    if (!(q & 16))
        add(line, " value=%#llx", (unsigned long long)exit->value);
}

/* SDM vol. 3, "Exit Qualification for Control-Register Accesses": 3:0 register, 5:4 kind, 11:8
 * general-purpose register. */
static void add_cr(struct line *line, const struct trace_record *exit)
{
    static const char *const kinds[] = {"write", "read", "clts", "lmsw"};

    add(line, " cr=%u %s", (unsigned)(exit->qualification & 15), kinds[(exit->qualification >> 4) & 3]);
    if (((exit->qualification >> 4) & 3) != 2)
        add(line, " value=%#llx", (unsigned long long)exit->value);
}

static void add_details(struct line *line, const struct trace_record *exit)
{
    unsigned long long word = exit->word, value = exit->value;
    const char *name;

    switch (exit->reason) {
    case EXIT_EXCEPTION_NMI:
    case EXIT_EXTERNAL_INTERRUPT:
        add_event(line, exit);
        break;
    case EXIT_CPUID:
        add(line, " leaf=%#llx subleaf=%#llx", word, value);
        break;
    case EXIT_RDMSR:
    case EXIT_WRMSR:
        name = msr_name((uint32_t)word);
        add(line, " msr=%s(%#llx) value=%#llx", name != NULL ? name : "unknown", word, value);
        break;
    case EXIT_VMCALL:
        if (word >= HYPERCALL_BIOS && word <= HYPERCALL_BIOS_LAST)
            add(line, " call=BIOS int=0x%02llx ax=0x%04llx", word - HYPERCALL_BIOS, value);
        else
            add(line, " call=%s(%#llx) ebx=%#llx", hypercall_name((uint32_t)word), word, value);
        break;
    case EXIT_XSETBV:
        add(line, " xcr=%#llx value=%#llx", word, value);
        break;
    case EXIT_IO:
        add_io(line, exit);
        break;
    case EXIT_CR_ACCESS:
        add_cr(line, exit);
        break;
    case EXIT_EPT_VIOLATION:
    case EXIT_EPT_MISCONFIG:
        add_ept(line, exit);
        break;
    default:
        if (exit->qualification != 0)
            add(line, " qual=%#llx", (unsigned long long)exit->qualification);
    }
}

static const char *const result_texts[RESULT_COUNT] = {
#define TRACE_RESULT(name, text) [RESULT_##name] = text,
#include "vmm/trace/results.def"
#undef TRACE_RESULT
};

static void add_result(struct line *line, const struct trace_record *exit)
{
    const struct trace_result *result = &exit->result;

    if (result->code == RESULT_DEVICE)
        add(line, " -> %s", exit->device);
    else
        add(line, " -> %s", result->code < RESULT_COUNT ? result_texts[result->code] : "?");
    if (result->code == RESULT_MAP || result->code == RESULT_REPAIR)
        add(line, " %s %s", trace_page_size(result->level), memory_type_name((enum memory_type)result->type));
    if (result->code == RESULT_INJECT || result->code == RESULT_REINJECT)
        add(line, " %s", exception_name(result->vector));
    add(line, " (%llu)", (unsigned long long)(exit->ticks / (UINT64_C(1) + exit->folded)));
    if (exit->folded > 0)
        add(line, " x%llu", 1ull + exit->folded);
}

/* Why exits have no line. */
static void add_missing(struct line *line, const struct trace_record *record)
{
    add(line, "adept: trace: cpu=%u %s", record->source.cpu,
        record->source.kind == TRACE_LOST ? "lost" : "suppressed");
    add(line, "=%llu exits %s", (unsigned long long)record->count,
        record->source.kind == TRACE_LOST ? "did not fit into the ring" : "were above trace_rate=");
}

size_t trace_text(const struct trace_record *record, const char *vm_name, uint64_t vm_start, char *buffer,
                  size_t size)
{
    struct line line = {buffer, size, 0};

    if (size == 0)
        return 0;
    if (record->source.kind != TRACE_EXIT) {
        add_missing(&line, record);
        return line.length;
    }
    add(&line, "#%llu cpu=%u vm=%s", (unsigned long long)record->sequence, record->source.cpu, vm_name);
    if (record->source.vcpu != 0)
        add(&line, " vcpu=%u", record->source.vcpu - 1u);
    add(&line, " t=%llu %s(%u)", (unsigned long long)(record->tsc - vm_start),
        exit_reason_name(record->reason), record->reason);
    add_place(&line, record);
    add_details(&line, record);
    add_result(&line, record);
    return line.length;
}
