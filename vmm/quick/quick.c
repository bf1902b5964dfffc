/* SPDX-License-Identifier: MIT */
/* Quick exits: their tables, and when they are allowed. */
#include "vmm/quick/quick.h"
#include "arch/x86/vmx_fields.h"
#include "arch/x86/control_registers.h"
#include "vmm/exit/msr.h"
#include "vmm/exit/trace.h"
#include "vmm/vcpu/cpuid.h"
#include "vmm/host/machine.h"
#include "vmm/vm/vm.h"
#include "vmm/host/weakness.h"
#include "vmm/host/workaround.h"
#include "vmm/devices/pc.h"
#include <stddef.h>

/* No access to a port has it. */
#define NO_QUALIFICATION (~0u)

#define LEAF_FEATURES 1u
#define LEAF_CACHES   4u
#define LEAF_MORE     7u
#define LEAF_TOPOLOGY 0xbu
#define LEAF_XSAVE    0xdu

#define AT(field, offset) _Static_assert(offsetof(struct vcpu, field) == (offset), "vmm/quick/quick_abi.h")
AT(registers, 0);
AT(quick.due, VCPU_QUICK_DUE);
AT(quick.start, VCPU_QUICK_START);
AT(exit_count, VCPU_EXIT_COUNT);
AT(quick.kinds, VCPU_QUICK_CLOSED);
AT(quick.closed, VCPU_QUICK_CLOSED + 2);
AT(quick.look, VCPU_QUICK_CLOSED + 3);
AT(quick.kicked, VCPU_QUICK_CLOSED + 4);
AT(quick.unused, VCPU_QUICK_CLOSED + 5);
AT(quick.reason, VCPU_QUICK_REASON);
AT(quick.trap_flags, VCPU_QUICK_TRAP_FLAGS);
AT(quick.call, VCPU_QUICK_CALL);
AT(trace_source, VCPU_TRACE_SOURCE);
AT(ring, VCPU_RING);
AT(statistics, VCPU_STATISTICS);
AT(quick_cpuid, VCPU_QUICK_CPUID);
AT(quick_msrs, VCPU_QUICK_MSRS);
AT(quick_ports, VCPU_QUICK_PORTS);
#undef AT

