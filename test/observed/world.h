/* SPDX-License-Identifier: MIT */
/*
 * An EPT, the processors that walk it, and a watcher that looks at the whole of it after each access that the
 * engine makes. The rules that hold at every moment, whatever the operation:
 *
 *  - An entry that a processor may read (its table was linked at some time since the last flush) changes by
 * an atomic read-and-write of 8 bytes alone. The one exception is a store over an entry that is frozen.
 *  - What is linked was filled before: each of its entries is empty, or sound.
 *  - No frame is given back, and none is used after it was given back, while a processor may walk it.
 *  - Each probed address translates as it did before, or as it will afterwards, or as the operation's
 * contract says besides: never to another frame, never with more rights, never by a misconfigured entry.
 *
 * Written from the manual and from ept/README.md, without ept/walk.c and ept/misconfig.c.
 */
#ifndef TEST_OBSERVED_WORLD_H
#define TEST_OBSERVED_WORLD_H

#include "ept/dirty.h"
#include "ept/map.h"
#include "test/host/ept_pool.h"
#include "test/observed/memory_accesses.h"
#include <stdarg.h>
#include <stdio.h>

#define WORLD_FRAMES  24
#define WORLD_PAGES   2048u /* that the dirty log covers */
#define WORLD_WORDS   (WORLD_PAGES / 64 + 1)
#define WORLD_PROBES  12
#define WORLD_ALLOWED 10

/* How an address translates at a moment. */
enum translated { NOT_PRESENT, MAPPED, MISCONFIGURED };

struct translation {
    enum translated how;
    unsigned rights, level;
    uint64_t hpa, attributes; /* attributes: memory type and IPAT, as in the leaf */
    uint64_t flags;           /* A and D of the leaf */
    uint64_t *path[6];        /* the entries used, by level */
};

/* One translation that the contract allows: rights between `least` and `most`. */
struct allowed {
    enum translated how;
    unsigned least, most;
    uint64_t hpa, attributes;
};

struct probe {
    uint64_t gpa;
    struct allowed allowed[WORLD_ALLOWED];
    unsigned allowed_count;
    uint64_t reported; /* flags that a harvest has told of */
    /* All that processors may have cached since the last flush. */
    bool mapped;
    unsigned rights;
    uint64_t flags;
    bool changed; /* two translations that cannot both be right */
    struct translation first;
    uint64_t *cached_slot; /* of the leaf at the last flush: its table is walked until the next one */
    unsigned cached_level;
};

struct world {
    struct bed bed;
    uint8_t level_of[WORLD_FRAMES]; /* not 0: a processor may walk the frame, as a table of this level */
    struct probe probes[WORLD_PROBES];
    unsigned probe_count;
    struct ept_dirty_log log;
    uint64_t words[WORLD_WORDS], collected[WORLD_PAGES / 64];
    uint64_t modified[EPT_PML_ENTRIES]; /* the processor's page-modification log */
    unsigned modified_count;
    bool page_modification_log;
    uint64_t accesses;
    char failure[256]; /* the first one; empty: none */
};

extern struct world world;

/* The frame of a table, WORLD_FRAMES: it is none. */
static inline unsigned world_frame(uint64_t hpa)
{
    return hpa >= POOL_BASE && hpa < POOL_BASE + WORLD_FRAMES * UINT64_C(4096)
               ? (unsigned)((hpa - POOL_BASE) / 4096)
               : WORLD_FRAMES;
}

static inline uint64_t *world_table(unsigned frame)
{
    return (uint64_t *)(void *)(world.bed.pool.memory + frame * (size_t)4096);
}

static inline bool world_is_leaf(uint64_t raw, unsigned level)
{
    return level == 1 || (level <= 3 && (raw & EPT_LARGE) != 0);
}

/* Remembers the first failure. */
void world_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* An empty EPT with so many frames. */
void world_init(uint64_t capabilities);
void world_probe(uint64_t gpa);
/* The world as it is now; back to it, any number of times; the end. */
void world_save(void);
void world_restore(void);
void world_done(void);

/* As a processor sees gpa at this moment. */
struct translation world_translate(uint64_t gpa);
/* True for an entry that is an EPT misconfiguration, by the manual. */
bool world_misconfigured(uint64_t raw, unsigned level, bool leaf);
/* True if two translations differ in what a guest can tell. */
bool world_differ(const struct translation *one, const struct translation *other);

/*
 * A processor's access at this moment, with what it does to flags and log. False: it would fault, and nothing
 * has happened. access: EPT_READ or EPT_WRITE.
 */
bool world_access(uint64_t gpa, unsigned access);
/* The same by a processor that has cached the reference to the table that held the leaf at the last flush. */
bool world_access_by_cached_table(const struct probe *probe, unsigned access);
/* The probes, a bit each, for which a processor's access reads or changes this word. */
unsigned world_processors_use(const void *address);
/* Notes what a processor that accesses the probed addresses at this moment may cache. */
void world_note_cached(void);
/* False for entries that lead to no probed address, and for frames that no processor may walk. */
bool world_probed_word(const void *address);
/* Is a write to this page still known: in its dirty flag, the log, the processor's log, a collection? */
bool world_knows_write(const struct probe *probe);

void world_allow(struct probe *probe, const struct translation *translation);
/* What the region list says now, with any part of its rights. */
void world_allow_listed(struct probe *probe);
void world_allow_not_present(struct probe *probe);
bool world_allowed(const struct probe *probe, const struct translation *now);

/* Every processor drops what it has cached, and nobody is inside a table that is not linked any more. */
void world_flush(void);
/* The flush that is due for what has changed since the last one, by the probes and the tables. */
enum ept_flush world_flush_due(void);

/* For the observer: the engine is about to access memory; it has. */
void world_before(const struct memory_access *access);
void world_after(const struct memory_access *access);

#endif
