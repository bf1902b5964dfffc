/* SPDX-License-Identifier: MIT */
/*
 * What the trace records of an exit that goes through C: taken from the VMCS and the guest's registers before
 * the handler changes anything, completed when it is done, in place in the CPU's ring. Quick exits are
 * recorded by vmm/exit_quick_record.inc.
 */
#ifndef VMM_EXIT_TRACE_H
#define VMM_EXIT_TRACE_H

#include "vmm/cpu.h"
#include "vmm/vcpu.h"
#include "vmm/vmcs.h"

/* Bits of vcpu->traced[reason]: 0 for an exit that is not traced. */
#define EXIT_TRACED    (1u << 0)
#define EXIT_TRACED_IF (1u << 1) /* exit_trace_wanted() decides, when the record is complete */

/* The details that some reasons have, at the exit and when it was handled. */
void exit_trace_begin_details(const struct vcpu *vcpu, struct trace_record *record);
/* false: filter= or trace_rate= do not let the record pass. */
bool exit_trace_end_details(struct vcpu *vcpu, struct trace_record *record);

/*
 * CS:RIP, and what tells the guest's mode. All processors have these fields, so that a VMREAD of them fails
 * only without a current VMCS, and then all four do: the last one's flags speak for all.
 */
static inline void exit_trace_place(struct trace_record *record)
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

/* Begins the record of the exit `reason` at `tsc`, in the ring. The vCPU's CPU, only for exits that are
 * traced. */
static inline void exit_trace_begin(const struct vcpu *vcpu, uint32_t reason, uint64_t tsc)
{
    struct trace_record *record = vcpu->ring->next;

    record->sequence = vcpu->exit_count;
    record->tsc = tsc;
    record->source = vcpu->trace_source;
    record->reason_alone = reason;
    exit_trace_place(record);
    exit_trace_begin_details(vcpu, record);
}

/* Adds what became of it, and puts it into the CPU's ring. */
static inline void exit_trace_end(struct vcpu *vcpu, uint64_t ticks)
{
    struct trace_ring *ring = vcpu->ring;
    struct trace_record *record = ring->next;

    record->ticks = ticks;
    record->result = vcpu->result;
    if (exit_trace_end_details(vcpu, record))
        trace_ring_put(ring, record);
}

#endif
