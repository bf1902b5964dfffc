/* SPDX-License-Identifier: MIT */
/* Knowing an emulator. */
#include "vmm/emulator.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/tsc.h"
#include <stdint.h>

#define TRIES     16
#define TICKS_MIN 90 /* with several CPUs Bochs moves the TSC on in small steps: a few may be missing */

static uint64_t shorter(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

bool emulator_is_bochs(void)
{
    uint64_t few = UINT64_MAX, many = UINT64_MAX;
    char hypervisor[13];

    cpuid_hypervisor(hypervisor);
    if (hypervisor[0] != '\0')
        return false;
    for (unsigned i = 0; i < TRIES; i++) {
        uint64_t start = tsc_read(), middle;

        __asm__ volatile(".rept 100\n\tnop\n\t.endr" : : : "memory");
        middle = tsc_read();
        __asm__ volatile(".rept 200\n\tnop\n\t.endr" : : : "memory");
        few = shorter(few, middle - start);
        many = shorter(many, tsc_read() - middle);
    }
    return many > few && many - few >= TICKS_MIN;
}
