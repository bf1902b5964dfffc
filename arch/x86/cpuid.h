/* SPDX-License-Identifier: MIT */
/* CPUID and what Adept itself wants from it. SDM vol. 2, "CPUID". Any CPU. */
#ifndef ARCH_X86_CPUID_H
#define ARCH_X86_CPUID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_result cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_result result;
    __asm__ volatile("cpuid"
                     : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
                     : "a"(leaf), "c"(subleaf));
    return result;
}

/* Leaf 01H. */
#define CPUID_1_ECX_MONITOR    (1u << 3)
#define CPUID_1_ECX_VMX        (1u << 5)
#define CPUID_1_ECX_PCID       (1u << 17)
#define CPUID_1_ECX_X2APIC     (1u << 21)
#define CPUID_1_ECX_DEADLINE   (1u << 24)
#define CPUID_1_ECX_XSAVE      (1u << 26)
#define CPUID_1_ECX_OSXSAVE    (1u << 27)
#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define CPUID_1_EDX_MSR        (1u << 5)
#define CPUID_1_EDX_MCE        (1u << 7)
#define CPUID_1_EDX_APIC       (1u << 9)
#define CPUID_1_EDX_MTRR       (1u << 12)
#define CPUID_1_EDX_MCA        (1u << 14)
#define CPUID_1_EDX_PAT        (1u << 16)
#define CPUID_1_EDX_FXSR       (1u << 24)
#define CPUID_1_EDX_SSE        (1u << 25)
/* Leaf 7 subleaf 1. */
#define CPUID_7_1_EAX_LAM (1u << 26)
/* Leaf 80000001H. */
#define CPUID_81_EDX_NX      (1u << 20)
#define CPUID_81_EDX_PAGE_1G (1u << 26)
#define CPUID_81_EDX_RDTSCP  (1u << 27)
#define CPUID_81_EDX_LM      (1u << 29)
/* Leaf 80000007H. */
#define CPUID_87_EDX_INVARIANT_TSC (1u << 8)

/* Highest basic leaf, and highest extended leaf (0 if there is none). */
uint32_t cpuid_highest(void);
uint32_t cpuid_highest_extended(void);

/* MAXPHYADDR in bits: 36 when CPUID does not say. Key-id bits (TME) are not taken off. */
unsigned cpuid_physical_width(void);

/* Bits that MOV to CR3 takes beside an address and its flags: those of linear-address masking. */
uint64_t cpuid_cr3_bits(void);

/* "GenuineIntel" and so on, with its NUL. */
void cpuid_vendor(char vendor[13]);
/* The brand string of leaves 80000002H..80000004H without the blanks around it; empty if there is none. */
void cpuid_brand(char brand[49]);
/* The hypervisor's vendor string of leaf 40000000H, empty when CPUID shows no hypervisor. */
void cpuid_hypervisor(char vendor[13]);

/* Display family, model and stepping. SDM vol. 2, "CPUID", figure on version information. */
struct cpuid_version {
    unsigned family, model, stepping;
};
struct cpuid_version cpuid_version(void);

/*
 * The names of the features that matter to Adept and that this CPU has, in a fixed order with blanks between,
 * e.g. "vmx x2apic xsave pat 1g invariant-tsc hypervisor". Cut to size; returns its length.
 */
size_t cpuid_feature_line(char *text, size_t size);

#endif
