/* SPDX-License-Identifier: MIT */
/* Attributes and small macros that every file of the hypervisor proper may use. */
#ifndef ARCH_X86_COMPILER_H
#define ARCH_X86_COMPILER_H

#define must_check  __attribute__((warn_unused_result))
#define noreturn_fn __attribute__((noreturn))
#define printf_like(format_index, first_argument)                                                            \
    __attribute__((format(printf, format_index, first_argument)))
#define array_count(array)  (sizeof(array) / sizeof((array)[0]))
#define likely(condition)   __builtin_expect(!!(condition), 1)
#define unlikely(condition) __builtin_expect(!!(condition), 0)

#endif
