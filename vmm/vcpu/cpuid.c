/* SPDX-License-Identifier: MIT */
/* What CPUID shows to a guest. SDM vol. 2, "CPUID - CPU Identification", for the bits. */
#include "vmm/vcpu/cpuid.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/fpu.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"
#include "vmm/host/cpu.h"
#include "vmm/emulate/decode.h"
#include "vmm/hypercall_abi.h"
#include "vmm/host/machine.h"
#include "vmm/host/workaround.h"

#define LEAF_EXTENDED 0x80000000u
/* On every processor: leaves 15H and 16H tell the guest the rate of its clocks. */
#define LEAF_LAST_BASIC      0x16u
#define LEAF_LAST_EXTENDED   0x80000008u
#define LEAF_LAST_HYPERVISOR CPUID_HYPERVISOR_LEAF

/* Leaf 1 ECX: SSE3, PCLMULQDQ, SSSE3, FMA, CX16, PCID, SSE4.1/4.2, MOVBE, POPCNT, AES, XSAVE, AVX, F16C,
 * RDRAND. */
#define LEAF1_ECX_KNOWN                                                                                      \
    (1u << 0 | 1u << 1 | 1u << 9 | 1u << 12 | 1u << 13 | 1u << 17 | 1u << 19 | 1u << 20 | 1u << 22 |         \
     1u << 23 | 1u << 25 | 1u << 26 | 1u << 28 | 1u << 29 | 1u << 30)
/* Leaf 1 EDX: FPU, VME, DE, PSE, TSC, MSR, PAE, MCE, CX8, SEP, MTRR, PGE, CMOV, PAT, PSE-36, CLFSH, MMX,
 * FXSR, SSE, SSE2. */
#define LEAF1_EDX_KNOWN                                                                                      \
    (1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 | 1u << 11 |    \
     1u << 12 | 1u << 13 | 1u << 15 | 1u << 16 | 1u << 17 | 1u << 19 | 1u << 23 | 1u << 24 | 1u << 25 |      \
     1u << 26)
/*
 * Leaf 7 EBX: FSGSBASE, BMI1, AVX2, SMEP, BMI2, ERMS, INVPCID, AVX512F/DQ, RDSEED, ADX, SMAP, IFMA,
 * CLFLUSHOPT, CLWB, AVX512CD, SHA, AVX512BW/VL.
 */
#define LEAF7_EBX_KNOWN                                                                                      \
    (1u << 0 | 1u << 3 | 1u << 5 | 1u << 7 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 16 | 1u << 17 | 1u << 18 | \
     1u << 19 | 1u << 20 | 1u << 21 | 1u << 23 | 1u << 24 | 1u << 28 | 1u << 29 | 1u << 30 | 1u << 31)
#define LEAF7_EBX_INVPCID (1u << 10)
/* Leaf 7 ECX: AVX512_VBMI, UMIP, VBMI2, GFNI, VAES, VPCLMULQDQ, VNNI, BITALG, VPOPCNTDQ, LA57, RDPID. */
#define LEAF7_ECX_KNOWN                                                                                      \
    (1u << 1 | 1u << 2 | 1u << 6 | 1u << 8 | 1u << 9 | 1u << 10 | 1u << 11 | 1u << 12 | 1u << 14 |           \
     1u << 16 | 1u << 22)
#define LEAF7_ECX_LA57  (1u << 16)
#define LEAF7_ECX_RDPID (1u << 22)
#define CPUID_7_ECX_TME (1u << 13)
/* SDM vol. 4, IA32_TME_ACTIVATE: 1 enable, 35:32 key-id bits. */
#define TME_ENABLED            2u
#define TME_KEY_BITS(activate) ((unsigned)((activate) >> 32) & 0xf)
#define TEST_KEY_BITS          6u
/* Leaf 80000001H. ECX: LAHF, LZCNT, PREFETCHW. EDX: SYSCALL, NX, 1 GiB pages, RDTSCP, LM. */
#define LEAF81_ECX_KNOWN (1u << 0 | 1u << 5 | 1u << 8)
#define LEAF81_EDX_KNOWN (1u << 11 | 1u << 20 | 1u << 26 | 1u << 27 | 1u << 29)
/* Leaf 0DH subleaf 1 EAX: XSAVEOPT, XGETBV with ECX = 1. XSAVEC and XSAVES go with "enable XSAVES", which is
 * off. */
