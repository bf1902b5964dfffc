/* SPDX-License-Identifier: MIT */
/* Table frames for the tests of ept/: a pool that zeroes, counts, checks owners, and can run short or
 * interfere. */
#ifndef TEST_HOST_EPT_POOL_H
#define TEST_HOST_EPT_POOL_H

#include "ept/map.h"
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define POOL_BASE        UINT64_C(0x7e00000000) /* host-physical address of the first frame */
#define POOL_END_OF_LIST UINT32_MAX
#define POOL_POISON      0x5a /* fills frames that were given back: each entry is write-only, a misconfiguration \
                               */

/* IA32_VMX_EPT_VPID_CAP of a processor that has it all, and bits to take away. */
#define CAP_ALL      UINT64_C(0x06734141)
#define CAP_NO_LARGE (CAP_ALL & ~UINT64_C(0x30000))
#define CAP_NO_1G    (CAP_ALL & ~UINT64_C(0x20000))
#define CAP_NO_X     (CAP_ALL & ~UINT64_C(1))
#define CAP_5_LEVEL  (CAP_ALL | UINT64_C(0x80))

struct pool {
    uint8_t *memory;
    uint8_t *taken;
    uint32_t *next;
    uint32_t count, free_head;
    uint32_t in_use, limit;
    uint64_t double_frees, allocations;
    void (*on_alloc)(struct pool *pool);              /* called once, before the next frame is handed out */
    void (*on_free)(struct pool *pool, uint64_t hpa); /* called for each frame that comes back */
    uint32_t *uses;                                   /* how often each frame has been taken and given back */
    void *argument;
    pthread_mutex_t mutex;
};

static inline uint64_t pool_alloc(void *context)
{
    struct pool *pool = context;
    void (*hook)(struct pool *) = pool->on_alloc;
    uint32_t n;

    if (hook != NULL) {
        pool->on_alloc = NULL;
        hook(pool);
    }
    pthread_mutex_lock(&pool->mutex);
    n = pool->in_use < pool->limit ? pool->free_head : POOL_END_OF_LIST;
    if (n != POOL_END_OF_LIST) {
        pool->free_head = pool->next[n];
        __atomic_store_n(&pool->taken[n], 1, __ATOMIC_RELAXED);
        pool->in_use++;
        pool->allocations++;
    }
    pthread_mutex_unlock(&pool->mutex);
    if (n == POOL_END_OF_LIST)
        return EPT_NO_FRAME;
    memset(pool->memory + n * (size_t)4096, 0, 4096);
    return POOL_BASE + n * (uint64_t)4096;
}

static inline bool pool_owns(void *context, uint64_t hpa)
{
    struct pool *pool = context;

    return hpa >= POOL_BASE && hpa < POOL_BASE + pool->count * (uint64_t)4096 && hpa % 4096 == 0 &&
           __atomic_load_n(&pool->taken[(hpa - POOL_BASE) / 4096], __ATOMIC_RELAXED) != 0;
}

static inline void pool_free(void *context, uint64_t hpa)
{
    struct pool *pool = context;
    uint32_t n = (uint32_t)((hpa - POOL_BASE) / 4096);

    if (pool->on_free != NULL)
        pool->on_free(pool, hpa);
    pthread_mutex_lock(&pool->mutex);
    if (!pool_owns(pool, hpa)) {
        pool->double_frees++;
    } else {
        __atomic_fetch_add(&pool->uses[n], 1, __ATOMIC_RELAXED);
        memset(pool->memory + n * (size_t)4096, POOL_POISON, 4096);
        __atomic_store_n(&pool->taken[n], 0, __ATOMIC_RELAXED);
        pool->next[n] = pool->free_head;
        pool->free_head = n;
        pool->in_use--;
    }
    pthread_mutex_unlock(&pool->mutex);
}

static inline void *pool_at(void *context, uint64_t hpa)
{
    struct pool *pool = context;

    return pool_owns(context, hpa) ? pool->memory + (hpa - POOL_BASE) : NULL;
}