#define IS(a, b) _Static_assert((a) == (b), "vmm/quick/quick_abi.h")
IS(offsetof(struct quick_key, key), QUICK_KEY);
IS(offsetof(struct quick_key, count), QUICK_COUNT);
IS(offsetof(struct quick_key, ticks), QUICK_TICKS);
IS(offsetof(struct exit_subject, ticks), QUICK_TICKS);
IS(offsetof(struct quick_cpuid, leaf), 0);
IS(offsetof(struct quick_cpuid, eax), QUICK_CPUID_EAX);
IS(offsetof(struct quick_cpuid, ebx), QUICK_CPUID_EBX);
IS(offsetof(struct quick_cpuid, ecx), QUICK_CPUID_ECX);
IS(offsetof(struct quick_cpuid, edx), QUICK_CPUID_EDX);
IS(offsetof(struct quick_cpuid, quick_below), QUICK_CPUID_QUICK_BELOW);
IS(sizeof(struct quick_cpuid), 1 << QUICK_CPUID_SHIFT);
IS(offsetof(struct quick_msr, number), 0);
IS(offsetof(struct quick_msr, low), QUICK_MSR_LOW);
IS(offsetof(struct quick_msr, high), QUICK_MSR_HIGH);
IS(sizeof(struct quick_msr), 1 << QUICK_MSR_SHIFT);
IS(offsetof(struct quick_port, qualification), 0);
IS(sizeof(struct quick_port), 1 << QUICK_PORT_SHIFT);
IS(offsetof(struct quick_port, ones), QUICK_PORT_ONES);
IS(offsetof(struct quick_port, mask), QUICK_PORT_MASK);
IS(offsetof(struct trace_ring, next), RING_NEXT);
IS(offsetof(struct trace_ring, limit), RING_LIMIT);
IS(offsetof(struct trace_ring, held), RING_HELD);
IS(offsetof(struct trace_ring, open), RING_OPEN);
IS(offsetof(struct trace_ring, pending), RING_PENDING);
IS(sizeof(struct trace_record), RECORD_SIZE);
IS(offsetof(struct trace_record, sequence), RECORD_SEQUENCE);
IS(offsetof(struct trace_record, tsc), RECORD_TSC);
IS(offsetof(struct trace_record, source), RECORD_SOURCE);
IS(offsetof(struct trace_record, rip), RECORD_RIP);
IS(offsetof(struct trace_record, cs), RECORD_CS);
IS(offsetof(struct trace_record, cs_rights), RECORD_CS_RIGHTS);
IS(offsetof(struct trace_record, cr0), RECORD_CR0);
IS(offsetof(struct trace_record, qualification), RECORD_QUALIFICATION);
IS(offsetof(struct trace_record, guest_linear_address), RECORD_LINEAR);
IS(offsetof(struct trace_record, word), RECORD_WORD);
IS(offsetof(struct trace_record, value), RECORD_VALUE);
IS(offsetof(struct trace_record, ticks), RECORD_TICKS);
IS(offsetof(struct trace_record, reason), RECORD_REASON);
IS(offsetof(struct trace_record, reason_alone), RECORD_REASON);
IS(offsetof(struct trace_record, folded), RECORD_FOLDED);
IS(offsetof(struct trace_record, result), RECORD_RESULT);
IS(offsetof(struct trace_result, code), 0);
IS((int)RESULT_EMULATED, QUICK_RESULT_EMULATED);
IS((int)RESULT_NO_DEVICE, QUICK_RESULT_NO_DEVICE);
IS((int)RESULT_UNKNOWN_CALL, QUICK_RESULT_UNKNOWN_CALL);
IS(sizeof(struct exit_statistics), STATISTICS_SIZE);
IS(offsetof(struct exit_statistics, ticks), STATISTICS_TICKS);
IS(offsetof(struct exit_statistics, min), STATISTICS_MIN);
IS(offsetof(struct exit_statistics, max), STATISTICS_MAX);
IS(offsetof(struct exit_statistics, histogram), STATISTICS_HISTOGRAM);
IS(EXIT_HISTOGRAM_BINS - 1, STATISTICS_LAST_BIN);
IS((int)EXIT_CPUID, QUICK_REASON_CPUID);
IS((int)EXIT_VMCALL, QUICK_REASON_VMCALL);
IS((int)EXIT_IO, QUICK_REASON_IO);
IS((int)EXIT_RDMSR, QUICK_REASON_RDMSR);
IS((int)EXIT_EPT_VIOLATION, QUICK_REASON_EPT_VIOLATION);
IS((int)VMCS_GUEST_CS_SELECTOR, QUICK_FIELD_CS);
IS((int)VMCS_GUEST_CS_ACCESS_RIGHTS, QUICK_FIELD_CS_RIGHTS);
IS((int)VMCS_GUEST_CR0, QUICK_FIELD_CR0);
IS((int)VMCS_GUEST_LINEAR_ADDRESS, QUICK_FIELD_LINEAR);
IS((int)VMCS_EXIT_REASON, QUICK_FIELD_REASON);
IS((int)VMCS_EXIT_INSTRUCTION_LENGTH, QUICK_FIELD_INSTRUCTION_LENGTH);
IS((int)VMCS_EXIT_QUALIFICATION, QUICK_FIELD_QUALIFICATION);
IS((int)VMCS_GUEST_RIP, QUICK_FIELD_RIP);
IS((int)VMCS_GUEST_RFLAGS, QUICK_FIELD_RFLAGS);
#undef IS

/* Whether the data of this leaf differs by ECX. */
static bool has_subleaves(uint32_t leaf)
{
    return leaf == LEAF_CACHES || leaf == LEAF_MORE || leaf == LEAF_TOPOLOGY || leaf == LEAF_XSAVE;
}

