/* SPDX-License-Identifier: MIT */
/*
 * The page-frame allocator's core. Frames of 4 KiB are numbered by their physical address; tables exist only
 * for spans of 2 MiB chunks that hold available memory, so that a hole of any size in the memory map costs
 * nothing.
 */
#include "vmm/host/frame_pool.h"

#include <stddef.h>

#define CHUNK_SIZE  (FRAME_SIZE * FRAME_CHUNK)
#define NOT_TRACKED UINT64_MAX

/* Index of a frame in `owners`, or NOT_TRACKED. */
static uint64_t index_of(const struct frame_pool *pool, uint64_t frame)
{
    uint64_t chunk = frame / FRAME_CHUNK;
    unsigned low = 0, high = pool->span_count;

    while (low < high) {
        unsigned middle = low + (high - low) / 2;
        const struct frame_span *span = &pool->spans[middle];
        if (chunk < span->first_chunk)
            high = middle;
        else if (chunk >= span->first_chunk + span->chunk_count)
            low = middle + 1;
        else
            return (span->index + chunk - span->first_chunk) * FRAME_CHUNK + frame % FRAME_CHUNK;
    }
    return NOT_TRACKED;
}

/* The index of the first of `count` frames in a row, or NOT_TRACKED if one of them is not. A row never leaves
 * its span: spans that touch are one. */
static uint64_t index_of_row(const struct frame_pool *pool, uint64_t frame, uint64_t count)
{
    uint64_t first = index_of(pool, frame);

    if (count == 0 || first == NOT_TRACKED || index_of(pool, frame + count - 1) != first + count - 1)
        return NOT_TRACKED;
    return first;
}

/* The one place where owners change; keeps the counts. `index` is that of `frame`. */
static void set_owner(struct frame_pool *pool, uint64_t frame, uint64_t index, frame_owner owner)
{
    uint64_t chunk = index / FRAME_CHUNK;
    bool counts = frame * FRAME_SIZE >= FRAME_ALLOC_FLOOR;

    if (counts && pool->owners[index] == FRAME_FREE && owner != FRAME_FREE) {
        pool->chunk_free[chunk]--;
        pool->free_count--;
    } else if (counts && pool->owners[index] != FRAME_FREE && owner == FRAME_FREE) {
        pool->chunk_free[chunk]++;
        pool->free_count++;
        if (index < pool->lowest_free)
            pool->lowest_free = index;
    }
    pool->owners[index] = owner;
}

static bool build_spans(struct frame_pool *pool, const struct frame_range *ranges, unsigned range_count)
{
    for (unsigned i = 0; i < range_count; i++) {
        uint64_t first = ranges[i].base / CHUNK_SIZE;
        uint64_t end = (ranges[i].base + ranges[i].length + CHUNK_SIZE - 1) / CHUNK_SIZE;
        struct frame_span *last = pool->span_count > 0 ? &pool->spans[pool->span_count - 1] : NULL;

        if (!ranges[i].available || ranges[i].length == 0)
            continue;
        if (last != NULL && first <= last->first_chunk + last->chunk_count) {
            if (end > last->first_chunk + last->chunk_count)
                last->chunk_count = end - last->first_chunk;
            continue;
        }
        if (pool->span_count == FRAME_SPAN_MAX)
            return false;
        pool->spans[pool->span_count++] = (struct frame_span){first, end - first, 0};
    }
    for (unsigned i = 0; i < pool->span_count; i++) {
        pool->spans[i].index = pool->chunk_count;
        pool->chunk_count += pool->spans[i].chunk_count;
    }
    return true;
}

struct frame_gap frame_gap_largest(const struct frame_range *ranges, unsigned range_count,
                                   const struct frame_claim *claims, unsigned claim_count, uint64_t limit)
{
    struct frame_gap best = {0, 0};

    for (unsigned i = 0; i < range_count; i++) {
        uint64_t at = ranges[i].base, end = ranges[i].base + ranges[i].length;
        if (!ranges[i].available)
            continue;
        if (at < FRAME_ALLOC_FLOOR)
            at = FRAME_ALLOC_FLOOR;
        if (end > limit)
            end = limit;
        while (at < end) {
            /* The gap from `at` goes up to the nearest claim; one that covers `at` moves it on. */
            uint64_t stop = end, next = end;
            for (unsigned c = 0; c < claim_count; c++) {
                uint64_t from = claims[c].base / FRAME_SIZE * FRAME_SIZE;
                uint64_t to = (claims[c].base + claims[c].length + FRAME_SIZE - 1) / FRAME_SIZE * FRAME_SIZE;
                if (claims[c].length == 0 || to <= at || from >= stop)
                    continue;
                stop = from > at ? from : at;
                next = to;
            }
            if (stop - at > best.length)
                best = (struct frame_gap){at, stop - at};
            at = next;
        }
    }
    return best;
}

