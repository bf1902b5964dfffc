/* SPDX-License-Identifier: MIT */
/* Filling a trace record from the VMCS and the guest's registers. */
#include "vmm/exit_trace.h"
#include "arch/x86/control_registers.h"
#include "vmm/cpu.h"
#include "vmm/hypercall_abi.h"
#include "vmm/vm.h"
#include "vmm/vmcs.h"

/* Bits of the exit qualification for EPT violations: 7 = the guest linear address is valid. */
#define EPT_QUALIFICATION_LINEAR_VALID (UINT64_C(1) << 7)
#define IO_QUALIFICATION_IN            8u
#define CR_ACCESS_KIND(qualification)  (((qualification) >> 4) & 3)
#define CR_ACCESS_READ                 1
#define CR_ACCESS_LMSW                 3
#define CODE_SEGMENT_L                 (1u << 13) /* 64-bit code; it is only set while IA32_EFER.LMA is */

static uint64_t edx_eax(const uint64_t *gpr)
{
    return (gpr[GPR_RDX] << 32) | (uint32_t)gpr[GPR_RAX];
}

static uint64_t low_bytes(uint64_t value, unsigned size)
{
    return size >= 8 ? value : value & ((UINT64_C(1) << (8 * size)) - 1);
}

static void begin_ept(struct trace_exit *exit)
{
    exit->guest_physical_address = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
    exit->has_address = 1;
    if (exit->reason == EXIT_EPT_VIOLATION && (exit->qualification & EPT_QUALIFICATION_LINEAR_VALID)) {
        exit->guest_linear_address = vmcs_read(VMCS_GUEST_LINEAR_ADDRESS);
        exit->has_address |= 2;
    }
}

/* The general-purpose register that a control-register access names. */
static uint64_t cr_operand(const uint64_t *gpr, uint64_t qualification)
{
    unsigned number = (qualification >> 8) & 15;

    if (CR_ACCESS_KIND(qualification) == CR_ACCESS_LMSW)
        return (qualification >> 16) & 0xffff;
    return number == GPR_RSP ? vmcs_read(VMCS_GUEST_RSP) : gpr[number];
}

static void begin_details(const struct vcpu *vcpu, struct trace_exit *exit)
{
    const uint64_t *gpr = vcpu->registers.gpr;

    switch (exit->reason) {
    case EXIT_EXCEPTION_NMI:
    case EXIT_EXTERNAL_INTERRUPT:
        exit->word = vmcs_read(VMCS_EXIT_INTERRUPTION_INFORMATION);
        exit->value = vmcs_read(VMCS_EXIT_INTERRUPTION_ERROR_CODE);
        break;
    case EXIT_CPUID:
        exit->word = (uint32_t)gpr[GPR_RAX];
        exit->value = (uint32_t)gpr[GPR_RCX];
        break;
    case EXIT_VMCALL:
        exit->word = (uint32_t)gpr[GPR_RAX];
        exit->value = (uint32_t)gpr[GPR_RBX];
        break;
    case EXIT_RDMSR: /* its value is known at the end */
    case EXIT_WRMSR:
    case EXIT_XSETBV:
        exit->word = (uint32_t)gpr[GPR_RCX];
        exit->value = exit->reason == EXIT_RDMSR ? 0 : edx_eax(gpr);
        break;
    case EXIT_IO:
        exit->value = exit->qualification & IO_QUALIFICATION_IN
                          ? 0
                          : low_bytes(gpr[GPR_RAX], (unsigned)(exit->qualification & 7) + 1);
        break;
    case EXIT_CR_ACCESS:
        exit->value = cr_operand(gpr, exit->qualification);
        break;
    case EXIT_EPT_VIOLATION:
    case EXIT_EPT_MISCONFIG:
        begin_ept(exit);
        break;
    default:
        break;
    }
}

static enum trace_mode mode_now(void)
{
    if (!(vmcs_read(VMCS_GUEST_CR0) & CR0_PE) || (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_VM))
        return TRACE_MODE_REAL;
    return vmcs_read(VMCS_GUEST_CS_ACCESS_RIGHTS) & CODE_SEGMENT_L ? TRACE_MODE_LONG : TRACE_MODE_PROTECTED;
}

void exit_trace_begin(const struct vcpu *vcpu, struct trace_record *record, uint64_t tsc)
{
    struct trace_exit *exit = &record->exit;

    *record = (struct trace_record){.kind = TRACE_EXIT, .vm = vcpu->vm->id, .tsc = tsc};
    record->cpu = (uint16_t)vcpu->cpu->percpu->index;
    record->vcpu = vcpu->vm->vcpu_count > 1 ? (uint16_t)(vcpu->index + 1) : 0;
    record->sequence = vcpu->exit_count;
    exit->reason = vcpu->exit_reason;
    exit->repeats = 1;
    exit->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
    exit->cs = (uint16_t)vmcs_read(VMCS_GUEST_CS_SELECTOR);
    exit->rip = vmcs_read(VMCS_GUEST_RIP);
    exit->mode = (uint8_t)mode_now();
    begin_details(vcpu, exit);
}

void exit_trace_end(const struct vcpu *vcpu, struct trace_record *record, uint64_t ticks)
{
    struct trace_exit *exit = &record->exit;
    const uint64_t *gpr = vcpu->registers.gpr;

    if (exit->reason == EXIT_RDMSR && vcpu->result.code == RESULT_EMULATED)
        exit->value = edx_eax(gpr);
    if (exit->reason == EXIT_VMCALL && exit->word >= HYPERCALL_BIOS && exit->word <= HYPERCALL_BIOS_LAST)
        exit->value = vcpu->bios_function;
    if (exit->reason == EXIT_IO && (exit->qualification & IO_QUALIFICATION_IN))
        exit->value = low_bytes(gpr[GPR_RAX], (unsigned)(exit->qualification & 7) + 1);
    if (exit->reason == EXIT_EPT_MISCONFIG) {
        exit->word = vcpu->misconfig.entry_hpa;
        exit->qualification = vcpu->misconfig.entry.raw;
        exit->value = vcpu->misconfig.offending;
        exit->entry_level = vcpu->misconfig.level;
        exit->entry_reasons = (uint16_t)vcpu->misconfig.reasons;
    }
    if (exit->reason == EXIT_CR_ACCESS && CR_ACCESS_KIND(exit->qualification) == CR_ACCESS_READ)
        exit->value = cr_operand(gpr, exit->qualification);
    exit->ticks = ticks;
    exit->result = vcpu->result;
    trace_record_exit(&vcpu->cpu->trace, record);
}
