/* SPDX-License-Identifier: MIT */
/* Filling a trace record from the VMCS and the guest's registers: what differs from reason to reason. */
#include "vmm/exit_trace.h"
#include "vmm/exit_trace_filter.h"
#include "vmm/hypercall_abi.h"
#include "vmm/vm.h"

/* Bits of the exit qualification for EPT violations: 7 = the guest linear address is valid. */
#define EPT_QUALIFICATION_LINEAR_VALID (UINT64_C(1) << 7)
#define IO_QUALIFICATION_IN            8u
#define CR_ACCESS_KIND(qualification)  (((qualification) >> 4) & 3)
#define CR_ACCESS_READ                 1
#define CR_ACCESS_LMSW                 3

static uint64_t edx_eax(const uint64_t *gpr)
{
    return (gpr[GPR_RDX] << 32) | (uint32_t)gpr[GPR_RAX];
}

/* The low `size` bytes, 1 to 8. */
static uint64_t low_bytes(uint64_t value, unsigned size)
{
    return value & (~UINT64_C(0) >> (64 - 8 * size));
}

/* The general-purpose register that a control-register access names. */
static uint64_t cr_operand(const uint64_t *gpr, uint64_t qualification)
{
    unsigned number = (qualification >> 8) & 15;

    if (CR_ACCESS_KIND(qualification) == CR_ACCESS_LMSW)
        return (qualification >> 16) & 0xffff;
    return number == GPR_RSP ? vmcs_read(VMCS_GUEST_RSP) : gpr[number];
}

void exit_trace_begin_details(const struct vcpu *vcpu, struct trace_record *record)
{
    const uint64_t *gpr = vcpu->registers.gpr;

    switch (record->reason) {
    case EXIT_CPUID:
        record->word = (uint32_t)gpr[GPR_RAX];
        record->value = (uint32_t)gpr[GPR_RCX];
        break;
    case EXIT_EXCEPTION_NMI:
    case EXIT_EXTERNAL_INTERRUPT:
        record->word = vmcs_read(VMCS_EXIT_INTERRUPTION_INFORMATION);
        record->value = vmcs_read(VMCS_EXIT_INTERRUPTION_ERROR_CODE);
        break;
    case EXIT_VMCALL:
        record->word = (uint32_t)gpr[GPR_RAX];
        record->value = (uint32_t)gpr[GPR_RBX];
        break;
    case EXIT_RDMSR: /* its value is known at the end */
        record->word = (uint32_t)gpr[GPR_RCX];
        break;
    case EXIT_WRMSR:
    case EXIT_XSETBV:
        record->word = (uint32_t)gpr[GPR_RCX];
        record->value = edx_eax(gpr);
        break;
    case EXIT_IO:
        record->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
        record->value = low_bytes(gpr[GPR_RAX], (unsigned)(record->qualification & 7) + 1);
        break;
    case EXIT_CR_ACCESS:
        record->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
        record->value = cr_operand(gpr, record->qualification);
        break;
    case EXIT_EPT_VIOLATION:
        record->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
        record->guest_physical_address = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
        if (record->qualification & EPT_QUALIFICATION_LINEAR_VALID)
            record->guest_linear_address = vmcs_read(VMCS_GUEST_LINEAR_ADDRESS);
        break;
    case EXIT_EPT_MISCONFIG:
        record->guest_physical_address = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
        break;
    default:
        record->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
        break;
    }
}

static void end_misconfig(const struct vcpu *vcpu, struct trace_record *record)
{
    record->word = vcpu->misconfig.entry_hpa;
    record->qualification = vcpu->misconfig.entry.raw;
    record->value = vcpu->misconfig.offending;
    record->result.entry_level = vcpu->misconfig.level;
    record->result.entry_reasons = (uint16_t)vcpu->misconfig.reasons;
}

bool exit_trace_end_details(struct vcpu *vcpu, struct trace_record *record)
{
    const uint64_t *gpr = vcpu->registers.gpr;

    record->device = vcpu->device;
    switch (record->reason) {
    case EXIT_RDMSR:
        record->value = vcpu->result.code == RESULT_EMULATED ? edx_eax(gpr) : 0;
        break;
    case EXIT_VMCALL:
        if (record->word >= HYPERCALL_BIOS && record->word <= HYPERCALL_BIOS_LAST)
            record->value = vcpu->bios_function;
        break;
    case EXIT_IO:
        if (record->qualification & IO_QUALIFICATION_IN)
            record->value = low_bytes(gpr[GPR_RAX], (unsigned)(record->qualification & 7) + 1);
        break;
    case EXIT_CR_ACCESS:
        if (CR_ACCESS_KIND(record->qualification) == CR_ACCESS_READ)
            record->value = cr_operand(gpr, record->qualification);
        break;
    case EXIT_EPT_MISCONFIG:
        end_misconfig(vcpu, record);
        break;
    default:
        break;
    }
    return !(vcpu->traced[(uint8_t)record->reason] & EXIT_TRACED_IF) ||
           exit_trace_wanted(vcpu, record);
}
