/* SPDX-License-Identifier: MIT */
/* Offsets into struct percpu (arch/x86/percpu.h, which asserts them), for registers_capture in exception_entry.asm. */
#ifndef ARCH_X86_PERCPU_ABI_H
#define ARCH_X86_PERCPU_ABI_H

#define PERCPU_CAPTURED 8

#endif
