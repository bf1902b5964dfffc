/* SPDX-License-Identifier: MIT */
/*
 * A ticket lock: first come, first served, so that a trace looks the same in every run of a deterministic
 * emulator. The host runs with interrupts off; an NMI handler must not take a lock.
 */
#ifndef ARCH_X86_SPINLOCK_H
#define ARCH_X86_SPINLOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

struct spinlock {
    uint32_t next_ticket;
    uint32_t now_serving;
};

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

static inline void spinlock_lock(struct spinlock *lock)
{
    uint32_t ticket = __atomic_fetch_add(&lock->next_ticket, 1, __ATOMIC_RELAXED);
    while (__atomic_load_n(&lock->now_serving, __ATOMIC_ACQUIRE) != ticket)
        cpu_pause();
}

static inline must_check bool spinlock_try_lock(struct spinlock *lock)
{
    uint32_t serving = __atomic_load_n(&lock->now_serving, __ATOMIC_ACQUIRE);
    uint32_t expected = serving;
    return __atomic_compare_exchange_n(&lock->next_ticket, &expected, serving + 1, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static inline void spinlock_unlock(struct spinlock *lock)
{
    uint32_t serving = __atomic_load_n(&lock->now_serving, __ATOMIC_RELAXED);
    __atomic_store_n(&lock->now_serving, serving + 1, __ATOMIC_RELEASE);
}

#endif
