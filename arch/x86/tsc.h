/* SPDX-License-Identifier: MIT */
/*
 * The time-stamp counter: its rate, and waiting by it. The rate comes from CPUID 15H/16H, else from the ACPI
 * PM timer, else from the 8254. What CPUID says is checked against the PM timer where there is one: an
 * emulator's CPUID may tell of a rate that its counter does not have.
 */
#ifndef ARCH_X86_TSC_H
#define ARCH_X86_TSC_H

#include <stdbool.h>
#include <stdint.h>

enum tsc_source {
    TSC_SOURCE_ASSUMED,  /* nothing could be measured: TSC_ASSUMED_KHZ */
    TSC_SOURCE_CPUID,    /* CPUID 15H or 16H */
    TSC_SOURCE_PM_TIMER, /* measured by the ACPI PM timer */
    TSC_SOURCE_PIT,      /* measured by channel 2 of the 8254 */
};

/* Before tsc_calibrate(), and if nothing can be measured: high, so that waits are rather too long than too
 * short. */
#define TSC_ASSUMED_KHZ UINT32_C(4000000)

static inline uint64_t tsc_read(void)
{
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

/*
 * Finds the rate; the boot CPU calls it once. pm_timer_port 0: no PM timer; pm_timer_32bit: it counts 32,
 * else 24 bits. Takes at most about 0.1 s, also on a machine where nothing counts.
 */
void tsc_calibrate(uint32_t pm_timer_port, bool pm_timer_32bit);

/* Thousands of ticks per second; never 0. */
uint64_t tsc_khz(void);
enum tsc_source tsc_source(void);
const char *tsc_source_text(enum tsc_source source);
/* What CPUID says in kHz, 0 if nothing; differs from tsc_khz() where the PM timer proved it wrong. */
uint64_t tsc_cpuid_khz(void);

/* Ticks in that many microseconds. */
uint64_t tsc_ticks(uint64_t microseconds);

/* Waits that long by the TSC. Returns early only if the counter stands still. */
void delay_us(uint64_t microseconds);

#endif
