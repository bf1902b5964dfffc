/* SPDX-License-Identifier: MIT */
/* Reading the VMX capability MSRs. */
#include "arch/x86/vmx_capabilities.h"
#include "arch/x86/msr.h"

/* An absent MSR gives 0, that is: nothing is allowed. */
static uint64_t read_or_zero(uint32_t msr)
{
    uint64_t value = 0;

    if (!msr_read_safe(msr, &value))
        return 0;
    return value;
}

void vmx_capabilities_read(struct vmx_capabilities *capabilities)
{
    const uint32_t use_secondary = VMX_ACTIVATE_SECONDARY_CONTROLS;
    bool true_controls;

    capabilities->basic = read_or_zero(MSR_IA32_VMX_BASIC);
    capabilities->valid = capabilities->basic != 0;
    true_controls = capabilities->basic & VMX_BASIC_TRUE_CONTROLS;
    capabilities->controls[VMX_WORD_PIN] =
        read_or_zero(true_controls ? MSR_IA32_VMX_TRUE_PINBASED_CTLS : MSR_IA32_VMX_PINBASED_CTLS);
    capabilities->controls[VMX_WORD_PRIMARY] =
        read_or_zero(true_controls ? MSR_IA32_VMX_TRUE_PROCBASED_CTLS : MSR_IA32_VMX_PROCBASED_CTLS);
    capabilities->controls[VMX_WORD_EXIT] =
        read_or_zero(true_controls ? MSR_IA32_VMX_TRUE_EXIT_CTLS : MSR_IA32_VMX_EXIT_CTLS);
    capabilities->controls[VMX_WORD_ENTRY] =
        read_or_zero(true_controls ? MSR_IA32_VMX_TRUE_ENTRY_CTLS : MSR_IA32_VMX_ENTRY_CTLS);
    capabilities->controls[VMX_WORD_SECONDARY] = 0;
    capabilities->ept_vpid = 0;
    if (!vmx_control_missing(capabilities, VMX_WORD_PRIMARY, use_secondary)) {
        capabilities->controls[VMX_WORD_SECONDARY] = read_or_zero(MSR_IA32_VMX_PROCBASED_CTLS2);
        /* The MSR exists only where EPT or VPID does. */
        if (vmx_control_missing(capabilities, VMX_WORD_SECONDARY, VMX_ENABLE_EPT) == 0 ||
            vmx_control_missing(capabilities, VMX_WORD_SECONDARY, VMX_ENABLE_VPID) == 0)
            capabilities->ept_vpid = read_or_zero(MSR_IA32_VMX_EPT_VPID_CAP);
    }
    capabilities->misc = read_or_zero(MSR_IA32_VMX_MISC);
    capabilities->cr0_fixed0 = read_or_zero(MSR_IA32_VMX_CR0_FIXED0);
    capabilities->cr0_fixed1 = read_or_zero(MSR_IA32_VMX_CR0_FIXED1);
    capabilities->cr4_fixed0 = read_or_zero(MSR_IA32_VMX_CR4_FIXED0);
    capabilities->cr4_fixed1 = read_or_zero(MSR_IA32_VMX_CR4_FIXED1);
}

uint32_t vmx_controls_with_use(enum vmx_control_word word, enum vmx_control_use use)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < vmx_control_count; i++)
        if (vmx_controls[i].word == word && vmx_controls[i].use == use)
            mask |= vmx_controls[i].mask;
    return mask;
}
