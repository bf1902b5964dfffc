/* SPDX-License-Identifier: MIT */
/*
 * What one processor's VMX can do: the capability MSRs, read once, and the questions asked of them.
 * SDM vol. 3, appendix "VMX Capability Reporting Facility".
 */
#ifndef ARCH_X86_VMX_CAPABILITIES_H
#define ARCH_X86_VMX_CAPABILITIES_H

#include "arch/x86/compiler.h"
#include "arch/x86/vmx_controls.h"
#include <stdbool.h>
#include <stdint.h>

/* IA32_VMX_EPT_VPID_CAP. */
#define EPT_CAP_EXECUTE_ONLY                (1ull << 0)
#define EPT_CAP_WALK_4                      (1ull << 6)
#define EPT_CAP_WALK_5                      (1ull << 7)
#define EPT_CAP_UC                          (1ull << 8)
#define EPT_CAP_WB                          (1ull << 14)
#define EPT_CAP_2M                          (1ull << 16)
#define EPT_CAP_1G                          (1ull << 17)
#define EPT_CAP_INVEPT                      (1ull << 20)
#define EPT_CAP_ACCESSED_DIRTY              (1ull << 21)
#define EPT_CAP_SHADOW_STACK                (1ull << 23)
#define EPT_CAP_INVEPT_SINGLE_CONTEXT       (1ull << 25)
#define EPT_CAP_INVEPT_ALL_CONTEXTS         (1ull << 26)
#define VPID_CAP_INVVPID                    (1ull << 32)
#define VPID_CAP_INVVPID_INDIVIDUAL_ADDRESS (1ull << 40)
#define VPID_CAP_INVVPID_SINGLE_CONTEXT     (1ull << 41)
#define VPID_CAP_INVVPID_ALL_CONTEXTS       (1ull << 42)
#define VPID_CAP_INVVPID_RETAINING_GLOBALS  (1ull << 43)

/* IA32_VMX_BASIC. */
#define VMX_BASIC_REVISION_MASK        0x7fffffffu
#define VMX_BASIC_SIZE(basic)          ((unsigned)(((basic) >> 32) & 0x1fff))
#define VMX_BASIC_32BIT_ADDRESSES      (1ull << 48)
#define VMX_BASIC_MEMORY_TYPE(basic)   ((unsigned)(((basic) >> 50) & 0xf))
#define VMX_BASIC_INS_OUTS_INFORMATION (1ull << 54)
#define VMX_BASIC_TRUE_CONTROLS        (1ull << 55)
#define VMX_BASIC_ANY_ERROR_CODE       (1ull << 56) /* hardware exceptions are injected with or without one */

/* IA32_VMX_MISC. */
#define VMX_MISC_TIMER_RATE(misc)                                                                            \
    ((unsigned)((misc)&0x1f)) /* the preemption timer ticks when this bit of the TSC changes */

struct vmx_capabilities {
    uint64_t basic;
    uint64_t misc;
    uint64_t cr0_fixed0, cr0_fixed1;
    uint64_t cr4_fixed0, cr4_fixed1;
    uint64_t ept_vpid;
    /* Per control word: bits 31:0 must be 1 where 1 (allowed 0-settings), bits 63:32 may be 1 where 1
     * (allowed 1-settings). */
    uint64_t controls[VMX_WORD_COUNT];
    bool valid; /* false: an MSR that every VMX processor has could not be read */
};

/* Reads this CPU's capability MSRs; an absent one reads as 0 (nothing allowed) and is survived. Needs
 * CPUID.1:ECX.VMX. */
void vmx_capabilities_read(struct vmx_capabilities *capabilities);

/* The bits of `wanted` which this word may not have set. 0: all is well. */
static inline uint32_t vmx_control_missing(const struct vmx_capabilities *capabilities,
                                           enum vmx_control_word word, uint32_t wanted)
{
    return wanted & ~(uint32_t)(capabilities->controls[word] >> 32);
}

/* The setting nearest to `wanted`: bits that must be 1 added, bits that may not be 1 left out. */
static inline uint32_t vmx_control_adjust(const struct vmx_capabilities *capabilities,
                                          enum vmx_control_word word, uint32_t wanted)
{
    return (wanted | (uint32_t)capabilities->controls[word]) & (uint32_t)(capabilities->controls[word] >> 32);
}

/* All controls of a word whose use is `use`, by vmx_controls.def. */
uint32_t vmx_controls_with_use(enum vmx_control_word word, enum vmx_control_use use);

/*
 * What all CPUs share: narrows `shared` to what `other` has too (AND of allowed 1-settings, OR of required
 * ones). Returns the name of the first thing that differs, NULL when nothing does.
 */
const char *vmx_capabilities_merge(struct vmx_capabilities *shared, const struct vmx_capabilities *other);

#endif
