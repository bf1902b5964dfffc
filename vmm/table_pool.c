/* SPDX-License-Identifier: MIT */
/* Frames for one VM's EPT tables. */
#include "vmm/table_pool.h"
#include "arch/x86/memory.h"
#include "ept/map.h"
#include "vmm/frame.h"
#include "vmm/panic.h"

static uint64_t fresh_frame(const struct table_pool *pool)
{
    uint64_t physical = frame_alloc(FRAME_EPT(pool->vm));

    if (physical == FRAME_ALLOC_FAILED)
        return EPT_NO_FRAME;
    memset(phys_to_virt(physical), 0, PAGE_SIZE);
    return physical;
}

must_check bool table_pool_create(struct table_pool *pool, uint16_t vm, uint64_t limit)
{
    memset(pool, 0, sizeof(*pool));
    pool->vm = vm;
    pool->limit = limit;
    while (pool->ready_count < TABLE_POOL_READY) {
        uint64_t physical = fresh_frame(pool);

        if (physical == EPT_NO_FRAME) {
            table_pool_destroy(pool);
            return false;
        }
        pool->ready[pool->ready_count++] = physical;
    }
    return true;
}

void table_pool_destroy(struct table_pool *pool)
{
    assert(pool->in_use == 0);
    while (pool->ready_count > 0)
        frame_free_run(pool->ready[--pool->ready_count], 1, FRAME_EPT(pool->vm));
}

uint64_t table_pool_alloc(void *context)
{
    struct table_pool *pool = context;
    uint64_t physical = EPT_NO_FRAME;

    spinlock_lock(&pool->lock);
    if (pool->in_use < pool->limit)
        physical = pool->ready_count > 0 ? pool->ready[--pool->ready_count] : fresh_frame(pool);
    if (physical != EPT_NO_FRAME)
        pool->in_use++;
    spinlock_unlock(&pool->lock);
    return physical;
}

void table_pool_free(void *context, uint64_t physical)
{
    struct table_pool *pool = context;

    spinlock_lock(&pool->lock);
    assert(pool->in_use > 0);
    pool->in_use--;
    if (pool->ready_count < TABLE_POOL_READY) {
        memset(phys_to_virt(physical), 0, PAGE_SIZE);
        pool->ready[pool->ready_count++] = physical;
    } else {
        frame_free_run(physical, 1, FRAME_EPT(pool->vm));
    }
    spinlock_unlock(&pool->lock);
}
