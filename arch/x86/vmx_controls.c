/* SPDX-License-Identifier: MIT */
/* The table of VMX controls by name. */
#include "arch/x86/vmx_controls.h"

const struct vmx_control vmx_controls[] = {
#define VMX_CONTROL(word, bit, name, use) {VMX_WORD_##word, 1u << (bit), VMX_USE_##use, #name},
#include "arch/x86/vmx_controls.def"
#undef VMX_CONTROL
};

const unsigned vmx_control_count = sizeof(vmx_controls) / sizeof(vmx_controls[0]);

const char *vmx_control_word_name(enum vmx_control_word word)
{
    static const char *const names[VMX_WORD_COUNT] = {
        [VMX_WORD_PIN] = "pin-based",
        [VMX_WORD_PRIMARY] = "primary processor-based",
        [VMX_WORD_SECONDARY] = "secondary processor-based",
        [VMX_WORD_EXIT] = "VM-exit",
        [VMX_WORD_ENTRY] = "VM-entry",
    };
    return (unsigned)word < VMX_WORD_COUNT ? names[word] : "unknown";
}
