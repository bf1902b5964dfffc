/* SPDX-License-Identifier: MIT */
/*
 * What the exits of one reason cost, always counted. Ticks are TSC ticks in the host, from just after the
 * exit to just before the entry. Pure. The assembly of the fastest exits may add to it: the layout is fixed,
 * and each vCPU has an array of these, one a basic exit reason, that its CPU alone writes.
 */
#ifndef VMM_TRACE_EXIT_STATISTICS_H
#define VMM_TRACE_EXIT_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

#define EXIT_HISTOGRAM_BINS 29 /* makes the structure 256 bytes */

struct exit_statistics {
    uint64_t ticks; /* of all */
    uint64_t min;   /* ~0 while there is none */
    uint64_t max;
    /* Exits of 2^n to 2^(n+1) - 1 ticks; [0] has those of 0 ticks, too, the last one all that took longer.
     * There is no other count. */
    uint64_t histogram[EXIT_HISTOGRAM_BINS];
};

_Static_assert(sizeof(struct exit_statistics) == 256, "an index is a shift");
_Static_assert(offsetof(struct exit_statistics, histogram) == 24,
               "as vmx_entry.asm and the like may take it");

static inline void exit_statistics_init(struct exit_statistics *statistics)
{
    *statistics = (struct exit_statistics){.min = UINT64_MAX};
}

/* One exit that took so many ticks. The vCPU's CPU. */
static inline void exit_statistics_add(struct exit_statistics *statistics, uint64_t ticks)
{
    uint64_t bin = (uint64_t)__builtin_clzll(ticks | 1) ^ 63;

    __asm__("" : "+r"(statistics)); /* made once, not for each member: this is in every exit's path */
    if (__builtin_expect(bin >= EXIT_HISTOGRAM_BINS, 0)) {
        __asm__(""); /* a branch: moves by condition would be executed each time */
        bin = EXIT_HISTOGRAM_BINS - 1;
    }
    statistics->histogram[bin]++;
    statistics->ticks += ticks;
    if (__builtin_expect(ticks < statistics->min, 0))
        statistics->min = ticks;
    if (__builtin_expect(ticks > statistics->max, 0))
        statistics->max = ticks;
}

/* How many there were. */
static inline uint64_t exit_statistics_count(const struct exit_statistics *statistics)
{
    uint64_t count = 0;

    for (unsigned bin = 0; bin < EXIT_HISTOGRAM_BINS; bin++)
        count += statistics->histogram[bin];
    return count;
}

/* *sum gets what `more` has, too. */
static inline void exit_statistics_merge(struct exit_statistics *sum, const struct exit_statistics *more)
{
    sum->ticks += more->ticks;
    sum->min = more->min < sum->min ? more->min : sum->min;
    sum->max = more->max > sum->max ? more->max : sum->max;
    for (unsigned bin = 0; bin < EXIT_HISTOGRAM_BINS; bin++)
        sum->histogram[bin] += more->histogram[bin];
}

#endif
