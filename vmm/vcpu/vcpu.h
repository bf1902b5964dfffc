/* SPDX-License-Identifier: MIT */
/*
 * A virtual processor. It belongs to one VM and runs on one CPU. While it runs only that CPU touches it, and
 * nothing in here is locked; but other CPUs reach it by words that are accessed atomically: `sync` and `start`
 * (the VM's other vCPUs), `attention`, `attends` and interrupts.wake (who stops or steps the VM), quick.look
 * (devices) and quick.kicked, `traced`, `recorders` and quick.kinds (the trace's filter, under its lock), and
 * the answers to CPUID that show the local APIC (exit_quick_apic_changed()).
 */
#ifndef VMM_VCPU_VCPU_H
#define VMM_VCPU_VCPU_H

#include "arch/x86/vmx_capabilities.h"
#include "arch/x86/vmx_entry.h"
#include "ept/misconfig.h"
#include "ept/near.h"
#include "vmm/quick/quick.h"
#include "arch/x86/exit_reason.h"
#include "vmm/trace/exit_statistics.h"
#include "vmm/trace/subjects.h"
#include "vmm/vcpu/cpuid.h"
#include "vmm/emulate/mmio_code.h"
#include "vmm/vm/shootdown_state.h"
#include "vmm/debug/step.h"
#include "vmm/trace/filter.h"
#include "vmm/trace/record.h"
#include "vmm/debug/watch.h"
#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct vm;
struct vmm_cpu;

/* Places of vcpu->traced[]: as many as a byte has values, so that no exit need look whether its reason has
 * one. */
#define EXIT_TRACED_REASONS 256

/* Handles an exit, and records it; enum exit_action of vmm/exit/exit.h. */
typedef uint32_t exit_recorder(struct vcpu *vcpu);

/* What the VMCS tells of an EPT violation, read once. */
struct ept_violation {
    uint64_t exit_count; /* the vCPU's, of the exit that it is of */
    uint64_t qualification;
    uint64_t guest_physical_address;
    uint64_t vectoring; /* IDT-vectoring information */
};

/* An EPT fault as HYPERCALL_LAST_FAULT reports it. */
struct last_fault {
    uint32_t reason; /* 48, 49, or 0: none yet */
    uint32_t level;
    uint32_t detail; /* FAULT_ACCESS_... or PLANT_... */
};

/* An EPT fault that comes again at the same place without progress ends the guest. */
#define NO_PROGRESS_LIMIT 16

struct no_progress {
    uint64_t guest_physical_address;
    uint64_t rip;
    uint64_t exit_count; /* of the fault before */
    uint64_t caught_up;  /* the vCPU's, at the fault before */
    uint32_t count;
};

/* By HLT, and with which RFLAGS.IF: interrupts_wait() before the next entry. */
enum vcpu_halted { VCPU_NOT_HALTED, VCPU_HALTED_IF_SET, VCPU_HALTED_IF_CLEAR };

/* What its devices want of it, and when. */
struct vcpu_interrupts {
    uint8_t halted;        /* enum vcpu_halted, atomic: the VM's other vCPUs read it */
    bool advanced;         /* this exit's instruction was done in the guest's stead */
    uint32_t windows;      /* of the primary controls: interrupt-window and NMI-window exiting, as written */
    uint64_t wake;         /* TSC at which interrupts_wake() has something to do */
    uint64_t deadline;     /* of the devices, by guest time, that `wake` was made from */
    uint64_t console;      /* TSC at which the console is read next */
    uint64_t timer_reach;  /* TSC ticks of timer_period */
    uint64_t timer_slack;  /* TSC ticks by which the guest may come back later than is due */
    uint32_t timer_value;  /* of the VMX-preemption timer, as written */
    uint32_t timer_least;  /* the shortest that it is set to: timer_slack */
    uint32_t timer_period; /* the longest; 0: this processor has no such timer */
    uint8_t timer_rate;    /* it counts once every 2^rate TSC ticks */
};

/* Breakpoints that the accesses of an instruction done in the guest's stead touch: vmm/vcpu/boundary.h. */
struct boundary_matched {
    uint64_t exit_count; /* the vCPU's, of the exit that they are of */
    uint64_t pending;    /* debug exceptions */
};

/* How another vCPU starts this one. */
enum vcpu_start_state { VCPU_WAITS, VCPU_START_CLAIMED, VCPU_STARTED };

struct vcpu_start {
    uint32_t state; /* enum vcpu_start_state, atomic */
    uint16_t cs, ip;
};

/* Where it was when it left its run loop: of its VMCS, that another CPU cannot read. */
struct vcpu_brief {
    uint64_t rip, linear_rip;
    const char *mode; /* vcpu_mode_words() */
    uint32_t activity;
    uint16_t cs;
    bool readable; /* false: nothing of the above is known */
};

