/* SPDX-License-Identifier: MIT */
/*
 * Offsets into struct vmx_registers (arch/x86/vmx_entry.h), for the entry/exit stub in vmx_entry.asm.
 * vmx_entry.h asserts each of them against the structure.
 */
#ifndef ARCH_X86_VMX_ENTRY_ABI_H
#define ARCH_X86_VMX_ENTRY_ABI_H

#define VMX_REGISTER_RAX 0
#define VMX_REGISTER_RCX 8
#define VMX_REGISTER_RDX 16
#define VMX_REGISTER_RBX 24
#define VMX_REGISTER_RBP 40
#define VMX_REGISTER_RSI 48
#define VMX_REGISTER_RDI 56
#define VMX_REGISTER_R8 64
#define VMX_REGISTER_R9 72
#define VMX_REGISTER_R10 80
#define VMX_REGISTER_R11 88
#define VMX_REGISTER_R12 96
#define VMX_REGISTER_R13 104
#define VMX_REGISTER_R14 112
#define VMX_REGISTER_R15 120
#define VMX_REGISTER_HOST_RSP 128

/* What vmx_enter returns. */
#define VMX_ENTER_EXITED 0
#define VMX_ENTER_FAIL_INVALID 1
#define VMX_ENTER_FAIL_VALID 2

#endif
