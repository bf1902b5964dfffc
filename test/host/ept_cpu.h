/* SPDX-License-Identifier: MIT */
/*
 * A processor for tests with threads: walks the tables beside the engine as hardware does, sets accessed and
 * dirty flags by locked exchanges, keeps a page-modification log, and caches translations and references to
 * tables until it is flushed. A frame that is given back while it is cached here is seen: it has been used
 * once more, or it is poisoned. Written without ept/walk.c.
 */
#ifndef TEST_HOST_EPT_CPU_H
#define TEST_HOST_EPT_CPU_H

#include "ept/dirty.h"
#include "test/host/ept_pool.h"

#define CPU_CACHED 64u /* translations, and references to tables */
#define CPU_POISON (UINT64_C(0x0101010101010101) * POOL_POISON)

enum cpu_outcome { CPU_DONE, CPU_VIOLATION, CPU_MISCONFIGURATION };

struct cpu_translation {
    uint64_t page; /* gpa >> 12; UINT64_MAX: none */
    uint64_t hpa;  /* of the page */
    unsigned rights, type;
    bool dirty;
};

struct cpu_table {
    uint64_t region; /* gpa >> 21 of the level-1 table; UINT64_MAX: none */
    uint64_t hpa;
    uint32_t uses; /* of the frame, when it was cached */
    unsigned rights;
};

struct cpu {
    struct bed *bed;
    struct cpu_translation translations[CPU_CACHED];
    struct cpu_table tables[CPU_CACHED];
    uint64_t log[EPT_PML_ENTRIES];
    unsigned logged;
    bool page_modification_log;
    uint64_t frames_reused; /* frames that were given back while they were cached here: must stay 0 */
};

static inline void cpu_flush(struct cpu *cpu)
{
    for (unsigned n = 0; n < CPU_CACHED; n++)
        cpu->translations[n].page = cpu->tables[n].region = UINT64_MAX;
}

static inline void cpu_drain(struct cpu *cpu)
{
    ept_dirty_drain(&cpu->bed->ept, cpu->log, cpu->logged);
    cpu->logged = 0;
}

static inline uint32_t cpu_uses(const struct cpu *cpu, uint64_t hpa)
{
    return __atomic_load_n(&cpu->bed->pool.uses[(hpa - POOL_BASE) / 4096], __ATOMIC_RELAXED);
}

/* The slot of a table, or NULL if the frame is no table any more. */
static inline uint64_t *cpu_slot(struct cpu *cpu, uint64_t table, uint64_t gpa, unsigned level)
{
    if (!pool_owns(&cpu->bed->pool, table)) {
        cpu->frames_reused++;
        return NULL;
    }
    return (uint64_t *)(void *)(cpu->bed->pool.memory + (table - POOL_BASE)) +
           (gpa >> (12 + 9 * (level - 1)) & 511);
}

