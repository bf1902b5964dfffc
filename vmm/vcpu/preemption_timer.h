/* SPDX-License-Identifier: MIT */
/* What the VMX-preemption timer is set to. Pure. SDM vol. 3, "VMX-Preemption Timer". */
#ifndef VMM_VCPU_PREEMPTION_TIMER_H
#define VMM_VCPU_PREEMPTION_TIMER_H

#include <stdint.h>

/*
 * The value that brings the guest back in `left` TSC ticks, of a timer that counts once every 2^rate of them:
 * never more than `period`, the longest; 0 where there is no such timer. Nor less than `least`: a value of 1,
 * or of a few ticks that the entry itself takes, can expire before the guest's first instruction, and a guest
 * that is brought back so each time stands still.
 */
static inline uint32_t preemption_timer_value(uint64_t left, unsigned rate, uint32_t least, uint32_t period)
{
    uint64_t counts = left >> rate;

    if (counts >= period)
        return period;
    counts = counts < least ? least : counts + 1;
    return counts < period ? (uint32_t)counts : period;
}

#endif
