/* SPDX-License-Identifier: MIT */
/*
 * The page-frame allocator itself: an owner for each 4 KiB frame and a count of free frames for each 2 MiB
 * chunk. Pure: memory for its tables is found in the memory that it manages, and reached through a function
 * handed in; no lock (vmm/host/frame.c).
 */
#ifndef VMM_HOST_FRAME_POOL_H
#define VMM_HOST_FRAME_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

#define FRAME_SIZE         UINT64_C(4096)
#define FRAME_CHUNK        UINT64_C(512) /* frames in 2 MiB */
#define FRAME_ALLOC_FAILED UINT64_MAX
/* Nothing below 1 MiB is handed out: the trampoline is claimed there, and an identity guest may want the
 * rest. */
#define FRAME_ALLOC_FLOOR UINT64_C(0x100000)

typedef uint16_t frame_owner;
#define FRAME_FREE       ((frame_owner)0)
#define FRAME_RESERVED   ((frame_owner)1) /* in a 2 MiB chunk with RAM, but not RAM that anyone may have */
#define FRAME_IMAGE      ((frame_owner)2)
#define FRAME_MODULE     ((frame_owner)3)
#define FRAME_TRAMPOLINE ((frame_owner)5)
#define FRAME_HOST       ((frame_owner)6) /* the hypervisor's tables, stacks and data */
#define FRAME_NONE       ((frame_owner)7) /* no RAM: not tracked */
#define FRAME_EPT(vm)    ((frame_owner)(0x1000 | (vm)))
#define FRAME_GUEST(vm)  ((frame_owner)(0x2000 | (vm)))

/* A range of the memory map, in bytes, multiples of 4 KiB; sorted and disjoint. */
struct frame_range {
    uint64_t base, length;
    bool available;
};

/* Memory that already has an owner; any bytes, whole frames are taken. What lies outside of available memory
 * is ignored. */
struct frame_claim {
    uint64_t base, length;
    frame_owner owner;
};

#define FRAME_SPAN_MAX 512

/* Chunks in a row that hold available memory; their frames and chunks are numbered through all spans. */
struct frame_span {
    uint64_t first_chunk, chunk_count; /* in units of 2 MiB */
    uint64_t index;                    /* number of its first chunk among all tracked chunks */
};

struct frame_pool {
    struct frame_span spans[FRAME_SPAN_MAX];
    unsigned span_count;
    uint64_t chunk_count;     /* of all spans */
    uint16_t *owners;         /* frame_owner of each tracked frame */
    uint16_t *chunk_free;     /* free frames of each tracked chunk that may be handed out */
    uint64_t tables_physical; /* where both stand */
    uint64_t tables_length;
    uint64_t free_count;  /* frames that frame_pool_alloc may hand out */
    uint64_t lowest_free; /* no frame below this index may be handed out */
};

enum frame_status {
    FRAME_OK,
    FRAME_TOO_MANY_SPANS,
    FRAME_NO_ROOM, /* no gap in available memory holds the tables */
};

struct frame_stats {
    uint64_t total;                                /* frames of available memory */
    uint64_t free;                                 /* of those that may be handed out */
    uint64_t free_chunks;                          /* whole 2 MiB chunks free */
    uint64_t host, image, module, ept, guest, low; /* low: free, but below FRAME_ALLOC_FLOOR */
};

struct frame_gap {
    uint64_t base, length;
};

/*
 * The largest piece of available memory in [FRAME_ALLOC_FLOOR, limit) that nobody claims; whole frames;
 * length 0 if there is none.
 */
struct frame_gap frame_gap_largest(const struct frame_range *ranges, unsigned range_count,
                                   const struct frame_claim *claims, unsigned claim_count, uint64_t limit);

/* `map` gives the address at which a physical address is reachable. */
must_check enum frame_status frame_pool_init(struct frame_pool *pool, const struct frame_range *ranges,
                                             unsigned range_count, const struct frame_claim *claims,
                                             unsigned claim_count, void *(*map)(uint64_t physical));
must_check uint64_t frame_pool_alloc(struct frame_pool *pool, frame_owner owner, uint64_t count,
                                     uint64_t align_frames);
/* False, and nothing freed, if a frame of the run is not the owner's. */
must_check bool frame_pool_free(struct frame_pool *pool, uint64_t physical, uint64_t count,
                                frame_owner owner);
frame_owner frame_pool_owner(const struct frame_pool *pool, uint64_t physical);
must_check bool frame_pool_claim(struct frame_pool *pool, uint64_t physical, uint64_t count, frame_owner from,
                                 frame_owner to);
void frame_pool_stats(const struct frame_pool *pool, struct frame_stats *out);
/* End of the highest tracked frame, in bytes. */
uint64_t frame_pool_top(const struct frame_pool *pool);

#endif
