/* SPDX-License-Identifier: MIT */
/* Model-specific registers: their numbers and names (msr.def) and how to read and write them. Any CPU. */
#ifndef ARCH_X86_MSR_H
#define ARCH_X86_MSR_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

/* MSR_IA32_EFER and so on; those whose name already starts with MSR_ are MSR_MSR_... */
enum msr_number {
#define MSR(number, name) MSR_##name = number,
#include "arch/x86/msr.def"
#undef MSR
};

/* Reads an MSR that is known to exist; an absent one ends in the host's #GP report. */
static inline uint64_t msr_read(uint32_t number)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(number) : "memory");
    return (uint64_t)high << 32 | low;
}

/* Writes an MSR that is known to exist and to take this value. */
static inline void msr_write(uint32_t number, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
}

/* False, with *value zero, if the processor raises #GP: the MSR does not exist. */
must_check bool msr_read_safe(uint32_t number, uint64_t *value);
/* False if the processor raises #GP: no such MSR, read-only, locked, or a value with a reserved bit. */
must_check bool msr_write_safe(uint32_t number, uint64_t value);

/* The manual's name, or NULL if msr.def does not list it. */
const char *msr_name(uint32_t number);

#endif
