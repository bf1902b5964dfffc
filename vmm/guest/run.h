/* SPDX-License-Identifier: MIT */
/*
 * One guest from the making of its VM to its end, on all CPUs that have a part in it.
 *
 * Each CPU goes through the guests in which it has a part, in their order, and a guest begins when all its
 * CPUs have come to it. Since all go in the same order, the first guest that has not ended has all its CPUs,
 * or will have them: no two guests wait for each other.
 */
#ifndef VMM_GUEST_RUN_H
#define VMM_GUEST_RUN_H

#include "vmm/vm/config.h"
#include <stdint.h>

struct vm;
struct vmm_cpu;

/* Made before the first guest runs; then only the atomic words change. */
struct guest {
    struct vm *vm;
    unsigned module;
    uint16_t cpus[GUEST_VCPUS_MAX]; /* indexes: vCPU n runs on cpus[n] */
    unsigned cpu_count;             /* fewer than config.vcpus: not so many are there, and it does not run */
    uint32_t arrived;               /* atomic: CPUs of the vCPUs behind the first that wait for it */
    uint32_t stage;                 /* enum guest_stage, atomic */
    uint32_t left;                  /* atomic: vCPUs whose CPUs are done with it */
};

/* Does this CPU's part, if it has one, and returns when that is over. */
void guest_take_part(struct guest *guest, struct vmm_cpu *cpu);

#endif
