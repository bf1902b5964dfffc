/* SPDX-License-Identifier: MIT */
/* Finding the rate of the time-stamp counter. Every wait has a bound that needs no clock. */
#include "arch/x86/tsc.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/port.h"
#include "arch/x86/spinlock.h"

#define PM_TIMER_HZ UINT64_C(3579545)
#define PIT_HZ      UINT64_C(1193182)
#define MEASURE_MS  10
#define READ_BOUND  200000 /* port reads; each takes at least 0.1 us, usually 1 us */

#define PIT_CHANNEL2 0x42
#define PIT_COMMAND  0x43
#define PORT_B       0x61 /* bit 0 gates channel 2, bit 1 the speaker, bit 5 is channel 2's output */

/* A rate outside of this is no rate: a Bochs with a very low ips= is at the lower end. */
#define KHZ_MIN UINT64_C(500)
#define KHZ_MAX UINT64_C(20000000)

static uint64_t rate_khz = TSC_ASSUMED_KHZ;
static uint64_t cpuid_khz;
static enum tsc_source source = TSC_SOURCE_ASSUMED;

static uint64_t plausible(uint64_t khz)
{
    return khz >= KHZ_MIN && khz <= KHZ_MAX ? khz : 0;
}

/* SDM vol. 2, "CPUID", leaves 15H (TSC/crystal ratio in EBX/EAX, crystal in ECX in Hz) and 16H (base
 * frequency in MHz). */
static uint64_t from_cpuid(void)
{
    uint32_t highest = cpuid_highest();
    struct cpuid_result ratio;

    if (highest < 0x15)
        return 0;
    ratio = cpuid(0x15, 0);
    if (ratio.eax != 0 && ratio.ebx != 0 && ratio.ecx != 0)
        return plausible((uint64_t)ratio.ecx * ratio.ebx / ratio.eax / 1000);
    if (highest < 0x16)
        return 0;
    return plausible((uint64_t)(cpuid(0x16, 0).eax & 0xffff) * 1000);
}

static uint64_t from_pm_timer(uint16_t port, bool is_32bit)
{
    uint32_t mask = is_32bit ? 0xffffffff : 0xffffff;
    uint32_t wanted = (uint32_t)(PM_TIMER_HZ * MEASURE_MS / 1000);
    uint32_t start, passed = 0;
    uint64_t begin, end;

    /* Begin at a step of the timer. */
    start = in32(port) & mask;
    for (unsigned i = 0; i < READ_BOUND && passed == 0; i++)
        passed = ((in32(port) & mask) - start) & mask;
    if (passed == 0)
        return 0;
    start = (start + passed) & mask;
    begin = end = tsc_read();
    passed = 0;
    for (unsigned i = 0; i < READ_BOUND && passed < wanted; i++) {
        passed = ((in32(port) & mask) - start) & mask;
        end = tsc_read();
    }
    if (passed < wanted)
        return 0;
    return plausible((end - begin) * PM_TIMER_HZ / passed / 1000);
}

static uint64_t from_pit(void)
{
    uint32_t count = (uint32_t)(PIT_HZ * MEASURE_MS / 1000);
    uint8_t saved = in8(PORT_B);
    uint64_t begin, end;
    unsigned reads = 0;

    out8(PORT_B, (uint8_t)((saved & ~0x02) | 0x01));
    out8(PIT_COMMAND, 0xb0); /* channel 2, both bytes, mode 0: output rises at the end */
    out8(PIT_CHANNEL2, (uint8_t)count);
    out8(PIT_CHANNEL2, (uint8_t)(count >> 8));
    begin = tsc_read();
    while (reads < READ_BOUND && !(in8(PORT_B) & 0x20))
        reads++;
    end = tsc_read();
    out8(PORT_B, saved);
    /* No read with the output low: there is no 8254, or it stands still. */
    if (reads == 0 || reads == READ_BOUND)
        return 0;
    return plausible((end - begin) * PIT_HZ / count / 1000);
}

void tsc_calibrate(uint32_t pm_timer_port, bool pm_timer_32bit)
{
    uint64_t measured = 0;

    cpuid_khz = from_cpuid();
    if (pm_timer_port != 0 && pm_timer_port <= UINT16_MAX)
        measured = from_pm_timer((uint16_t)pm_timer_port, pm_timer_32bit);
    /* More than 1/32 apart: CPUID tells of another machine (an emulator's model). */
    if (cpuid_khz != 0 && (measured == 0 || (cpuid_khz - cpuid_khz / 32 <= measured &&
                                             measured <= cpuid_khz + cpuid_khz / 32))) {
        rate_khz = cpuid_khz;
        source = TSC_SOURCE_CPUID;
        return;
    }
    if (measured != 0) {
        rate_khz = measured;
        source = TSC_SOURCE_PM_TIMER;
        return;
    }
    measured = from_pit();
    if (measured != 0) {
        rate_khz = measured;
        source = TSC_SOURCE_PIT;
    }
}

uint64_t tsc_khz(void)
{
    return rate_khz;
}

uint64_t tsc_cpuid_khz(void)
{
    return cpuid_khz;
}

enum tsc_source tsc_source(void)
{
    return source;
}

const char *tsc_source_text(enum tsc_source which)
{
    switch (which) {
    case TSC_SOURCE_ASSUMED:
        return "assumed";
    case TSC_SOURCE_CPUID:
        return "cpuid";
    case TSC_SOURCE_PM_TIMER:
        return "pm-timer";
    case TSC_SOURCE_PIT:
        return "pit";
    }
    return "unknown";
}

uint64_t tsc_ticks(uint64_t microseconds)
{
    return microseconds / 1000 * rate_khz + microseconds % 1000 * rate_khz / 1000;
}

void delay_us(uint64_t microseconds)
{
    uint64_t start = tsc_read(), ticks = tsc_ticks(microseconds);

    /* A round takes at least one tick: a counter that moves ends the wait by itself. */
    for (uint64_t round = 0; round <= ticks && tsc_read() - start < ticks; round++)
        cpu_pause();
}