#define LEAF13_1_EAX_KNOWN (1u << 0 | 1u << 2)

/* x87 and SSE, and the header. */
#define XSAVE_LEGACY 576

_Static_assert(FPU_COMPONENTS >> GUEST_XSAVE_COMPONENTS == 0, "vmm/vcpu/cpuid.h");

unsigned guest_cpuid_physical_width(void)
{
    unsigned width = cpuid_physical_width(), key_bits = 0;
    uint64_t activate;

    if (cmdline_has_test(machine_options(), "key-id-bits"))
        key_bits = TEST_KEY_BITS;
    else if (cpuid_highest() >= 7 && (cpuid(7, 0).ecx & CPUID_7_ECX_TME) &&
             msr_read_safe(MSR_IA32_TME_ACTIVATE, &activate) && (activate & TME_ENABLED))
        key_bits = TME_KEY_BITS(activate);
    return width - key_bits >= 32 ? width - key_bits : width;
}

static bool secondary_available(uint32_t control)
{
    return vmx_control_missing(vmx_shared_capabilities(), VMX_WORD_SECONDARY, control) == 0;
}

bool guest_cpuid_has_rdtscp(void)
{
    return secondary_available(VMX_ENABLE_RDTSCP) && (cpuid(0x80000001, 0).edx & CPUID_81_EDX_RDTSCP);
}

bool guest_cpuid_has_invpcid(void)
{
    return secondary_available(VMX_ENABLE_INVPCID) && cpuid_highest() >= 7 &&
           (cpuid(7, 0).ebx & LEAF7_EBX_INVPCID);
}

uint64_t guest_cpuid_xcr0_bits(void)
{
    struct cpuid_result leaf;

    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE))
        return 0;
    leaf = cpuid(0xd, 0);
    return ((uint64_t)leaf.edx << 32 | leaf.eax) & FPU_COMPONENTS;
}

uint32_t guest_cpuid_decode_features(void)
{
    /* Instructions that CPUID hides are executed all the same: what the processor has is what counts. */
    uint32_t one = cpuid(1, 0).ecx,
             extended = cpuid_highest_extended() >= 0x80000001 ? cpuid(0x80000001, 0).ecx : 0;
    uint32_t seven = cpuid_highest() >= 7 ? cpuid(7, 0).ebx : 0;

    return (one & 1u << 22 ? DECODE_FEATURE_MOVBE : 0) | (one & 1u << 23 ? DECODE_FEATURE_POPCNT : 0) |
           (one & 1u << 20 ? DECODE_FEATURE_CRC32 : 0) | (one & 1u << 13 ? DECODE_FEATURE_CMPXCHG16B : 0) |
           (one & 1u << 28 ? DECODE_FEATURE_AVX : 0) | (seven & 1u << 3 ? DECODE_FEATURE_TZCNT : 0) |
           (extended & 1u << 5 ? DECODE_FEATURE_LZCNT : 0);
}

uint64_t guest_cpuid_cr4_bits(void)
{
    struct cpuid_result one = guest_cpuid(1, 0, 1, true), seven = guest_cpuid(7, 0, 1, true);
    uint64_t bits = CR4_TSD | CR4_PCE;

    bits |= one.edx & (1u << 1) ? CR4_VME | CR4_PVI : 0;
    bits |= one.edx & (1u << 2) ? CR4_DE : 0;
    bits |= one.edx & (1u << 3) ? CR4_PSE : 0;
    bits |= one.edx & (1u << 6) ? CR4_PAE : 0;
    bits |= one.edx & (1u << 7) ? CR4_MCE : 0;
    bits |= one.edx & (1u << 13) ? CR4_PGE : 0;
    bits |= one.edx & CPUID_1_EDX_FXSR ? CR4_OSFXSR : 0;
    bits |= one.edx & CPUID_1_EDX_SSE ? CR4_OSXMMEXCPT : 0;
    bits |= one.ecx & CPUID_1_ECX_PCID ? CR4_PCIDE : 0;
    bits |= one.ecx & CPUID_1_ECX_XSAVE ? CR4_OSXSAVE : 0;
    bits |= seven.ebx & (1u << 0) ? CR4_FSGSBASE : 0;
    bits |= seven.ebx & (1u << 7) ? CR4_SMEP : 0;
    bits |= seven.ebx & (1u << 20) ? CR4_SMAP : 0;
    bits |= seven.ecx & (1u << 2) ? CR4_UMIP : 0;
    bits |= seven.ecx & LEAF7_ECX_LA57 ? CR4_LA57 : 0;
    return bits & vmx_shared_capabilities()->cr4_fixed1;
}

