/* SPDX-License-Identifier: MIT */
/* VMCS field encodings as constants, VMCS_<NAME>, from vmx_fields.def. */
#ifndef ARCH_X86_VMX_FIELDS_H
#define ARCH_X86_VMX_FIELDS_H

enum vmcs_field {
#define VMCS_FIELD(encoding, name, gate) VMCS_##name = (encoding),
#include "arch/x86/vmx_fields.def"
#undef VMCS_FIELD
};

/* Access rights of CS: 64-bit code, if IA32_EFER.LMA is 1. SDM vol. 3, "Guest Register State". */
#define CODE_SEGMENT_L (1u << 13)

#endif
