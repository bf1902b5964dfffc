/* SPDX-License-Identifier: MIT */
/* On which CPUs a guest's vCPUs run. Pure; decided for all guests, in their order, before the first one runs.
 */
#ifndef VMM_GUEST_CPUS_H
#define VMM_GUEST_CPUS_H

#include "arch/x86/percpu.h"
#include <stdbool.h>
#include <stdint.h>

struct guest_cpus {
    unsigned count;            /* CPUs 0..count - 1 */
    bool usable[PERCPU_MAX];   /* VMX is on */
    unsigned load[PERCPU_MAX]; /* vCPUs that were given to it */
};

/*
 * Chooses a CPU for each of `vcpus` vCPUs, no two the same: for the first `wanted` if it is usable (-1: any),
 * else the one with the least load, the lowest of them; with `sequential` the lowest at all, so that guests
 * share it. For the others those with the least load. False, and cpus[0] alone, where there are not so many;
 * there is one.
 */
bool guest_cpus_choose(struct guest_cpus *all, int wanted, bool sequential, unsigned vcpus, uint16_t *cpus);

#endif
