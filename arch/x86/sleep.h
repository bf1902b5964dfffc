/* SPDX-License-Identifier: MIT */
/* A CPU that has nothing to do until some moment. */
#ifndef ARCH_X86_SLEEP_H
#define ARCH_X86_SLEEP_H

#include <stdint.h>

/* A sleeper looks up at least that often by itself: a wake-up that was lost costs no more. */
#define CPU_SLEEP_MAX_US 5000

/*
 * Halts the calling CPU for at most so many microseconds (CPU_SLEEP_MAX_US are the most): until its local
 * APIC's timer, any other interrupt or an NMI wakes it. Interrupts are off before and after. A wake-up that
 * comes just before the halt is lost, so the caller looks at its reasons again after every call. Without a
 * working timer the CPU waits with PAUSE. VMX root operation or none; any CPU.
 */
void cpu_sleep(uint64_t microseconds);

#endif