/* Sets the owner of what is free of [base, base + length); frames that are not tracked or not free stay as
 * they are. */
static void claim_free(struct frame_pool *pool, uint64_t base, uint64_t length, frame_owner owner)
{
    uint64_t end = (base + length + FRAME_SIZE - 1) / FRAME_SIZE;

    for (uint64_t frame = base / FRAME_SIZE; length > 0 && frame < end; frame++) {
        uint64_t index = index_of(pool, frame);
        if (index != NOT_TRACKED && pool->owners[index] == FRAME_FREE)
            set_owner(pool, frame, index, owner);
    }
}

/* All tracked frames become free but those that are not in available memory: they lie in the chunks at the
 * ends of ranges. */
static void fill_tables(struct frame_pool *pool, const struct frame_range *ranges, unsigned range_count)
{
    unsigned next = 0;

    __builtin_memset(pool->owners, 0, pool->chunk_count * FRAME_CHUNK * sizeof(pool->owners[0]));
    for (uint64_t i = 0; i < pool->chunk_count; i++)
        pool->chunk_free[i] = FRAME_CHUNK;
    pool->free_count = pool->chunk_count * FRAME_CHUNK;
    if (pool->spans[0].first_chunk == 0) {
        pool->chunk_free[0] -= FRAME_ALLOC_FLOOR / FRAME_SIZE;
        pool->free_count -= FRAME_ALLOC_FLOOR / FRAME_SIZE;
    }
    for (unsigned i = 0; i < pool->span_count; i++) {
        uint64_t at = pool->spans[i].first_chunk * CHUNK_SIZE;
        uint64_t end = at + pool->spans[i].chunk_count * CHUNK_SIZE;
        for (; next < range_count && ranges[next].base < end; next++) {
            if (!ranges[next].available || ranges[next].length == 0)
                continue;
            claim_free(pool, at, ranges[next].base - at, FRAME_RESERVED);
            at = ranges[next].base + ranges[next].length;
        }
        claim_free(pool, at, end - at, FRAME_RESERVED);
    }
}

must_check enum frame_status frame_pool_init(struct frame_pool *pool, const struct frame_range *ranges,
                                             unsigned range_count, const struct frame_claim *claims,
                                             unsigned claim_count, void *(*map)(uint64_t physical))
{
    struct frame_gap gap;
    uint64_t frames;

    *pool = (struct frame_pool){.span_count = 0};
    if (!build_spans(pool, ranges, range_count))
        return FRAME_TOO_MANY_SPANS;

    frames = pool->chunk_count * FRAME_CHUNK;
    pool->tables_length = (frames + pool->chunk_count) * sizeof(uint16_t);
    pool->tables_length = (pool->tables_length + FRAME_SIZE - 1) / FRAME_SIZE * FRAME_SIZE;
    gap = frame_gap_largest(ranges, range_count, claims, claim_count, UINT64_MAX);
    if (pool->chunk_count == 0 || gap.length < pool->tables_length)
        return FRAME_NO_ROOM;
    pool->tables_physical = gap.base + gap.length - pool->tables_length;
    pool->owners = map(pool->tables_physical);
    pool->chunk_free = pool->owners + frames;

    fill_tables(pool, ranges, range_count);
    for (unsigned i = 0; i < claim_count; i++)
        claim_free(pool, claims[i].base, claims[i].length, claims[i].owner);
    claim_free(pool, pool->tables_physical, pool->tables_length, FRAME_HOST);
    return FRAME_OK;
}

/* The first of `count` frames from `index` on, all in one span, that cannot be handed out; index + count if
 * there is none. */
static uint64_t first_taken(const struct frame_pool *pool, uint64_t index, uint64_t count)
{
    uint64_t end = index + count;

    while (index < end) {
        if (pool->chunk_free[index / FRAME_CHUNK] == FRAME_CHUNK)
            index += FRAME_CHUNK - index % FRAME_CHUNK;
        else if (pool->owners[index] == FRAME_FREE)
            index++;
        else
            return index;
    }
    return end;
}

/* The first index in [index, end), all in one span, whose frame can be handed out; `end` or more if there is
 * none.
 */
static uint64_t first_free(const struct frame_pool *pool, uint64_t index, uint64_t end)
{
    while (index < end) {
        uint64_t chunk_end = index - index % FRAME_CHUNK + FRAME_CHUNK;

        if (pool->chunk_free[index / FRAME_CHUNK] == 0)
            index = chunk_end;
        while (index < chunk_end && pool->owners[index] != FRAME_FREE)
            index++;
        if (index < chunk_end)
            break;
    }
    return index;
}

static uint64_t align_frame(uint64_t frame, uint64_t alignment)
{
    return (frame + alignment - 1) & ~(alignment - 1);
}

