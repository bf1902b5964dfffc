/* SPDX-License-Identifier: MIT */
/*
 * The processor that a guest sees: CPUID leaves, and what follows from them for CR4 and XCR0. What is
 * not listed as known here is hidden, so that a future processor's features, whose state nobody saves, stay
 * out of guests.
 */
#ifndef VMM_VCPU_CPUID_H
#define VMM_VCPU_CPUID_H

#include "arch/x86/cpuid.h"
#include <stdbool.h>
#include <stdint.h>

/* Leaf 80000001H, EDX: 0 but in 64-bit mode. The caller clears it, where it is 1. */
#define GUEST_CPUID_EXTENDED_1     0x80000001u
#define GUEST_CPUID_81_EDX_SYSCALL (1u << 11)

/*
 * What CPUID with this EAX and ECX gives the guest, but for OSXSAVE, which follows its CR4 and is clear here.
 * `xcr0` is the guest's own: the size of the XSAVE area follows it. apic: its local APIC is enabled in
 * IA32_APIC_BASE. Executes CPUID on the calling CPU, which under another hypervisor is an exit of its own:
 * answers are made before the guest's first entry (vmm/quick/quick.h), but for those of other subleaves.
 */
struct cpuid_result guest_cpuid(uint32_t leaf, uint32_t subleaf, uint64_t xcr0, bool apic);

/*
 * The physical addresses' width that a guest is told, and that may be used: CPUID's MAXPHYADDR less the
 * key-id bits that memory encryption takes off the top. At least 32.
 */
unsigned guest_cpuid_physical_width(void);

/*
 * Where each component ends in an XSAVE area: leaf 0DH, a subleaf each. And how large the area is that these
 * components (a value of XCR0) need.
 */
#define GUEST_XSAVE_COMPONENTS 8
void guest_cpuid_xsave_ends(uint32_t ends[GUEST_XSAVE_COMPONENTS]);
uint32_t guest_cpuid_xsave_size(const uint32_t ends[GUEST_XSAVE_COMPONENTS], uint64_t components);

/* CR4 bits whose features the guest's CPUID shows. */
uint64_t guest_cpuid_cr4_bits(void);
/* XCR0 bits that the guest may set; 0 without XSAVE. */
uint64_t guest_cpuid_xcr0_bits(void);
/* DECODE_FEATURE_... of vmm/emulate/decode.h: instructions that are the guest's. */
uint32_t guest_cpuid_decode_features(void);
bool guest_cpuid_has_rdtscp(void);
bool guest_cpuid_has_invpcid(void);

#endif
