/* SPDX-License-Identifier: MIT */
/* The local APIC in both its modes. SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)". */
#ifndef ARCH_X86_APIC_H
#define ARCH_X86_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

#define APIC_BASE_BSP (UINT64_C(1) << 8)
#define APIC_BASE_EXTD                                                                                       \
    (UINT64_C(1) << 10) /* x2APIC mode; never cleared: it may be locked, and leaving it takes a detour */
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)

enum apic_mode { APIC_ABSENT, APIC_XAPIC, APIC_X2APIC };

/*
 * Prepares the calling CPU's local APIC: enabled, the spurious vector set, every local interrupt masked but
 * NMI and SMI, the task priority above all vectors but ours (arch/x86/apic_quiet.h), nothing in service. With
 * want_x2apic, x2APIC mode is switched on where the CPU has it; a CPU that firmware left in
 * x2APIC mode stays in it. Returns the mode; APIC_ABSENT where CPUID shows none, it is switched off, or its
 * registers cannot be mapped.
 */
must_check enum apic_mode apic_init_cpu(bool want_x2apic);
/* Mode of the calling CPU as apic_init_cpu() found it, which reads and executes nothing; APIC_ABSENT before.
 */
enum apic_mode apic_mode(void);
const char *apic_mode_text(enum apic_mode mode);
/* The calling CPU's APIC ID: 8 bits in xAPIC, 32 in x2APIC mode. Without a local APIC: what CPUID says. */
uint32_t apic_id(void);

/* IPIs to one CPU. False: the last one is still pending after a bounded wait (xAPIC mode only). */
must_check bool apic_send_init(uint32_t id);
must_check bool apic_send_startup(uint32_t id, uint8_t page);
must_check bool apic_send_nmi(uint32_t id);
must_check bool apic_send_fixed(uint32_t id, uint8_t vector);

/*
 * The calling CPU's timer, one-shot: after `ticks` of its own rate, 0 stops it, one interrupt of this vector.
 * apic_timer_khz() is that rate: measured against the TSC at the first call (2 ms), 0 if there is no local
 * APIC or its timer does not count. The rate is the same on every CPU.
 */
void apic_timer_start(uint32_t ticks, uint8_t vector);
uint64_t apic_timer_khz(void);

/* Ends the interrupt in service on the calling CPU; nothing without a local APIC. */
void apic_end_of_interrupt(void);

/* Masks all lines of both 8259s. */
void pic_mask(void);

#endif
