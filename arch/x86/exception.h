/* SPDX-License-Identifier: MIT */
/*
 * Host exceptions. The stubs in exception_entry.asm build a struct exception_frame and call
 * exception_dispatch(), which counts and survives an NMI, acknowledges an interrupt (one only wakes a CPU
 * that sleeps), sends a fault that the fix-up table knows to its landing place, and hands all else to
 * exception_report().
 *
 * The fix-up table is the section .fixup: pairs of 64-bit addresses, the instruction that may fault and where
 * to go on then, between fixup_start and fixup_end (linker.ld). #GP, #UD and #PF are fixed up.
 */
#ifndef ARCH_X86_EXCEPTION_H
#define ARCH_X86_EXCEPTION_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

#define VECTOR_DE  0
#define VECTOR_DB  1
#define VECTOR_NMI 2
#define VECTOR_BP  3
#define VECTOR_UD  6
#define VECTOR_NM  7
#define VECTOR_DF  8
#define VECTOR_GP  13
#define VECTOR_PF  14
#define VECTOR_MC  18
/* Interrupts are off in the host but in cpu_sleep(). */
#define VECTOR_FIRST_INTERRUPT 32
#define VECTOR_WAKE            0xf1
#define VECTOR_SPURIOUS        0xff

/* As exception_entry.asm pushes it, lowest address first. */
struct exception_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
    uint64_t vector, error_code; /* error_code is 0 for vectors without one */
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct exception_frame) == 22 * 8, "exception_entry.asm builds 22 words");

/* "#PF" and so on for 0..31, else "interrupt". */
const char *exception_name(unsigned vector);

/* Called by exception_entry.asm. */
void exception_dispatch(struct exception_frame *frame);

/* Prints all there is to say and stops this CPU. Implemented by vmm/host/panic.c. */
noreturn_fn void exception_report(struct exception_frame *frame);

/*
 * An NMI arrived in the host. Counted before the call; the function (vmm/host/panic.c) returns, unless the machine
 * is being stopped.
 */
void exception_nmi(struct exception_frame *frame);

/*
 * Stores all registers as they are, RIP behind the call, into percpu()->captured, and changes none. A macro,
 * and no C call: what it captures is its caller's.
 */
#define registers_capture() __asm__ volatile("call registers_capture" : : : "memory")

/* Halts this CPU for good. */
noreturn_fn void cpu_halt_forever(void);

#endif