struct vcpu {
    struct vmx_registers registers; /* first: the stub's structure */
    uint64_t exit_count;            /* all that there were */
    struct exit_quick quick;        /* this and what follows up to its tables at constant offsets, too */
    struct trace_source trace_source;
    struct trace_ring *ring; /* its CPU's */
    struct vm *vm;
    unsigned index;      /* in its VM; 0 starts with it, the others when the guest says so */
    struct vmm_cpu *cpu; /* where it runs */
    uint64_t vmcs_physical;
    uint16_t vpid; /* 0: it has none */
    struct exit_statistics statistics[EXIT_REASON_COUNT];
    struct quick_cpuid quick_cpuid[QUICK_CPUID_LEAVES];
    struct quick_msr quick_msrs[QUICK_MSRS];
    struct quick_port quick_ports[QUICK_PORTS];
    uint64_t pml_page; /* the page-modification log that its VMCS has on, host-physical; 0: none */
    struct shootdown_vcpu sync;
    struct vcpu_start start;
    uint32_t attention;    /* atomic; not 0: every exit goes to vm_attend() of vmm/vm/stop.h */
    uint32_t attends;      /* atomic: its CPU will get there */
    uint64_t stop_at_exit; /* the exit at which it stops the VM, 0: none */
    uint64_t caught_up;    /* how often it has invalidated, or waited, because of another vCPU */

    /* This exit. */
    uint32_t exit_reason; /* the basic exit reason */
    uint32_t exit_action; /* enum exit_action: what its handler said */
    uint64_t exit_end;    /* TSC when it was handled */
    struct trace_result result;
    const char *device;           /* RESULT_DEVICE: which; a constant */
    struct exit_subject *subject; /* what this exit is about, counted by its handler; else no_subject */
    struct exit_subject no_subject;
    struct exit_subjects subjects;
    struct trace_filter trace;           /* which exits are recorded; exit_trace_set_reasons() changes it */
    uint8_t traced[EXIT_TRACED_REASONS]; /* by it, EXIT_TRACED...: all that an exit asks */
    exit_recorder *recorders[EXIT_TRACED_REASONS]; /* of exits that are traced */

    /* What of the guest's state no VMCS field holds. */
    uint64_t cr2, dr0, dr1, dr2, dr3, dr6;
    uint64_t xcr0;
    uint32_t xsave_ends[GUEST_XSAVE_COMPONENTS]; /* constant */
    /* Constants of its: bits that it may set, and those whose writes exit (the VMCS has these, too). */
    uint64_t xcr0_allowed, cr4_allowed, cr0_host_bits, cr4_host_bits;
    uint64_t cr3_bits; /* that MOV to CR3 takes: cpuid_cr3_bits() */
    uint32_t decode_features; /* DECODE_FEATURE_... of its processor: a constant, too */
    uint64_t kernel_gs_base, star, lstar, cstar, fmask, tsc_aux;

    uint64_t deadline; /* TSC after which it is ended, ~0: never */
    struct vcpu_interrupts interrupts;
    struct step step;
    struct boundary_matched matched;
    struct vcpu_debug debug;
    struct no_progress no_progress;
    struct ept_violation violation;
    struct ept_near near; /* what its last EPT violations have found out */
    struct mmio_code mmio_code[MMIO_CODE_COUNT];
    struct mmio_refusal mmio_refusal;
    struct last_fault last_fault;
    struct ept_misconfig_entry
        misconfig;          /* what the last misconfiguration exit was about; level 0: nothing was found */
    uint16_t bios_function; /* AX of the last BIOS call, for the trace */
    uint64_t nmi_count, external_interrupt_count, bus_lock_count;
    bool output_full;     /* vmm/vm/output.h */
    bool quick_off;       /* test=no-quick-exits, mitigations= */
    bool ran;             /* started, its state is the guest's */
    bool entry_failed;    /* the last VM entry did, and the report says why */
    uint32_t entry_error; /* its VM-instruction error number: any VMREAD may change the field. 0: another
                             failure */
    struct vcpu_brief brief;
};

/* Makes a vCPU of `vm`: allocates its VMCS and its VPID. Any CPU, before it runs. false: no memory. */
must_check bool vcpu_create(struct vcpu *vcpu, struct vm *vm, unsigned index);

/* Gives its frames and its VPID back; it must not be loaded on a CPU. */
void vcpu_destroy(struct vcpu *vcpu);

/* What this CPU may have cached for an earlier VM with the same EPTP or VPID goes; before the first entry. */
must_check bool vcpu_flush_stale(const struct vcpu *vcpu);

/*
 * Runs the vCPU on the calling CPU, in VMX root operation, until its VM has ended (vm->end says how). All but
 * the first wait for vcpu_start() before. Its VMCS is still current when this returns.
 */
void vcpu_run(struct vcpu *vcpu, struct vmm_cpu *cpu);

/*
 * Starts the vCPU `index` of the VM in real mode at CS:IP, with its index in EBX. Any vCPU's CPU. false:
 * there is no such vCPU, or it was started before.
 */
must_check bool vcpu_start(struct vm *vm, uint32_t index, uint16_t cs, uint16_t ip);

#endif
