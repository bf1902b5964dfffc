/* SPDX-License-Identifier: MIT */
/* The end of the hypervisor by a fault of its own: it says what, where, and stops every CPU. */
#ifndef VMM_HOST_PANIC_H
#define VMM_HOST_PANIC_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"
#include "arch/x86/exception.h"

/* Prints `adept: panic: ...` with file, line and CPU, the registers as they are here, and the stack trace,
 * stops the other CPUs and ends with status 2. */
#define panic(...)                                                                                           \
    do {                                                                                                     \
        registers_capture();                                                                                 \
        panic_at(__FILE__, __LINE__, __VA_ARGS__);                                                           \
    } while (0)

/* For the impossible. */
#define assert(condition)                                                                                    \
    do {                                                                                                     \
        if (unlikely(!(condition)))                                                                          \
            panic("impossible: %s is false", #condition);                                                    \
    } while (0)

/* After registers_capture(). */
noreturn_fn void panic_at(const char *file, int line, const char *format, ...) printf_like(3, 4);

/* Called once while a panic or exception is reported, to print the last exits of that CPU. May fault. */
void panic_set_hook(void (*hook)(uint32_t cpu_index));

/* True once a panic has begun: the other CPUs are about to be stopped. */
bool panic_active(void);

#endif