/* With CR4.OSXSAVE clear. */
static void fill(struct vcpu *vcpu, uint32_t leaf)
{
    struct quick_cpuid *answer = &vcpu->quick_cpuid[quick_cpuid_index(leaf)];
    struct cpuid_result result = guest_cpuid(leaf, 0, vcpu->xcr0, lapic_is_enabled(&vcpu->vm->pc->lapic));

    answer->leaf.key = leaf;
    answer->eax = result.eax;
    answer->ebx = result.ebx;
    answer->ecx = result.ecx;
    answer->edx = result.edx;
    answer->quick_below = has_subleaves(leaf) ? 1 : UINT32_MAX;
    if (leaf == GUEST_CPUID_EXTENDED_1) /* the guest's mode decides */
        answer->quick_below = 0;
}

bool exit_quick_has_cpuid(const struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                          struct cpuid_result *result)
{
    uint32_t index = quick_cpuid_index(leaf);
    const struct quick_cpuid *answer = &vcpu->quick_cpuid[index % QUICK_CPUID_LEAVES];

    if (index >= QUICK_CPUID_LEAVES || (subleaf != 0 && has_subleaves(leaf)))
        return false;
    *result = (struct cpuid_result){answer->eax, answer->ebx, answer->ecx, answer->edx};
    return true;
}

void exit_quick_prepare(struct vcpu *vcpu)
{
    for (uint32_t index = 0; index < QUICK_CPUID_LEAVES; index++)
        fill(vcpu, quick_cpuid_leaf(index));
    guest_cpuid_xsave_ends(vcpu->xsave_ends);
    msr_constants_fill(vcpu->quick_msrs);
    for (unsigned i = 0; i < QUICK_PORTS; i++)
        vcpu->quick_ports[i].qualification.key = NO_QUALIFICATION;
    vcpu->quick_off =
        cmdline_has_test(machine_options(), "no-quick-exits") || weakness_verw() || weakness_flush_l1d();
    exit_quick_choose(vcpu);
}

/* A kind whose exits may be recorded or not, as each is about, is closed. */
static unsigned kind_of(const struct vcpu *vcpu, enum exit_reason reason, unsigned kind)
{
    switch (vcpu->traced[reason]) {
    case 0:
        return 0;
    case EXIT_TRACED: /* their assembly reads the CS selector */
        return workaround_active(WORKAROUND_SPARE_CS) ? kind : kind << EXIT_QUICK_TRACED_SHIFT;
    default:
        return kind;
    }
}

void exit_quick_trace_changed(struct vcpu *vcpu)
{
    unsigned kinds = kind_of(vcpu, EXIT_VMCALL, EXIT_QUICK_VMCALL) |
                     kind_of(vcpu, EXIT_CPUID, EXIT_QUICK_CPUID) |
                     kind_of(vcpu, EXIT_RDMSR, EXIT_QUICK_RDMSR) | kind_of(vcpu, EXIT_IO, EXIT_QUICK_IO) |
                     kind_of(vcpu, EXIT_EPT_VIOLATION, EXIT_QUICK_EPT);

    __atomic_store_n(&vcpu->quick.kinds, (uint16_t)kinds, __ATOMIC_RELAXED);
}

void exit_quick_choose(struct vcpu *vcpu)
{
    vcpu->quick.closed =
        vcpu->step.active || vcpu->stop_at_exit != 0 || vcpu->interrupts.windows != 0 || vcpu->quick_off;
}

void exit_quick_osxsave_changed(struct vcpu *vcpu, bool on)
{
    uint32_t *ecx = &vcpu->quick_cpuid[quick_cpuid_index(LEAF_FEATURES)].ecx;

    *ecx = on ? *ecx | CPUID_1_ECX_OSXSAVE : *ecx & ~CPUID_1_ECX_OSXSAVE;
}

