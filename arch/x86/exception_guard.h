/* SPDX-License-Identifier: MIT */
/*
 * Calling what may fault. For reports: they follow pointers that a bug may have spoilt, and one that faults
 * shall say so and not take the machine with it.
 */
#ifndef ARCH_X86_EXCEPTION_GUARD_H
#define ARCH_X86_EXCEPTION_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"
#include "arch/x86/exception.h"

struct exception_guard {
    uint64_t stack_pointer;       /* where exception_guard_landing finds the registers of its caller */
    struct exception_frame frame; /* of the fault */
    uint64_t cr2;                 /* at the fault */
};

/*
 * Calls function(argument) on this CPU. false: it was left by an exception, which *guard describes; what it
 * had begun stays as it was then, locks that it held included. NMI, #DF and #MC are not caught, nor is what
 * happens on another stack. CR2 is afterwards as it was before. Calls may be nested: the innermost one
 * catches.
 */
must_check bool exception_guarded(void (*function)(void *argument), void *argument,
                                  struct exception_guard *guard);

/* Sends the exception to the guard of this CPU. false: there is none, or it does not catch such a one. */
bool exception_guard_catch(struct exception_frame *frame);

#endif
