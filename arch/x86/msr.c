/* SPDX-License-Identifier: MIT */
/* MSR accesses that survive a #GP. */
#include "arch/x86/msr.h"

must_check bool msr_read_safe(uint32_t number, uint64_t *value)
{
    uint32_t low = 0, high = 0;
    bool failed = true;

    __asm__ volatile("1: rdmsr\n\t"
                     "movb $0, %2\n\t"
                     "2:\n\t"
                     ".pushsection .fixup, \"a\"\n\t"
                     ".balign 8\n\t"
                     ".quad 1b, 2b\n\t"
                     ".popsection"
                     : "+a"(low), "+d"(high), "+r"(failed)
                     : "c"(number)
                     : "memory");
    *value = failed ? 0 : (uint64_t)high << 32 | low;
    return !failed;
}

must_check bool msr_write_safe(uint32_t number, uint64_t value)
{
    bool failed = true;

    __asm__ volatile("1: wrmsr\n\t"
                     "movb $0, %0\n\t"
                     "2:\n\t"
                     ".pushsection .fixup, \"a\"\n\t"
                     ".balign 8\n\t"
                     ".quad 1b, 2b\n\t"
                     ".popsection"
                     : "+r"(failed)
                     : "c"(number), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
    return !failed;
}
