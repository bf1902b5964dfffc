/* SPDX-License-Identifier: MIT */
/*
 * What the trace records of an exit that goes through C: taken from the VMCS and the guest's registers before
 * the handler changes anything, completed when it is done, in place in the CPU's ring. Quick exits are
 * recorded by vmm/quick/record.inc.
 *
 * All inline: where the reason is a constant only what this reason needs is left, and that is what keeps a
 * record cheap. What the handler does not change is taken when it is done, so that nothing is taken twice.
 */
#ifndef VMM_EXIT_TRACE_H
#define VMM_EXIT_TRACE_H

#include "vmm/host/cpu.h"
#include "vmm/exit/trace_filter.h"
#include "vmm/hypercall_abi.h"
#include "vmm/vcpu/vcpu.h"
#include "vmm/vcpu/vmcs.h"

/* Bits of vcpu->traced[reason]: 0 for an exit that is not traced. */
#define EXIT_TRACED    (1u << 0)
#define EXIT_TRACED_IF (1u << 1) /* exit_trace_wanted() decides, when the record is complete */

#define EXIT_TRACE_INLINE static inline __attribute__((always_inline))

#define EXIT_TRACE_CR_KIND(qualification) (((qualification) >> 4) & 3)
#define EXIT_TRACE_CR_LMSW                3

/* A field of the VMCS, straight into the record. Unchecked: exit_trace_place() follows, and speaks for it. */
EXIT_TRACE_INLINE void exit_trace_read(enum vmcs_field field, uint64_t *to)
{
    uint64_t scratch;

    VMX_BENCH_COUNT(vmx_bench_reads);
    __asm__ volatile("mov %[field], %k[scratch]\n\tvmread %[scratch], %[to]"
                     : [to] "=m"(*to), [scratch] "=&r"(scratch)
                     : [field] "i"(field)
                     : "cc");
}

/*
 * CS:RIP, and what tells the guest's mode. All processors have these fields, so that a VMREAD of them fails
 * only without a current VMCS, and then all do: the last one's flags speak for all.
 */
EXIT_TRACE_INLINE void exit_trace_place(struct trace_record *record)
{
    bool failed;

    for (unsigned i = 0; i < 4; i++)
        VMX_BENCH_COUNT(vmx_bench_reads);
    __asm__ volatile("mov %[rip_field], %%eax\n\tvmread %%rax, %[rip]\n\t"
                     "mov %[cs_field], %%eax\n\tvmread %%rax, %[cs]\n\t"
                     "mov %[rights_field], %%eax\n\tvmread %%rax, %[rights]\n\t"
                     "mov %[cr0_field], %%eax\n\tvmread %%rax, %[cr0]"
                     : "=@ccbe"(failed), [rip] "=m"(record->rip), [cs] "=m"(record->cs),
                       [rights] "=m"(record->cs_rights), [cr0] "=m"(record->cr0)
                     : [rip_field] "i"(VMCS_GUEST_RIP), [cs_field] "i"(VMCS_GUEST_CS_SELECTOR),
                       [rights_field] "i"(VMCS_GUEST_CS_ACCESS_RIGHTS), [cr0_field] "i"(VMCS_GUEST_CR0)
                     : "rax");
    if (unlikely(failed))
        vmcs_read_failed(VMCS_GUEST_RIP);
}

/* The same, and the CS selector only where the mode asks for it: WORKAROUND_SPARE_CS. */
EXIT_TRACE_INLINE void exit_trace_place_sparing(struct trace_record *record)
{
    record->rip = vmcs_read(VMCS_GUEST_RIP);
    record->cs_rights = vmcs_read(VMCS_GUEST_CS_ACCESS_RIGHTS);
    record->cr0 = vmcs_read(VMCS_GUEST_CR0);
    record->cs =
        trace_record_mode(record) == TRACE_MODE_REAL ? vmcs_read(VMCS_GUEST_CS_SELECTOR) : TRACE_NO_CS;
}

EXIT_TRACE_INLINE uint64_t exit_trace_edx_eax(const uint64_t *gpr)
{
    return (gpr[GPR_RDX] << 32) | (uint32_t)gpr[GPR_RAX];
}

/* What an access to a port has moved: the low 1, 2 or 4 bytes, as bits 2:0 of the qualification say. */
EXIT_TRACE_INLINE uint64_t exit_trace_io_value(const uint64_t *gpr, uint64_t qualification)
{
    static const uint32_t moved[8] = {[0] = 0xff, [1] = 0xffff, [3] = 0xffffffff};

    return gpr[GPR_RAX] & moved[qualification & 7];
}

/* The general-purpose register that a control-register access names. */
EXIT_TRACE_INLINE uint64_t exit_trace_cr_value(const uint64_t *gpr, uint64_t qualification)
{
    unsigned number = (qualification >> 8) & 15;

    if (unlikely(EXIT_TRACE_CR_KIND(qualification) == EXIT_TRACE_CR_LMSW))
        return (qualification >> 16) & 0xffff;
    return unlikely(number == GPR_RSP) ? vmcs_read(VMCS_GUEST_RSP) : gpr[number];
}

