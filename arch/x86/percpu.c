/* SPDX-License-Identifier: MIT */
/* The table of CPUs. */
#include "arch/x86/percpu.h"

#include <stddef.h>

static struct percpu *table[PERCPU_MAX];
static uint32_t registered;

uint32_t percpu_count(void)
{
    return __atomic_load_n(&registered, __ATOMIC_ACQUIRE);
}

struct percpu *percpu_of(uint32_t index)
{
    return index < percpu_count() ? table[index] : NULL;
}

void percpu_register(struct percpu *cpu)
{
    if (registered == PERCPU_MAX)
        __builtin_trap();
    table[registered] = cpu;
    __atomic_store_n(&registered, registered + 1, __ATOMIC_RELEASE);
}
