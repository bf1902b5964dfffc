/* SPDX-License-Identifier: MIT */
/* What each CPU has for itself, found through its GS base. */
#ifndef ARCH_X86_PERCPU_H
#define ARCH_X86_PERCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/exception.h"
#include "arch/x86/gdt.h"
#include "arch/x86/percpu_abi.h"

#define PERCPU_MAX 256

struct exception_guard;

enum cpu_state {
    CPU_STARTING, /* its percpu exists; it has not reached C yet */
    CPU_ONLINE,
    CPU_STOPPED, /* halted for good, after a panic or at the end */
};

/* The stacks of a CPU: tops are 16-byte aligned linear addresses, bottoms the lowest usable byte. */
struct cpu_stacks {
    uint64_t main_bottom, main_top;
    uint64_t ist_bottom[IST_COUNT], ist_top[IST_COUNT];
};

struct percpu {
    struct percpu *self; /* must be first: percpu() reads gs:0 */
    struct exception_frame
        captured;   /* by registers_capture(), for a panic; vector and error_code are not set */
    uint32_t index; /* 0 is the boot CPU; no gaps among CPUs that came up */
    uint32_t apic_id;
    bool bootstrap;
    uint8_t apic_mode;             /* enum apic_mode, by apic_init_cpu() */
    uint32_t state;                /* enum cpu_state, atomic */
    uint32_t nmi_count;            /* NMIs taken and survived in the host on this CPU, atomic */
    uint32_t exception_depth;      /* > 0 while an exception or panic is being reported on this CPU */
    struct exception_guard *guard; /* of exception_guarded() under way on this CPU; NULL: none */
    uint64_t microcode;            /* revision, 0 if unknown */
    struct cpu_stacks stacks;
    uint64_t gdt[GDT_ENTRY_COUNT];
    struct tss tss;
    void *vmm; /* the vmm's own per-CPU data */
};

_Static_assert(offsetof(struct percpu, captured) == PERCPU_CAPTURED, "percpu_abi.h");

/* The calling CPU's. Valid from gdt_load() on. */
static inline struct percpu *percpu(void)
{
    struct percpu *self;
    __asm__ volatile("movq %%gs:0, %0" : "=r"(self));
    return self;
}

/* CPUs registered so far, the boot CPU first; percpu_of() gives NULL beyond. */
uint32_t percpu_count(void);
struct percpu *percpu_of(uint32_t index);
/* Appends a CPU to the table; only the boot CPU does it. */
void percpu_register(struct percpu *cpu);

static inline uint32_t percpu_state(const struct percpu *cpu)
{
    return __atomic_load_n(&cpu->state, __ATOMIC_ACQUIRE);
}

static inline void percpu_set_state(struct percpu *cpu, enum cpu_state state)
{
    __atomic_store_n(&cpu->state, (uint32_t)state, __ATOMIC_RELEASE);
}

static inline uint64_t percpu_gdt_address(const struct percpu *cpu)
{
    return (uint64_t)(uintptr_t)cpu->gdt;
}

static inline uint64_t percpu_tss_address(const struct percpu *cpu)
{
    return (uint64_t)(uintptr_t)&cpu->tss;
}

#endif