static struct cpuid_result leaf1(struct cpuid_result real, bool apic)
{
    real.ebx &= 0xff00; /* CLFLUSH size; one logical processor with APIC ID 0 */
    real.ebx |= 1u << 16;
    real.ecx =
        (real.ecx & LEAF1_ECX_KNOWN) | CPUID_1_ECX_HYPERVISOR | CPUID_1_ECX_X2APIC | CPUID_1_ECX_DEADLINE;
    real.edx = (real.edx & LEAF1_EDX_KNOWN) | (apic ? CPUID_1_EDX_APIC : 0);
    return real;
}

static struct cpuid_result leaf7(struct cpuid_result real, uint32_t subleaf)
{
    struct cpuid_result none = {0, 0, 0, 0};

    if (subleaf != 0)
        return none;
    real.eax = 0; /* no further subleaf */
    real.ebx &= LEAF7_EBX_KNOWN;
    if (!secondary_available(VMX_ENABLE_INVPCID))
        real.ebx &= ~LEAF7_EBX_INVPCID;
    real.ecx &= LEAF7_ECX_KNOWN;
    if (!secondary_available(VMX_ENABLE_RDTSCP))
        real.ecx &= ~LEAF7_ECX_RDPID;
    if (workaround_active(WORKAROUND_NO_LA57))
        real.ecx &= ~LEAF7_ECX_LA57;
    real.edx = 0;
    return real;
}

void guest_cpuid_xsave_ends(uint32_t ends[GUEST_XSAVE_COMPONENTS])
{
    for (uint32_t i = 0; i < GUEST_XSAVE_COMPONENTS; i++) {
        struct cpuid_result component = {0, 0, 0, 0};

        ends[i] = XSAVE_LEGACY;
        if (i >= 2 && (guest_cpuid_xcr0_bits() & (UINT64_C(1) << i)))
            component = cpuid(0xd, i);
        if (component.ebx + component.eax > XSAVE_LEGACY)
            ends[i] = component.ebx + component.eax;
    }
}

uint32_t guest_cpuid_xsave_size(const uint32_t ends[GUEST_XSAVE_COMPONENTS], uint64_t components)
{
    uint32_t size = XSAVE_LEGACY;

    for (uint32_t i = 0; i < GUEST_XSAVE_COMPONENTS; i++)
        if ((components & (UINT64_C(1) << i)) && ends[i] > size)
            size = ends[i];
    return size;
}

static struct cpuid_result leaf13(uint32_t subleaf, uint64_t xcr0)
{
    struct cpuid_result result = {0, 0, 0, 0};
    uint64_t known = guest_cpuid_xcr0_bits();
    uint32_t ends[GUEST_XSAVE_COMPONENTS];

    if (known == 0)
        return result;
    if (subleaf == 0) {
        result.eax = (uint32_t)known;
        result.edx = (uint32_t)(known >> 32);
        guest_cpuid_xsave_ends(ends);
        result.ebx = guest_cpuid_xsave_size(ends, xcr0 & known);
        result.ecx = guest_cpuid_xsave_size(ends, known);
    } else if (subleaf == 1) {
        result.eax = cpuid(0xd, 1).eax & LEAF13_1_EAX_KNOWN;
    } else if (subleaf < 63 && (known & (UINT64_C(1) << subleaf))) {
        result = cpuid(0xd, subleaf);
        result.ecx = result.edx = 0;
    }
    return result;
}

