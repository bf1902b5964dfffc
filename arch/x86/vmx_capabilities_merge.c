/* SPDX-License-Identifier: MIT */
/* What the capabilities of several processors have in common. Pure. */
#include "arch/x86/vmx_capabilities.h"
#include <stddef.h>

static void note_difference(const char **first, const char *name)
{
    if (*first == NULL)
        *first = name;
}

static const char *const word_names[VMX_WORD_COUNT] = {
    [VMX_WORD_PIN] = "IA32_VMX_PINBASED_CTLS",         [VMX_WORD_PRIMARY] = "IA32_VMX_PROCBASED_CTLS",
    [VMX_WORD_SECONDARY] = "IA32_VMX_PROCBASED_CTLS2", [VMX_WORD_EXIT] = "IA32_VMX_EXIT_CTLS",
    [VMX_WORD_ENTRY] = "IA32_VMX_ENTRY_CTLS",
};

const char *vmx_capabilities_merge(struct vmx_capabilities *shared, const struct vmx_capabilities *other)
{
    const char *first = NULL;

    if (shared->basic != other->basic)
        note_difference(&first, "IA32_VMX_BASIC");
    for (int word = 0; word < VMX_WORD_COUNT; word++) {
        uint32_t must = (uint32_t)shared->controls[word] | (uint32_t)other->controls[word];
        uint32_t may = (uint32_t)(shared->controls[word] >> 32) & (uint32_t)(other->controls[word] >> 32);

        if (shared->controls[word] != other->controls[word])
            note_difference(&first, word_names[word]);
        shared->controls[word] = must | (uint64_t)may << 32;
    }
    if (shared->ept_vpid != other->ept_vpid)
        note_difference(&first, "IA32_VMX_EPT_VPID_CAP");
    shared->ept_vpid &= other->ept_vpid;
    if (shared->cr0_fixed0 != other->cr0_fixed0 || shared->cr0_fixed1 != other->cr0_fixed1)
        note_difference(&first, "IA32_VMX_CR0_FIXED0/1");
    if (shared->cr4_fixed0 != other->cr4_fixed0 || shared->cr4_fixed1 != other->cr4_fixed1)
        note_difference(&first, "IA32_VMX_CR4_FIXED0/1");
    shared->cr0_fixed0 |= other->cr0_fixed0;
    shared->cr0_fixed1 &= other->cr0_fixed1;
    shared->cr4_fixed0 |= other->cr4_fixed0;
    shared->cr4_fixed1 &= other->cr4_fixed1;
    if (shared->misc != other->misc)
        note_difference(&first, "IA32_VMX_MISC");
    return first;
}
