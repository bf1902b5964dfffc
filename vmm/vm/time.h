/* SPDX-License-Identifier: MIT */
/*
 * A guest's time: nanoseconds since its start, from the TSC. Computed from all ticks since then at once, so
 * that no rounding adds up; it never goes backwards. Pure: TSC values and its rate are handed in.
 */
#ifndef VMM_VM_TIME_H
#define VMM_VM_TIME_H

#include <stdint.h>

#define GUEST_TIME_SHIFT 40 /* one tick in nanoseconds, below 2^20 of them, times 2^40 */

struct guest_time {
    uint64_t start;       /* TSC at time 0 */
    uint64_t nanoseconds; /* of one tick, times 2^GUEST_TIME_SHIFT, rounded down */
    uint64_t khz;
    uint64_t latest; /* the latest time that was told */
};

/* Time 0 is at this TSC. khz: ticks per millisecond, not 0. */
void guest_time_start(struct guest_time *time, uint64_t tsc, uint64_t khz);

/* The time at a TSC value, which may be before the start: then it is 0. Whole nanoseconds, rounded down. */
static inline uint64_t guest_time_at(const struct guest_time *time, uint64_t tsc)
{
    uint64_t ticks = tsc - time->start;

    if ((int64_t)ticks < 0)
        return 0;
    return (uint64_t)((unsigned __int128)ticks * time->nanoseconds >> GUEST_TIME_SHIFT);
}

/* The same, but never less than was told before: a TSC may be set back under us. */
static inline uint64_t guest_time_now(struct guest_time *time, uint64_t tsc)
{
    uint64_t now = guest_time_at(time, tsc);

    if (now > time->latest)
        time->latest = now;
    return time->latest;
}

/* The first TSC value at which guest_time_at() is `moment` or later; UINT64_MAX if it is
 * more than a century away. */
uint64_t guest_time_tsc(const struct guest_time *time, uint64_t moment);

#endif