static inline uint64_t pool_any(void *context)
{
    struct pool *pool = context;

    for (uint32_t n = 0; n < pool->count; n++) {
        if (pool->taken[n])
            return POOL_BASE + n * (uint64_t)4096;
    }
    return EPT_NO_FRAME;
}

static inline struct ept_memory pool_memory(struct pool *pool)
{
    return (struct ept_memory){.context = pool,
                               .alloc_table = pool_alloc,
                               .free_table = pool_free,
                               .table_at = pool_at,
                               .any_table = pool_any};
}

static inline void pool_init(struct pool *pool, uint32_t count)
{
    *pool = (struct pool){.count = count, .limit = count};
    pool->memory = aligned_alloc(4096, count * (size_t)4096);
    pool->taken = calloc(count, 1);
    pool->next = calloc(count, sizeof(*pool->next));
    pool->uses = calloc(count, sizeof(*pool->uses));
    for (uint32_t n = 0; n < count; n++)
        pool->next[n] = n + 1 < count ? n + 1 : POOL_END_OF_LIST;
    pthread_mutex_init(&pool->mutex, NULL);
}

static inline void pool_done(struct pool *pool)
{
    pthread_mutex_destroy(&pool->mutex);
    free(pool->memory);
    free(pool->taken);
    free(pool->next);
    free(pool->uses);
}

/* The entry of a level that translates gpa, in a hierarchy that leads there; NULL if it does not. */
static inline uint64_t *pool_entry(struct pool *pool, const struct ept *ept, uint64_t gpa, unsigned level)
{
    uint64_t hpa = ept->root;

    for (unsigned at = ept->caps.levels;; at--) {
        uint64_t *table = pool_at(pool, hpa);

        if (table == NULL)
            return NULL;
        if (at == level)
            return &table[gpa >> (12 + 9 * (at - 1)) & 511];
        hpa = table[gpa >> (12 + 9 * (at - 1)) & 511] & UINT64_C(0xffffff000);
        hpa |= table[gpa >> (12 + 9 * (at - 1)) & 511] & UINT64_C(0xf000000000);
    }
}

/* An EPT over its pool, list and capabilities. */
struct bed {
    struct pool pool;
    struct ept_caps caps;
    struct ept_region storage[64];
    struct ept_region_list list;
    struct ept ept;
};

static inline bool bed_init(struct bed *bed, uint64_t capabilities, unsigned width, uint32_t frames)
{
    struct ept_memory memory = pool_memory(&bed->pool);

    pool_init(&bed->pool, frames);
    if (ept_caps_init(&bed->caps, capabilities, width) != EPT_OK)
        return false;
    ept_region_list_init(&bed->list, bed->storage, 64, &bed->caps);
    return ept_init(&bed->ept, &memory, &bed->caps, &bed->list) == EPT_OK;
}

/* Tears down; true if every frame came back, each once. */
static inline bool bed_done(struct bed *bed)
{
    bool clean;

    ept_destroy(&bed->ept);
    clean = bed->pool.in_use == 0 && bed->pool.double_frees == 0 && bed->ept.table_count == 0 &&
            bed->ept.retired_count == 0 && bed->ept.planted_count == 0;
    pool_done(&bed->pool);
    return clean;
}

static inline bool bed_add(struct bed *bed, enum ept_region_kind kind, uint64_t gpa, uint64_t size,
                           uint64_t hpa, unsigned rights)
{
    struct ept_region region = {.gpa = gpa,
                                .size = size,
                                .hpa = hpa,
                                .kind = kind,
                                .rights = (uint8_t)rights,
                                .memory_type = kind == EPT_REGION_HOLE ? MEMORY_TYPE_UC : MEMORY_TYPE_WB};

    return ept_region_add(&bed->list, &region) == EPT_OK;
}

#define RWX 7u
#define RW  3u
#define RX  5u
#define R   1u
#define KB  UINT64_C(0x400)
#define MB  UINT64_C(0x100000)
#define GB  UINT64_C(0x40000000)
#define TB  UINT64_C(0x10000000000)

#endif
