/* SPDX-License-Identifier: MIT */
/* Frames for one VM's EPT tables. */
#include "vmm/vm/table_pool.h"
#include "arch/x86/memory.h"
#include "ept/map.h"
#include "vmm/host/frame.h"
#include "vmm/host/panic.h"

static uint64_t fresh_frame(const struct table_pool *pool)
{
    uint64_t physical = frame_alloc(FRAME_EPT(pool->vm));

    if (physical == FRAME_ALLOC_FAILED)
        return EPT_NO_FRAME;
    memset(phys_to_virt(physical), 0, PAGE_SIZE);
    return physical;
}

/* false: there is no room, and the frame stays the caller's. */
static bool keep_ready(struct table_pool *pool, uint64_t physical)
{
    bool room;

    spinlock_lock(&pool->lock);
    room = pool->ready_count < TABLE_POOL_READY;
    if (room)
        pool->ready[pool->ready_count++] = physical;
    spinlock_unlock(&pool->lock);
    return room;
}

/* Other CPUs may take frames or give some back meanwhile: a guess is good enough. */
static bool has_room(const struct table_pool *pool)
{
    uint32_t ready = __atomic_load_n(&pool->ready_count, __ATOMIC_RELAXED);

    return ready < TABLE_POOL_READY && __atomic_load_n(&pool->in_use, __ATOMIC_RELAXED) + ready < pool->limit;
}

unsigned table_pool_prepare(struct table_pool *pool, unsigned most)
{
    unsigned count = 0;

    while (count < most && has_room(pool)) {
        uint64_t physical = fresh_frame(pool);

        if (physical == EPT_NO_FRAME)
            break;
        if (!keep_ready(pool, physical)) {
            frame_free_run(physical, 1, FRAME_EPT(pool->vm));
            break;
        }
        count++;
    }
    return count;
}

must_check bool table_pool_create(struct table_pool *pool, uint16_t vm, uint64_t limit)
{
    memset(pool, 0, sizeof(*pool));
    pool->vm = vm;
    pool->limit = limit;
    (void)table_pool_prepare(pool, TABLE_POOL_READY);
    return pool->ready_count > 0;
}

void table_pool_destroy(struct table_pool *pool)
{
    assert(pool->in_use == 0);
    while (pool->ready_count > 0)
        frame_free_run(pool->ready[--pool->ready_count], 1, FRAME_EPT(pool->vm));
}

static void give_up(struct table_pool *pool)
{
    spinlock_lock(&pool->lock);
    assert(pool->in_use > 0);
    pool->in_use--;
    spinlock_unlock(&pool->lock);
}

/* Frames are zeroed outside of the lock: other CPUs that want one do not wait for that. */
uint64_t table_pool_alloc(void *context)
{
    struct table_pool *pool = context;
    uint64_t physical = EPT_NO_FRAME;
    bool granted;

    spinlock_lock(&pool->lock);
    granted = pool->in_use < pool->limit;
    if (granted) {
        pool->in_use++;
        if (pool->ready_count > 0)
            physical = pool->ready[--pool->ready_count];
    }
    spinlock_unlock(&pool->lock);
    if (granted && unlikely(physical == EPT_NO_FRAME)) {
        physical = fresh_frame(pool);
        if (physical == EPT_NO_FRAME)
            give_up(pool);
    }
    return physical;
}

void table_pool_free(void *context, uint64_t physical)
{
    struct table_pool *pool = context;

    give_up(pool);
    if (has_room(pool)) {
        memset(phys_to_virt(physical), 0, PAGE_SIZE);
        if (keep_ready(pool, physical))
            return;
    }
    frame_free_run(physical, 1, FRAME_EPT(pool->vm));
}