static struct cpuid_result leaf_extended_1(struct cpuid_result real)
{
    real.ebx = 0;
    real.ecx &= LEAF81_ECX_KNOWN;
    real.edx &= LEAF81_EDX_KNOWN;
    if (!secondary_available(VMX_ENABLE_RDTSCP))
        real.edx &= ~CPUID_81_EDX_RDTSCP;
    return real;
}

/* "Adep" "tAde" "ptHv" */
static struct cpuid_result hypervisor_leaf(void)
{
    return (struct cpuid_result){LEAF_LAST_HYPERVISOR, 0x70656441, 0x65644174, 0x76487470};
}

/* Extended topology: one processor of one thread with x2APIC ID 0. SDM vol. 2, "CPUID", leaf 0BH. */
static struct cpuid_result leaf11(uint32_t subleaf)
{
    struct cpuid_result result = {0, 0, subleaf & 0xff, 0};

    if (subleaf < 2) {
        result.ebx = 1;
        result.ecx |= (subleaf + 1) << 8; /* level type: 1 thread, 2 core */
    }
    return result;
}

/* The TSC's rate, and that of the local APIC's timer, which counts as the TSC does. */
static struct cpuid_result leaf21(void)
{
    struct cpuid_result none = {0, 0, 0, 0}, result = {1, 1, 0, 0};
    uint64_t hz = tsc_khz() * 1000;

    result.ecx = (uint32_t)hz;
    return hz >> 32 == 0 ? result : none;
}

static uint32_t highest_extended(void)
{
    uint32_t highest = cpuid_highest_extended();

    return highest < LEAF_LAST_EXTENDED ? highest : LEAF_LAST_EXTENDED;
}

/* The leaf whose data the guest gets: the highest basic leaf's beyond the highest of each range. */
static uint32_t leaf_of_data(uint32_t leaf)
{
    if (leaf <= LEAF_LAST_BASIC || (leaf >= CPUID_HYPERVISOR_LEAF && leaf <= LEAF_LAST_HYPERVISOR) ||
        (leaf >= LEAF_EXTENDED && leaf <= highest_extended()))
        return leaf;
    return LEAF_LAST_BASIC;
}

struct cpuid_result guest_cpuid(uint32_t leaf, uint32_t subleaf, uint64_t xcr0, bool apic)
{
    struct cpuid_result none = {0, 0, 0, 0}, real = none;

    leaf = leaf_of_data(leaf);
    if (leaf == CPUID_HYPERVISOR_LEAF)
        return hypervisor_leaf();
    if (leaf >= LEAF_EXTENDED || leaf <= cpuid_highest())
        real = cpuid(leaf, subleaf);
    switch (leaf) {
    case 0:
        real.eax = LEAF_LAST_BASIC;
        return real;
    case LEAF_EXTENDED:
        real.eax = highest_extended();
        return real;
    case 1:
        return leaf1(real, apic);
    case 7:
        return leaf7(real, subleaf);
    case 0xd:
        return leaf13(subleaf, xcr0);
    case 0x80000001:
        return leaf_extended_1(real);
    case 4: /* cache parameters: one core, one thread */
        real.eax &= 0x3fff;
        return real;
    case 0x80000007: /* invariant TSC alone */
        real.eax = real.ebx = real.ecx = 0;
        real.edx &= CPUID_87_EDX_INVARIANT_TSC;
        return real;
    case 0x80000008: /* address widths alone */
        real.eax = (real.eax & 0xff00) | guest_cpuid_physical_width();
        real.ebx = real.ecx = real.edx = 0;
        return real;
    case 6: /* the local APIC's timer never stops */
        return (struct cpuid_result){1u << 2, 0, 0, 0};
    case 0xb:
        return leaf11(subleaf);
    case 0x15:
        return leaf21();
    case 0x16:
        real.eax = real.ebx = (uint32_t)(tsc_khz() / 1000);
        return real;
    case 2:
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
    case 0x80000006:
        return real;
    default:
        return none;
    }
}
