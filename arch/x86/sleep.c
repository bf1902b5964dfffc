/* SPDX-License-Identifier: MIT */
/* Sleeping: HLT with the local APIC's timer as the alarm clock. */
#include "arch/x86/sleep.h"
#include "arch/x86/apic.h"
#include "arch/x86/exception.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"

static void wait_with_pause(uint64_t microseconds)
{
    uint64_t start = tsc_read(), ticks = tsc_ticks(microseconds);

    while (tsc_read() - start < ticks)
        cpu_pause();
}

void cpu_sleep(uint64_t microseconds)
{
    uint64_t khz = apic_timer_khz(), ticks;

    if (microseconds > CPU_SLEEP_MAX_US)
        microseconds = CPU_SLEEP_MAX_US;
    ticks = khz * microseconds / 1000;
    if (ticks == 0) {
        wait_with_pause(microseconds);
        return;
    }
    apic_timer_start(ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX, VECTOR_WAKE);
    /* STI lets interrupts in after the next instruction: the alarm cannot ring between the two. */
    __asm__ volatile("sti; hlt; cli" : : : "memory");
    apic_timer_start(0, VECTOR_WAKE);
}
