/* SPDX-License-Identifier: MIT */
/*
 * The processor that a guest sees: CPUID leaves, and what follows from them for CR4 and XCR0. What is
 * not listed as known here is hidden, so that a future processor's features, whose state nobody saves, stay
 * out of guests.
 */
#ifndef VMM_GUEST_CPUID_H
#define VMM_GUEST_CPUID_H

#include "arch/x86/cpuid.h"
#include <stdbool.h>
#include <stdint.h>

/*
 * What CPUID with this EAX and ECX gives the guest. `cr4` and `xcr0` are the guest's own: some bits follow
 * them (OSXSAVE, the size of the XSAVE area). apic: its local APIC is enabled in IA32_APIC_BASE. Executes
 * CPUID on the calling CPU.
 */
struct cpuid_result guest_cpuid(uint32_t leaf, uint32_t subleaf, uint64_t cr4, uint64_t xcr0, bool apic);

/* CR4 bits whose features the guest's CPUID shows. */
uint64_t guest_cpuid_cr4_bits(void);
/* XCR0 bits that the guest may set; 0 without XSAVE. */
uint64_t guest_cpuid_xcr0_bits(void);
bool guest_cpuid_has_rdtscp(void);
bool guest_cpuid_has_invpcid(void);

#endif