void exit_quick_xcr0_changed(struct vcpu *vcpu)
{
    vcpu->quick_cpuid[quick_cpuid_index(LEAF_XSAVE)].ebx =
        guest_cpuid_xsave_size(vcpu->xsave_ends, vcpu->xcr0);
}

void exit_quick_apic_changed(struct vm *vm)
{
    bool enabled = lapic_is_enabled(&vm->pc->lapic);

    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        uint32_t *edx = &vm->vcpus[i].quick_cpuid[quick_cpuid_index(LEAF_FEATURES)].edx;

        if (enabled)
            (void)__atomic_or_fetch(edx, CPUID_1_EDX_APIC, __ATOMIC_RELAXED);
        else
            (void)__atomic_and_fetch(edx, ~CPUID_1_EDX_APIC, __ATOMIC_RELAXED);
    }
}

/* Its count goes to where all others are counted. */
static void settle(struct vcpu *vcpu, enum exit_subject_kind kind, uint64_t subject, struct quick_key *key)
{
    if (key->count != 0)
        exit_subject_add(&vcpu->subjects, kind, subject, key->count, key->ticks);
    key->count = key->ticks = 0;
}

void exit_quick_note_call(struct vcpu *vcpu, uint32_t number)
{
    settle(vcpu, SUBJECT_HYPERCALL, vcpu->quick.call.key, &vcpu->quick.call);
    vcpu->quick.call.key = number;
}

void exit_quick_note_port(struct vcpu *vcpu, uint32_t qualification)
{
    uint32_t port = qualification >> QUICK_IO_PORT_SHIFT;
    struct quick_port *place = &vcpu->quick_ports[port % QUICK_PORTS];

    settle(vcpu, SUBJECT_PORT, place->qualification.key >> QUICK_IO_PORT_SHIFT, &place->qualification);
    place->qualification.key = qualification;
    place->ones = qualification & QUICK_IO_IN ? UINT32_MAX : 0;
    place->mask = UINT32_MAX >> (24 - 8 * (qualification & 3));
}

void exit_quick_collect(struct vcpu *vcpu)
{
    settle(vcpu, SUBJECT_HYPERCALL, vcpu->quick.call.key, &vcpu->quick.call);
    for (unsigned i = 0; i < QUICK_CPUID_LEAVES; i++)
        settle(vcpu, SUBJECT_CPUID, vcpu->quick_cpuid[i].leaf.key, &vcpu->quick_cpuid[i].leaf);
    for (unsigned i = 0; i < QUICK_MSRS; i++)
        settle(vcpu, SUBJECT_MSR, vcpu->quick_msrs[i].number.key, &vcpu->quick_msrs[i].number);
    for (unsigned i = 0; i < QUICK_PORTS; i++) {
        struct quick_key *key = &vcpu->quick_ports[i].qualification;

        settle(vcpu, SUBJECT_PORT, key->key >> QUICK_IO_PORT_SHIFT, key);
    }
}

/*
 * A quick exit enters the guest with the VMX-preemption timer at its full value again, and the run loop is
 * not asked. So none is quick after the timer's period, nor when the entry could make the guest come back for
 * interrupts.wake later than it would have, but for a little slack: without it a guest that has a deadline
 * soon would have no quick exit at all.
 */
void exit_quick_set_due(struct vcpu *vcpu, uint64_t now)
{
    const struct vcpu_interrupts *state = &vcpu->interrupts;
    uint64_t due = now + state->timer_reach, left = state->wake > now ? state->wake - now : 0;

    if (unlikely(left < 2 * state->timer_reach))
        due = state->timer_slack + (left > state->timer_reach ? state->wake - state->timer_reach : now);
    else if (unlikely(state->timer_reach == 0)) /* this processor has no such timer */
        due = state->wake;
    vcpu->quick.due = due;
}

void exit_quick_due_by(struct vcpu *vcpu, uint64_t tsc)
{
    if (vcpu->quick.due > tsc)
        vcpu->quick.due = tsc;
}
