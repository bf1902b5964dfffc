/* SPDX-License-Identifier: MIT */
/*
 * Which virtual-processor identifiers are taken. Pure; vmm/vcpu/vpid.c has the machine's. 0 is the host's and
 * is never handed out. The next one is looked for behind the last one, so that a VPID that was given back
 * rests as long as can be.
 */
#ifndef VMM_VCPU_VPID_POOL_H
#define VMM_VCPU_VPID_POOL_H

#include <stdbool.h>
#include <stdint.h>

#define VPID_HIGHEST 0xffffu

struct vpid_pool {
    uint32_t highest; /* VPIDs 1..highest are in the pool; 0: there are none */
    uint32_t last;    /* handed out last */
    uint64_t taken[(VPID_HIGHEST + 1) / 64];
};

/* highest: at most VPID_HIGHEST. */
void vpid_pool_init(struct vpid_pool *pool, uint32_t highest);

/* A VPID that nobody has; 0: all are taken. */
uint16_t vpid_pool_take(struct vpid_pool *pool);

/* false: it was not taken. */
bool vpid_pool_give_back(struct vpid_pool *pool, uint16_t vpid);

#endif
