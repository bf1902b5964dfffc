/* SPDX-License-Identifier: MIT */
/* What of a trace record means something. */
#include "vmm/trace/record.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/exit_reason.h"
#include "vmm/hypercall_abi.h"

#define CS_RIGHTS_L                    (UINT64_C(1) << 13) /* 64-bit code; it is only set while IA32_EFER.LMA is */
#define CS_RIGHTS_V86                  0xf3 /* in protected mode a data segment: only virtual-8086 mode has that in CS */
#define EPT_QUALIFICATION_LINEAR_VALID (UINT64_C(1) << 7)
#define IO_QUALIFICATION_IN            (UINT64_C(1) << 3)

unsigned trace_record_fields(const struct trace_record *record)
{
    switch (record->reason) {
    case EXIT_EXCEPTION_NMI:
    case EXIT_EXTERNAL_INTERRUPT:
    case EXIT_CPUID:
    case EXIT_VMCALL:
    case EXIT_RDMSR:
    case EXIT_WRMSR:
    case EXIT_XSETBV:
        return TRACE_HAS_WORD | TRACE_HAS_VALUE;
    case EXIT_IO:
    case EXIT_CR_ACCESS:
        return TRACE_HAS_QUALIFICATION | TRACE_HAS_VALUE;
    case EXIT_EPT_VIOLATION:
        return TRACE_HAS_QUALIFICATION | TRACE_HAS_PHYSICAL_ADDRESS |
               (record->qualification & EPT_QUALIFICATION_LINEAR_VALID ? TRACE_HAS_LINEAR_ADDRESS : 0);
    case EXIT_EPT_MISCONFIG:
        return TRACE_HAS_QUALIFICATION | TRACE_HAS_PHYSICAL_ADDRESS | TRACE_HAS_WORD | TRACE_HAS_VALUE;
    default:
        return TRACE_HAS_QUALIFICATION;
    }
}

enum trace_mode trace_record_mode(const struct trace_record *record)
{
    if (!(record->cr0 & CR0_PE) || (record->cs_rights & 0xff) == CS_RIGHTS_V86)
        return TRACE_MODE_REAL;
    return record->cs_rights & CS_RIGHTS_L ? TRACE_MODE_LONG : TRACE_MODE_PROTECTED;
}

void trace_record_set_mode(struct trace_record *record, enum trace_mode mode)
{
    record->cr0 = mode == TRACE_MODE_REAL ? 0 : CR0_PE;
    record->cs_rights = mode == TRACE_MODE_LONG ? CS_RIGHTS_L : 0;
}

static void tidy_result(struct trace_record *record)
{
    struct trace_result *result = &record->result;
    bool maps = result->code == RESULT_MAP || result->code == RESULT_REPAIR;
    bool injects = result->code == RESULT_INJECT || result->code == RESULT_REINJECT;
    bool entry = record->reason == EXIT_EPT_MISCONFIG && result->entry_level != 0;

    result->level = maps ? result->level : 0;
    result->type = maps ? result->type : 0;
    result->vector = injects ? result->vector : 0;
    result->entry_level = entry ? result->entry_level : 0;
    result->entry_reasons = entry ? result->entry_reasons : 0;
    result->reserved = 0;
    if (result->code != RESULT_DEVICE)
        record->device = NULL;
}

void trace_record_tidy(struct trace_record *record)
{
    unsigned fields;

    if (record->source.kind != TRACE_EXIT) {
        *record = (struct trace_record){.tsc = record->tsc, .source = record->source, .count = record->count};
        return;
    }
    fields = trace_record_fields(record);
    if (!(fields & TRACE_HAS_QUALIFICATION))
        record->qualification = 0;
    if (!(fields & TRACE_HAS_PHYSICAL_ADDRESS))
        record->guest_physical_address = 0;
    if (!(fields & TRACE_HAS_LINEAR_ADDRESS))
        record->guest_linear_address = 0;
    if (!(fields & TRACE_HAS_WORD))
        record->word = 0;
    if (!(fields & TRACE_HAS_VALUE))
        record->value = 0;
    record->cs = record->cs == TRACE_NO_CS ? TRACE_NO_CS : record->cs & 0xffff;
    trace_record_set_mode(record, trace_record_mode(record));
    tidy_result(record);
}

/* What a guest prints, a character each: the data does not make two exits differ. */
static bool prints_text(const struct trace_record *record)
{
    uint16_t port = (uint16_t)(record->qualification >> 16);

    if (record->reason != EXIT_IO || record->result.code != RESULT_DEVICE ||
        (record->qualification & IO_QUALIFICATION_IN))
        return false;
    /* COM1 to COM4: 0x3f8, 0x2f8, 0x3e8, 0x2e8 */
    return (port & 0xfeef) == 0x2e8 || port == PORT_DEBUG_BOCHS || port == PORT_DEBUG_BIOS;
}

static bool same_result(const struct trace_record *a, const struct trace_record *b)
{
    const struct trace_result *x = &a->result, *y = &b->result;

    if (x->code != y->code)
        return false;
    switch (x->code) {
    case RESULT_MAP:
    case RESULT_REPAIR:
        return x->level == y->level && x->type == y->type;
    case RESULT_INJECT:
    case RESULT_REINJECT:
        return x->vector == y->vector;
    case RESULT_DEVICE:
        return a->device == b->device;
    default:
        return true;
    }
}

bool trace_record_same(const struct trace_record *a, const struct trace_record *b)
{
    unsigned fields;

    if (a->reason != b->reason || a->rip != b->rip || (uint16_t)a->cs != (uint16_t)b->cs ||
        a->source.vm != b->source.vm || a->source.vcpu != b->source.vcpu || a->source.kind != TRACE_EXIT ||
        b->source.kind != TRACE_EXIT)
        return false;
    fields = trace_record_fields(a);
    if ((fields & TRACE_HAS_QUALIFICATION) && a->qualification != b->qualification)
        return false;
    if ((fields & TRACE_HAS_PHYSICAL_ADDRESS) && a->guest_physical_address != b->guest_physical_address)
        return false;
    if ((fields & TRACE_HAS_LINEAR_ADDRESS) && a->guest_linear_address != b->guest_linear_address)
        return false;
    if ((fields & TRACE_HAS_WORD) && a->word != b->word)
        return false;
    if ((fields & TRACE_HAS_VALUE) && a->value != b->value && !prints_text(a))
        return false;
    return trace_record_mode(a) == trace_record_mode(b) && same_result(a, b);
}
