/* SPDX-License-Identifier: MIT */
/* Which virtual-processor identifiers are taken. */
#include "vmm/vcpu/vpid_pool.h"

#define BITS 64

void vpid_pool_init(struct vpid_pool *pool, uint32_t highest)
{
    *pool = (struct vpid_pool){.highest = highest < VPID_HIGHEST ? highest : VPID_HIGHEST};
}

static uint64_t bit(uint32_t vpid)
{
    return UINT64_C(1) << vpid % BITS;
}

uint16_t vpid_pool_take(struct vpid_pool *pool)
{
    for (uint32_t n = 0; n < pool->highest; n++) {
        uint32_t vpid = (pool->last + n) % pool->highest + 1;

        if (pool->taken[vpid / BITS] & bit(vpid))
            continue;
        pool->taken[vpid / BITS] |= bit(vpid);
        pool->last = vpid;
        return (uint16_t)vpid;
    }
    return 0;
}

bool vpid_pool_give_back(struct vpid_pool *pool, uint16_t vpid)
{
    if (vpid == 0 || vpid > pool->highest || !(pool->taken[vpid / BITS] & bit(vpid)))
        return false;
    pool->taken[vpid / BITS] &= ~bit(vpid);
    return true;
}
