/* SPDX-License-Identifier: MIT */
/*
 * A processor for the tests of ept/: walks the tables as hardware does, sets accessed and dirty flags, keeps
 * a page-modification log, and caches translations until it is flushed or faults, so that a flush left out is
 * seen.
 */
#ifndef TEST_HOST_EPT_PROCESSOR_H
#define TEST_HOST_EPT_PROCESSOR_H

#include "ept/dirty.h"
#include "ept/walk.h"
#include "ept/zap.h"
#include "test/host/ept_pool.h"

#define PROCESSOR_CACHE 4096

struct cached {
    uint64_t gpa; /* of the 4 KiB page; ~0: none */
    uint64_t hpa;
    uint8_t rights, level;
    bool dirty;
};

struct processor {
    struct bed *bed;
    bool pml;
    uint64_t log[EPT_PML_ENTRIES];
    unsigned log_used;
    uint64_t faults, log_full;
    struct cached cache[PROCESSOR_CACHE];
};

static inline void processor_flush(struct processor *processor, enum ept_flush flush)
{
    if (flush == EPT_FLUSH_NONE)
        return;
    for (unsigned n = 0; n < PROCESSOR_CACHE; n++)
        processor->cache[n].gpa = UINT64_MAX;
    ept_reclaim(&processor->bed->ept);
}

static inline void processor_init(struct processor *processor, struct bed *bed)
{
    *processor = (struct processor){.bed = bed};
    processor_flush(processor, EPT_FLUSH_CONTEXT);
}

static inline void processor_drain(struct processor *processor)
{
    ept_dirty_drain(&processor->bed->ept, processor->log, processor->log_used);
    processor->log_used = 0;
}

/* One walk. Fills the cache; false: an EPT violation. */
static inline bool processor_walk(struct processor *processor, uint64_t gpa, unsigned access)
{
    struct ept *ept = &processor->bed->ept;
    struct cached *cached = &processor->cache[(gpa >> 12) % PROCESSOR_CACHE];
    struct ept_walk walk = ept_walk(ept, gpa);
    uint64_t *leaf;

    if (walk.end != EPT_WALK_MAPPED || (access & ~(unsigned)walk.rights) != 0) {
        if (cached->gpa == gpa >> 12)
            cached->gpa = UINT64_MAX; /* a violation drops what is cached of its address */
        return false;
    }
    leaf = pool_entry(&processor->bed->pool, ept, gpa, walk.level);
    if (ept->caps.accessed_dirty) {
        for (unsigned level = ept->caps.levels; level >= walk.level; level--)
            *pool_entry(&processor->bed->pool, ept, gpa, level) |= EPT_ACCESSED;
        if ((access & EPT_WRITE) != 0 && (*leaf & EPT_DIRTY) == 0) {
            if (processor->pml && processor->log_used == EPT_PML_ENTRIES) {
                processor->log_full++;
                processor_drain(processor);
            }
            if (processor->pml)
                processor->log[processor->log_used++] = gpa & ~UINT64_C(0xfff);
            *leaf |= EPT_DIRTY;
        }
    }
    *cached = (struct cached){gpa >> 12, walk.hpa & ~UINT64_C(0xfff), walk.rights, walk.level,
                              (*leaf & EPT_DIRTY) != 0};
    return true;
}

/* An access by the guest, with the faults it takes. Gives what translated it, NULL: the list denies it. */
static inline const struct cached *processor_access(struct processor *processor, uint64_t gpa,
                                                    unsigned access)
{
    struct cached *cached = &processor->cache[(gpa >> 12) % PROCESSOR_CACHE];
    bool flags = processor->bed->ept.caps.accessed_dirty;

    for (unsigned tries = 0; tries < 8; tries++) {
        struct ept_fault_result result;

        if (cached->gpa == gpa >> 12 && (access & ~(unsigned)cached->rights) == 0 &&
            (!flags || (access & EPT_WRITE) == 0 || cached->dirty))
            return cached;
        if (processor_walk(processor, gpa, access))
            return cached;
        processor->faults++;
        result = ept_fault(&processor->bed->ept, gpa, access);
        processor_flush(processor, result.flush);
        if (!ept_fault_resolved(result.kind))
            return NULL;
    }
    return NULL;
}

#endif
