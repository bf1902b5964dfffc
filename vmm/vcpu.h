/* SPDX-License-Identifier: MIT */
/*
 * A virtual processor. It belongs to one VM and runs on one CPU; only that CPU touches it while it runs, so
 * nothing in here is locked.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include "arch/x86/vmx_capabilities.h"
#include "arch/x86/vmx_entry.h"
#include "ept/misconfig.h"
#include "vmm/exit_reason.h"
#include "vmm/step.h"
#include "vmm/trace.h"
#include <stdbool.h>
#include <stdint.h>

struct vm;
struct vmm_cpu;

/* What the exits of one reason cost. Ticks are TSC ticks in the host, from just after the exit to just before
 * the entry. */
struct exit_statistics {
    uint64_t count;
    uint64_t ticks;
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
    uint32_t count;
};

struct vcpu {
    struct vmx_registers registers; /* first: the stub's structure */
    struct vm *vm;
    struct vmm_cpu *cpu; /* where it runs */
    uint64_t vmcs_physical;
    uint16_t vpid; /* 0: VPIDs are not used */

    /* This exit. */
    uint32_t exit_reason; /* the basic exit reason */
    struct trace_result result;
    uint64_t exit_count;
    struct exit_statistics statistics[EXIT_REASON_COUNT];
    struct trace_filter trace; /* which exits are recorded */

    /* What of the guest's state no VMCS field holds. */
    uint64_t cr2, dr0, dr1, dr2, dr3, dr6;
    uint64_t cr8;
    uint64_t xcr0;
    uint64_t kernel_gs_base, star, lstar, cstar, fmask, tsc_aux;

    uint64_t started;  /* TSC at its first entry */
    uint64_t deadline; /* TSC after which it is ended, ~0: never */
    struct step step;
    struct no_progress no_progress;
    struct last_fault last_fault;
    struct ept_misconfig_entry
        misconfig;          /* what the last misconfiguration exit was about; level 0: nothing was found */
    uint16_t bios_function; /* AX of the last BIOS call, for the trace */
    uint64_t nmi_count, external_interrupt_count;
    bool ran;
};

/* Makes the vCPU of `vm`: allocates its VMCS. Any CPU, before it runs. false: no memory. */
must_check bool vcpu_create(struct vcpu *vcpu, struct vm *vm);

/* Gives its frames back; it must not be loaded on a CPU. */
void vcpu_destroy(struct vcpu *vcpu);

/* Runs the vCPU on the calling CPU, in VMX root operation, until its VM has ended (vm->end says how). */
void vcpu_run(struct vcpu *vcpu, struct vmm_cpu *cpu);

#endif