/* Sets flags in an entry, if it is still what was read. */
static inline bool cpu_set(uint64_t *slot, uint64_t entry, uint64_t flags)
{
    return (entry & flags) == flags || __atomic_compare_exchange_n(slot, &entry, entry | flags, false,
                                                                   __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* One step of a walk: what the entry of a level says. *again: it has changed under the walk. */
static inline enum cpu_outcome cpu_step(struct cpu *cpu, uint64_t *slot, uint64_t gpa, unsigned level,
                                        unsigned access, struct cpu_translation *found, uint64_t *next,
                                        bool *again)
{
    uint64_t entry = __atomic_load_n(slot, __ATOMIC_ACQUIRE), type = entry >> 3 & 7, flags = EPT_ACCESSED;
    bool leaf = level == 1 || (level <= 3 && (entry & EPT_LARGE) != 0), writes = (access & EPT_WRITE) != 0;
    uint64_t below = (UINT64_C(1) << (12 + 9 * (level - 1))) - 1;

    *next = 0;
    if (entry == CPU_POISON)
        cpu->frames_reused++;
    if ((entry & 7) == 0)
        return CPU_VIOLATION;
    if ((entry & 3) == 2 || ((entry & EPT_ADDRESS) >> 40) != 0 ||
        ((entry & 7) == 4 && !cpu->bed->caps.execute_only) ||
        (leaf && (type == 2 || type == 3 || type == 7 || (entry & EPT_ADDRESS & below) != 0)) ||
        (!leaf && ((entry & 0x78) != 0 || (level >= 4 && (entry & EPT_LARGE) != 0))))
        return CPU_MISCONFIGURATION;
    found->rights &= (unsigned)entry & 7;
    if (!leaf) {
        *again = cpu->bed->caps.accessed_dirty && !cpu_set(slot, entry, flags);
        *next = entry & EPT_ADDRESS;
        return CPU_DONE;
    }
    if ((access & ~found->rights) != 0)
        return CPU_VIOLATION;
    if (writes && cpu->page_modification_log && cpu->logged == EPT_PML_ENTRIES)
        cpu_drain(cpu); /* the log-full exit */
    if (writes)
        flags |= EPT_DIRTY;
    *again = cpu->bed->caps.accessed_dirty && !cpu_set(slot, entry, flags);
    if (!*again && writes && cpu->page_modification_log && (entry & EPT_DIRTY) == 0)
        cpu->log[cpu->logged++] = gpa & ~UINT64_C(0xfff);
    found->hpa = (entry & EPT_ADDRESS & ~below) | (gpa & below & ~UINT64_C(0xfff));
    found->type = (unsigned)type;
    found->dirty = ((entry | flags) & EPT_DIRTY) != 0;
    return CPU_DONE;
}

/* A walk, from the root or from a cached reference to a level-1 table. */
static inline enum cpu_outcome cpu_walk(struct cpu *cpu, uint64_t gpa, unsigned access,
                                        struct cpu_translation *found)
{
    struct cpu_table *cached = &cpu->tables[(gpa >> 21) % CPU_CACHED];
    bool again = true;

    while (again) {
        uint64_t table = cpu->bed->ept.root;
        unsigned level = cpu->bed->caps.levels;

        *found = (struct cpu_translation){.page = gpa >> 12, .rights = 7};
        again = false;
        if (cached->region == gpa >> 21) {
            if (cpu_uses(cpu, cached->hpa) != cached->uses)
                cpu->frames_reused++;
            table = cached->hpa;
            level = 1;
            found->rights = cached->rights;
        }
        for (; !again; level--) {
            uint64_t *slot = cpu_slot(cpu, table, gpa, level);
            enum cpu_outcome outcome;

            if (level == 1 && cached->region != gpa >> 21)
                *cached = (struct cpu_table){gpa >> 21, table, slot != NULL ? cpu_uses(cpu, table) : 0,
                                             found->rights};
            if (slot == NULL)
                return CPU_VIOLATION;
            outcome = cpu_step(cpu, slot, gpa, level, access, found, &table, &again);
            if (outcome != CPU_DONE)
                cached->region = UINT64_MAX; /* a fault drops what it used */
            if (outcome != CPU_DONE || (!again && table == 0))
                return outcome;
        }
    }
    return CPU_DONE;
}

/* An access to a page. CPU_DONE: *used is what translated it. */
static inline enum cpu_outcome cpu_access(struct cpu *cpu, uint64_t gpa, unsigned access,
                                          struct cpu_translation *used)
{
    struct cpu_translation *cached = &cpu->translations[(gpa >> 12) % CPU_CACHED];
    enum cpu_outcome outcome;

    *used = *cached;
    if (cached->page == gpa >> 12 && (access & ~cached->rights) == 0 &&
        ((access & EPT_WRITE) == 0 || cached->dirty || !cpu->bed->caps.accessed_dirty))
        return CPU_DONE;
    outcome = cpu_walk(cpu, gpa, access, used);
    if (outcome == CPU_DONE)
        *cached = *used;
    else if (cached->page == gpa >> 12)
        cached->page = UINT64_MAX;
    return outcome;
}

#endif