/* Begins the record of the exit `reason`, which vcpu->quick began, in the ring. The vCPU's CPU, only for
 * exits that are traced. */
EXIT_TRACE_INLINE void exit_trace_begin(const struct vcpu *vcpu, uint32_t reason, bool spare_cs)
{
    struct trace_record *record = vcpu->ring->next;
    const uint64_t *gpr = vcpu->registers.gpr;

    record->sequence = vcpu->exit_count;
    record->tsc = vcpu->quick.start;
    record->source = vcpu->trace_source;
    record->reason_alone = reason;
    switch (reason) {
    case EXIT_CPUID:
        record->word = (uint32_t)gpr[GPR_RAX];
        record->value = (uint32_t)gpr[GPR_RCX];
        break;
    case EXIT_EXCEPTION_NMI:
    case EXIT_EXTERNAL_INTERRUPT:
        exit_trace_read(VMCS_EXIT_INTERRUPTION_INFORMATION, &record->word);
        exit_trace_read(VMCS_EXIT_INTERRUPTION_ERROR_CODE, &record->value);
        break;
    case EXIT_VMCALL:
        record->word = (uint32_t)gpr[GPR_RAX];
        record->value = (uint32_t)gpr[GPR_RBX];
        break;
    case EXIT_RDMSR:
        record->word = (uint32_t)gpr[GPR_RCX];
        break;
    case EXIT_WRMSR:
    case EXIT_XSETBV:
        record->word = (uint32_t)gpr[GPR_RCX];
        record->value = exit_trace_edx_eax(gpr);
        break;
    case EXIT_EPT_VIOLATION: /* the linear address also where the qualification says that it means nothing */
        exit_trace_read(VMCS_EXIT_QUALIFICATION, &record->qualification);
        exit_trace_read(VMCS_GUEST_PHYSICAL_ADDRESS, &record->guest_physical_address);
        exit_trace_read(VMCS_GUEST_LINEAR_ADDRESS, &record->guest_linear_address);
        break;
    case EXIT_EPT_MISCONFIG:
        exit_trace_read(VMCS_GUEST_PHYSICAL_ADDRESS, &record->guest_physical_address);
        break;
    default:
        exit_trace_read(VMCS_EXIT_QUALIFICATION, &record->qualification);
        break;
    }
    if (spare_cs)
        exit_trace_place_sparing(record);
    else
        exit_trace_place(record);
}

EXIT_TRACE_INLINE void exit_trace_end_misconfig(const struct vcpu *vcpu, struct trace_record *record)
{
    record->word = vcpu->misconfig.entry_hpa;
    record->qualification = vcpu->misconfig.entry.raw;
    record->value = vcpu->misconfig.offending;
    record->result.entry_level = vcpu->misconfig.level;
    record->result.entry_reasons = (uint16_t)vcpu->misconfig.reasons;
}

/* Adds what became of it. RESULT_DEVICE comes of I/O and EPT violations alone. */
EXIT_TRACE_INLINE void exit_trace_end(const struct vcpu *vcpu, uint32_t reason, struct trace_record *record,
                                      uint64_t ticks)
{
    const uint64_t *gpr = vcpu->registers.gpr;

    record->ticks = ticks;
    record->result = vcpu->result;
    switch (reason) {
    case EXIT_RDMSR:
        record->value = vcpu->result.code == RESULT_EMULATED ? exit_trace_edx_eax(gpr) : 0;
        break;
    case EXIT_VMCALL:
        if (record->word - HYPERCALL_BIOS <= HYPERCALL_BIOS_LAST - HYPERCALL_BIOS)
            record->value = vcpu->bios_function;
        break;
    case EXIT_IO:
        record->device = vcpu->device;
        record->value = exit_trace_io_value(gpr, record->qualification);
        break;
    case EXIT_CR_ACCESS:
        record->value = exit_trace_cr_value(gpr, record->qualification);
        break;
    case EXIT_EPT_VIOLATION:
        record->device = vcpu->device;
        break;
    case EXIT_EPT_MISCONFIG:
        exit_trace_end_misconfig(vcpu, record);
        break;
    default:
        break;
    }
}

/* Puts the record, which is ring->next, into the ring, when no filter has a say. */
EXIT_TRACE_INLINE void exit_trace_put(struct trace_ring *ring, uint32_t reason, struct trace_record *record)
{
    /* One instruction that touches one page after the other is not compared any closer. */
    if (reason == EXIT_EPT_VIOLATION &&
        likely(ring->open->guest_physical_address != record->guest_physical_address))
        trace_ring_add(ring, record);
    else
        trace_ring_put(ring, record);
}

#endif