/* The lowest place for the run in this span, or NOT_TRACKED. */
static uint64_t find_in_span(const struct frame_pool *pool, const struct frame_span *span, uint64_t count,
                             uint64_t alignment)
{
    uint64_t frame = span->first_chunk * FRAME_CHUNK, end = frame + span->chunk_count * FRAME_CHUNK;
    uint64_t first = span->index * FRAME_CHUNK, to_index = first - frame, taken;

    if (pool->lowest_free >= end + to_index)
        return NOT_TRACKED;
    if (pool->lowest_free > first)
        frame += pool->lowest_free - first;
    if (frame < FRAME_ALLOC_FLOOR / FRAME_SIZE)
        frame = FRAME_ALLOC_FLOOR / FRAME_SIZE;
    for (;;) {
        frame = align_frame(first_free(pool, frame + to_index, end + to_index) - to_index, alignment);
        if (frame >= end || count > end - frame)
            return NOT_TRACKED;
        taken = first_taken(pool, frame + to_index, count) - to_index;
        if (taken == frame + count)
            return frame;
        frame = align_frame(taken + 1, alignment);
    }
    return NOT_TRACKED;
}

must_check uint64_t frame_pool_alloc(struct frame_pool *pool, frame_owner owner, uint64_t count,
                                     uint64_t align_frames)
{
    if (count == 0 || count > pool->free_count || owner == FRAME_FREE || align_frames == 0 ||
        (align_frames & (align_frames - 1)) != 0)
        return FRAME_ALLOC_FAILED;
    for (unsigned i = 0; i < pool->span_count; i++) {
        uint64_t frame = find_in_span(pool, &pool->spans[i], count, align_frames), index;
        if (frame == NOT_TRACKED)
            continue;
        index = index_of(pool, frame);
        for (uint64_t n = 0; n < count; n++)
            set_owner(pool, frame + n, index + n, owner);
        /* A single frame is the first that there was. */
        if (index == pool->lowest_free || (count == 1 && align_frames == 1))
            pool->lowest_free = index + count;
        return frame * FRAME_SIZE;
    }
    return FRAME_ALLOC_FAILED;
}

must_check bool frame_pool_claim(struct frame_pool *pool, uint64_t physical, uint64_t count, frame_owner from,
                                 frame_owner to)
{
    uint64_t frame = physical / FRAME_SIZE, index = index_of_row(pool, frame, count);

    if (physical % FRAME_SIZE != 0 || index == NOT_TRACKED)
        return false;
    for (uint64_t n = 0; n < count; n++) {
        if (pool->owners[index + n] != from)
            return false;
    }
    for (uint64_t n = 0; n < count; n++)
        set_owner(pool, frame + n, index + n, to);
    return true;
}

must_check bool frame_pool_free(struct frame_pool *pool, uint64_t physical, uint64_t count, frame_owner owner)
{
    /* Memory that was never anyone's to give stays what it is. */
    if (owner == FRAME_FREE || owner == FRAME_RESERVED || owner == FRAME_NONE)
        return false;
    return frame_pool_claim(pool, physical, count, owner, FRAME_FREE);
}

frame_owner frame_pool_owner(const struct frame_pool *pool, uint64_t physical)
{
    uint64_t index = index_of(pool, physical / FRAME_SIZE);

    return index == NOT_TRACKED ? FRAME_NONE : pool->owners[index];
}

void frame_pool_stats(const struct frame_pool *pool, struct frame_stats *out)
{
    *out = (struct frame_stats){.free = pool->free_count};
    for (uint64_t chunk = 0; chunk < pool->chunk_count; chunk++) {
        const frame_owner *owners = &pool->owners[chunk * FRAME_CHUNK];
        if (pool->chunk_free[chunk] == FRAME_CHUNK) {
            out->free_chunks++;
            out->total += FRAME_CHUNK;
            continue;
        }
        for (unsigned i = 0; i < FRAME_CHUNK; i++) {
            out->total += owners[i] != FRAME_RESERVED;
            out->low += owners[i] == FRAME_FREE;
            out->host += owners[i] == FRAME_HOST || owners[i] == FRAME_TRAMPOLINE;
            out->image += owners[i] == FRAME_IMAGE;
            out->module += owners[i] == FRAME_MODULE;
            out->ept += (owners[i] & 0xf000) == 0x1000;
            out->guest += (owners[i] & 0xf000) == 0x2000;
        }
        out->low -= pool->chunk_free[chunk];
    }
}

uint64_t frame_pool_top(const struct frame_pool *pool)
{
    const struct frame_span *last;

    if (pool->span_count == 0)
        return 0;
    last = &pool->spans[pool->span_count - 1];
    return (last->first_chunk + last->chunk_count) * CHUNK_SIZE;
}
