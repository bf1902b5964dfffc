/* SPDX-License-Identifier: MIT */
/* The VMX controls as bit masks, VMX_<NAME>, from vmx_controls.def, and the words they stand in. */
#ifndef ARCH_X86_VMX_CONTROLS_H
#define ARCH_X86_VMX_CONTROLS_H

#include <stdint.h>

enum vmx_control_word {
    VMX_WORD_PIN,
    VMX_WORD_PRIMARY,
    VMX_WORD_SECONDARY,
    VMX_WORD_EXIT,
    VMX_WORD_ENTRY,
    VMX_WORD_COUNT,
};

enum vmx_control_use {
    VMX_USE_REQUIRED,
    VMX_USE_WISHED,
    VMX_USE_HANDLED,
    VMX_USE_UNUSED,
};

#define VMX_CONTROL(word, bit, name, use)                                                                    \
    static const uint32_t VMX_##name __attribute__((unused)) = 1u << (bit);
#include "arch/x86/vmx_controls.def"
#undef VMX_CONTROL

struct vmx_control {
    enum vmx_control_word word;
    uint32_t mask;
    enum vmx_control_use use;
    const char *name;
};

extern const struct vmx_control vmx_controls[];
extern const unsigned vmx_control_count;

/* "pin-based", "primary processor-based" and so on, for reports. */
const char *vmx_control_word_name(enum vmx_control_word word);

#endif
