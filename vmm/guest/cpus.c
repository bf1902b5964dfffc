/* SPDX-License-Identifier: MIT */
/* On which CPUs a guest's vCPUs run. */
#include "vmm/guest/cpus.h"

#define NONE PERCPU_MAX

static bool has(const uint16_t *cpus, unsigned count, unsigned cpu)
{
    for (unsigned i = 0; i < count; i++)
        if (cpus[i] == cpu)
            return true;
    return false;
}

static unsigned lowest(const struct guest_cpus *all)
{
    for (unsigned i = 0; i < all->count; i++)
        if (all->usable[i])
            return i;
    return NONE;
}

/* The one with the least load that is not among the first `taken` of cpus. */
static unsigned least_loaded(const struct guest_cpus *all, const uint16_t *cpus, unsigned taken)
{
    unsigned best = NONE;

    for (unsigned i = 0; i < all->count; i++)
        if (all->usable[i] && !has(cpus, taken, i) && (best == NONE || all->load[i] < all->load[best]))
            best = i;
    return best;
}

bool guest_cpus_choose(struct guest_cpus *all, int wanted, bool sequential, unsigned vcpus, uint16_t *cpus)
{
    unsigned first = sequential ? lowest(all) : least_loaded(all, cpus, 0), found = 1;

    if (wanted >= 0 && (unsigned)wanted < all->count && all->usable[wanted])
        first = (unsigned)wanted;
    cpus[0] = (uint16_t)first;
    while (found < vcpus) {
        unsigned next = least_loaded(all, cpus, found);

        if (next == NONE)
            break;
        cpus[found++] = (uint16_t)next;
    }
    if (found < vcpus)
        found = 1;
    for (unsigned i = 0; i < found; i++)
        all->load[cpus[i]]++;
    return found == vcpus;
}
