/* SPDX-License-Identifier: MIT */
/* A guest's time, from the TSC. */
#include "vmm/vm/time.h"

#define MILLISECOND UINT64_C(1000000) /* in nanoseconds */

void guest_time_start(struct guest_time *time, uint64_t tsc, uint64_t khz)
{
    time->start = tsc;
    time->khz = khz;
    time->nanoseconds = (MILLISECOND << GUEST_TIME_SHIFT) / khz;
    time->latest = 0;
}

/* An estimate from whole milliseconds, which no product overflows, then the last tick by trying. */
uint64_t guest_time_tsc(const struct guest_time *time, uint64_t moment)
{
    unsigned __int128 estimate = (unsigned __int128)(moment / MILLISECOND) * time->khz;
    uint64_t ticks;

    estimate += (moment % MILLISECOND) * time->khz / MILLISECOND;
    if (moment >> 62 || estimate >> 62)
        return UINT64_MAX;
    ticks = (uint64_t)estimate;
    while (guest_time_at(time, time->start + ticks) < moment) {
        uint64_t missing = moment - guest_time_at(time, time->start + ticks);
        uint64_t step = missing / MILLISECOND * time->khz + missing % MILLISECOND * time->khz / MILLISECOND;

        ticks += step > 1 ? step : 1;
    }
    while (ticks > 0 && guest_time_at(time, time->start + ticks - 1) >= moment)
        ticks--;
    return time->start + ticks;
}
