/* SPDX-License-Identifier: MIT */
/* The hypervisor's own state of a CPU (struct percpu is the processor's), and VMX on and off. */
#ifndef VMM_HOST_CPU_H
#define VMM_HOST_CPU_H

#include "arch/x86/percpu.h"
#include "arch/x86/vmx_capabilities.h"
#include "vmm/trace/trace.h"
#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct trace_frame_cpu;

struct vmm_cpu {
    struct percpu *percpu;
    uint64_t vmxon_physical;
    struct vmx_capabilities capabilities;
    bool vmx_on;
    struct trace_ring trace;        /* its exits */
    struct trace_output output;     /* what its guests have printed */
    struct trace_frame_cpu *frames; /* of the drain's: what its frames build on; NULL: no frames */
    struct vcpu *vcpu;              /* that runs here now; NULL when none does */
    struct vcpu *traced;            /* the same, for vmm/exit/trace_filter.c, under its lock */
    struct trace_rate rate;
};

/* The calling CPU's; NULL before cpu_vmx_on(). */
static inline struct vmm_cpu *vmm_cpu(void)
{
    return percpu()->vmm;
}

/* The CPU with this index, NULL when it did not come up. */
struct vmm_cpu *vmm_cpu_at(unsigned index);
unsigned vmm_cpu_count(void);

/* Switches VMX on where it is there and prints the CPU's own line; every CPU, one after the other. */
void cpu_vmx_on(void);
/* Every CPU, before the end. */
void cpu_vmx_off(void);

/* What all CPUs with VMX on share: what VMCSs are made from. Valid once all CPUs are up. */
const struct vmx_capabilities *vmx_shared_capabilities(void);
unsigned vmx_cpus_on(void);

#endif
