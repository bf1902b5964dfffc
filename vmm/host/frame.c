/* SPDX-License-Identifier: MIT */
/* The machine's one frame pool under its lock. */
#include "vmm/host/frame.h"

#include "arch/x86/memory.h"
#include "arch/x86/spinlock.h"
#include "vmm/host/panic.h"

static struct frame_pool pool;
static struct spinlock lock;

must_check enum frame_status frame_init(const struct frame_range *ranges, unsigned range_count,
                                        const struct frame_claim *claims, unsigned claim_count,
                                        void *(*map)(uint64_t physical))
{
    return frame_pool_init(&pool, ranges, range_count, claims, claim_count, map);
}

must_check uint64_t frame_alloc(frame_owner owner)
{
    return frame_alloc_run(owner, 1, 1);
}

must_check uint64_t frame_alloc_run(frame_owner owner, uint64_t count, uint64_t align_frames)
{
    uint64_t physical;

    spinlock_lock(&lock);
    physical = frame_pool_alloc(&pool, owner, count, align_frames);
    spinlock_unlock(&lock);
    return physical;
}

must_check void *frame_alloc_zeroed(uint64_t bytes)
{
    uint64_t frames = (bytes + FRAME_SIZE - 1) / FRAME_SIZE;
    uint64_t physical = frame_alloc_run(FRAME_HOST, frames, 1);

    if (physical == FRAME_ALLOC_FAILED)
        return NULL;
    memset(phys_to_virt(physical), 0, frames * FRAME_SIZE);
    return phys_to_virt(physical);
}

void frame_free_run(uint64_t physical, uint64_t count, frame_owner owner)
{
    bool freed;

    spinlock_lock(&lock);
    freed = frame_pool_free(&pool, physical, count, owner);
    spinlock_unlock(&lock);
    if (!freed)
        panic("%llu frames at %#llx were to be freed, but are not all of owner %#x",
              (unsigned long long)count, (unsigned long long)physical, owner);
}

frame_owner frame_owner_of(uint64_t physical)
{
    frame_owner owner;

    spinlock_lock(&lock);
    owner = frame_pool_owner(&pool, physical);
    spinlock_unlock(&lock);
    return owner;
}

must_check bool frame_claim(uint64_t physical, uint64_t count, frame_owner from, frame_owner to)
{
    bool claimed;

    spinlock_lock(&lock);
    claimed = frame_pool_claim(&pool, physical, count, from, to);
    spinlock_unlock(&lock);
    return claimed;
}

void frame_stats(struct frame_stats *out)
{
    spinlock_lock(&lock);
    frame_pool_stats(&pool, out);
    spinlock_unlock(&lock);
}

uint64_t frame_top(void)
{
    return frame_pool_top(&pool);
}
