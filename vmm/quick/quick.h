/* SPDX-License-Identifier: MIT */
/*
 * Quick exits: those that vmm/quick/entry.asm ends before any C. Their answers are constants, which C
 * has noted before: CPUID and some MSRs for all, a hypercall's number or a port that nobody has when it comes
 * by there.
 *
 * This is the one place that says when an exit may be quick:
 *
 * - its kind is open: whether exits of its reason are traced is known beforehand
 * (exit_quick_trace_changed());
 * - nothing else is due on this vCPU: `closed` and the bytes behind it are zero. A new thing that a vCPU must
 * come to C for either becomes a condition in exit_quick_choose(), called on the vCPU's CPU whenever it
 * changes, or, if other CPUs ask for it, a byte of its own beside `look` and `kicked`;
 * - no moment is due: `due`, which the run loop sets before each entry (exit_quick_set_due()), has not come.
 *
 * A quick exit has the result that the handler in C has, is counted in the same statistics and in exit_count,
 * has the same trace record, and is nothing else: no look at devices, no check for the VM's end, no draining
 * of the trace. For other vCPUs (vmm/vm/shootdown_state.h) this one is in the guest all the time: nothing
 * that an INVEPT would matter for is used.
 */
#ifndef VMM_QUICK_QUICK_H
#define VMM_QUICK_QUICK_H

#include "arch/x86/compiler.h"
#include "vmm/quick/quick_abi.h"
#include <stdbool.h>
#include <stdint.h>

struct cpuid_result;
struct exit_subject;
struct trace_record;
struct vcpu;
struct vm;

/* What an exit must be about, and how often it was and its ticks, since the last exit_quick_collect(). */
struct quick_key {
    uint32_t key, unused;
    uint64_t count, ticks;
};

/* The answer to CPUID with a leaf; to other subleaves C answers. */
struct quick_cpuid {
    struct quick_key leaf;
    uint32_t eax, ebx, ecx, edx;
    uint32_t quick_below; /* quick with any ECX below this; 0: never */
    uint32_t unused[5];
};

/* An MSR that always reads the same. It stands at its number modulo the table's size. */
struct quick_msr {
    struct quick_key number;
    uint32_t low, high;
};

/*
 * An access to a port without a device: the exit qualification. It stands at the port modulo the table's
 * size. Its trace record's value is EAX | ones, of that `mask`.
 */
struct quick_port {
    struct quick_key qualification;
    uint32_t ones, mask;
};

struct exit_quick {
    uint64_t due;   /* TSC from which on no exit is quick; 0: none ever is */
    uint64_t start; /* TSC at the exit, of every exit */
    uint16_t kinds; /* EXIT_QUICK_..., of kinds that are closed; of traced ones << EXIT_QUICK_TRACED_SHIFT */
    bool closed;    /* as exit_quick_choose() found */
    bool look, kicked; /* other CPUs write these: a device asks for the processor, a shootdown for the CPU */
    bool unused[3];
    uint32_t reason;       /* the VMCS field EXIT_REASON, of every exit */
    uint32_t trap_flags;   /* bits of RFLAGS with which boundary_end() of vmm/vcpu/boundary.h is due */
    struct quick_key call; /* the number of the last unknown hypercall */
};

/* The table index of a leaf; QUICK_CPUID_LEAVES or more: it is not in the table. */
static inline uint32_t quick_cpuid_index(uint32_t leaf)
{
    return leaf << 2 | leaf >> 30;
}

/* The leaf at a table index. */
static inline uint32_t quick_cpuid_leaf(uint32_t index)
{
    return index >> 2 | index << 30;
}

/* Makes the vCPU's tables. Its CPU, before its first entry. */
void exit_quick_prepare(struct vcpu *vcpu);

/* vcpu->traced[] has changed. Any CPU, under the lock of vmm/exit/trace_filter.c. */
void exit_quick_trace_changed(struct vcpu *vcpu);

/*
 * Says again which exits may be quick. The vCPU's CPU, whenever one of these has changed: the windows that
 * the vCPU waits for, the step over one instruction, the monitor's `wait`. What else shall have its exits
 * come to C is a condition in here.
 */
void exit_quick_choose(struct vcpu *vcpu);

/* Before each entry; `now`: TSC. */
void exit_quick_set_due(struct vcpu *vcpu, uint64_t now);
/* After it: something else is due at this TSC, if nothing is before. */
void exit_quick_due_by(struct vcpu *vcpu, uint64_t tsc);

/* What CPUID tells, if it was made beforehand; but for SYSCALL, which the guest's mode decides. false: it was
 * not. The vCPU's CPU. */
must_check bool exit_quick_has_cpuid(const struct vcpu *vcpu, uint32_t leaf, uint32_t subleaf,
                                     struct cpuid_result *result);

/* The guest's CR4.OSXSAVE is now so; its XCR0 has changed: CPUID shows it. The vCPU's CPU. */
void exit_quick_osxsave_changed(struct vcpu *vcpu, bool on);
void exit_quick_xcr0_changed(struct vcpu *vcpu);

/* The local APIC may have been enabled or disabled, and CPUID shows it. Any of the VM's vCPUs. */
void exit_quick_apic_changed(struct vm *vm);

/* No hypercall has this number; nobody answers to this port access. The vCPU's CPU. */
void exit_quick_note_call(struct vcpu *vcpu, uint32_t number);
void exit_quick_note_port(struct vcpu *vcpu, uint32_t qualification);

/*
 * Adds what quick exits were about to vcpu->subjects, where all other exits are counted at once. Before these
 * are looked at; the vCPU's CPU, or any when it does not run.
 */
void exit_quick_collect(struct vcpu *vcpu);

/*
 * vmm/exit/ept.c: a violation at a page beside the last ones, which a single entry settles. For
 * vmm/quick/entry.asm alone; RAX, RCX, RDX, RBX and RSI, RDI, R8 to R11 of the guest are stored, the others
 * still in the processor. What it was about, counted, but for the ticks; NULL: C is to handle the exit.
 */
struct exit_subject *exit_quick_ept(struct vcpu *vcpu);
/* The same; fills what is left of the trace record, but for what is the same for all quick exits and for the
 * ticks. `open`: what an exit that is the same would be folded into, which is left to C. */
struct exit_subject *exit_quick_ept_traced(struct vcpu *vcpu, struct trace_record *record,
                                           const struct trace_record *open);

/* HOST_RIP. */
extern const char exit_quick_entry[];

#endif
