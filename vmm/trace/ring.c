/* SPDX-License-Identifier: MIT */
/* The trace ring's rare ways: its end, its fullness, its reader. */
#include "vmm/trace/ring.h"

/* The place behind the newest record. */
static struct trace_record *after(const struct trace_ring *ring)
{
    return ring->next != &ring->scratch ? ring->next : ring->after;
}

static struct trace_record *behind(const struct trace_ring *ring, struct trace_record *place)
{
    return place + 1 == ring->end ? ring->first : place + 1;
}

/* Whether so many places from `place` on are free, when the consumer is at `tail`. One is always left empty,
 * else a full ring would look like an empty one. */
static bool are_free(const struct trace_ring *ring, struct trace_record *place, unsigned wanted,
                     const struct trace_record *tail)
{
    if (!ring->drained)
        return true;
    for (; wanted > 0; wanted--) {
        place = behind(ring, place);
        if (place == tail)
            return false;
    }
    return true;
}

/* Whether so many records more find their place. */
static bool has_room(const struct trace_ring *ring, unsigned wanted)
{
    return are_free(ring, after(ring), wanted, __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE));
}

/* Sets `next` and `limit`, for the place behind the newest record. One look at the tail for all: it moves
 * meanwhile, and a limit by an older one than the room was found by would lie in front of `next`. */
static void aim(struct trace_ring *ring, struct trace_record *place)
{
    struct trace_record *tail = __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE);

    ring->next = ring->after = place;
    if (!are_free(ring, place, 1, tail)) {
        ring->next = &ring->scratch;
        ring->limit = &ring->scratch;
    } else if (!ring->drained || (tail <= place && tail != ring->first)) {
        ring->limit = ring->end - 1;
    } else { /* look again before the last free place: the one before the tail */
        ring->limit = (tail == ring->first ? ring->end : tail) - 2;
    }
}

void trace_ring_init(struct trace_ring *ring, struct trace_record *records, unsigned count, bool drained)
{
    *ring =
        (struct trace_ring){.drained = drained, .listens = drained, .first = records, .end = records + count};
    ring->held = ring->tail = records != NULL ? records : &ring->scratch;
    ring->none.reason_alone = UINT64_MAX;
    ring->open = &ring->none;
    if (records != NULL) {
        aim(ring, records);
    } else {
        ring->next = ring->after = &ring->scratch;
        ring->limit = &ring->scratch;
    }
}

/* The record in the place behind the newest is the newest from now on. */
static void take(struct trace_ring *ring)
{
    struct trace_record *place = after(ring);

    __atomic_store_n(&ring->held, place, __ATOMIC_RELEASE);
    ring->open = place;
    __atomic_store_n(&ring->pending, 1, __ATOMIC_RELAXED);
    aim(ring, behind(ring, place));
}

/* A record of what was lost, where there is room for it. */
static void put_lost(struct trace_ring *ring)
{
    struct trace_record *place = after(ring);

    *place = (struct trace_record){.tsc = ring->scratch.tsc, .source = ring->source, .count = ring->lost};
    place->source.kind = TRACE_LOST;
    ring->lost = 0;
    take(ring);
}

void trace_ring_publish(struct trace_ring *ring)
{
    if (ring->held == after(ring))
        return;
    ring->open = &ring->none;
    __atomic_store_n(&ring->held, after(ring), __ATOMIC_RELEASE);
    __atomic_store_n(&ring->pending, 1, __ATOMIC_RELAXED);
}

void trace_ring_turn(struct trace_ring *ring)
{
    if (ring->next != &ring->scratch) {
        take(ring);
    } else if (ring->first == NULL) {
        return;
    } else if (has_room(ring, ring->lost != 0 ? 2 : 1)) {
        if (ring->lost != 0)
            put_lost(ring);
        *after(ring) = ring->scratch;
        take(ring);
    } else {
        trace_ring_publish(ring);
        ring->source = ring->scratch.source;
        ring->lost++;
    }
}

void trace_ring_fold_or_add(struct trace_ring *ring)
{
    struct trace_record *open = ring->open, *record = ring->next;

    if (open->folded == UINT32_MAX || !trace_record_same(open, record)) {
        trace_ring_add(ring, record);
        return;
    }
    open->folded++;
    open->ticks += record->ticks;
}

must_check bool trace_ring_finish(struct trace_ring *ring)
{
    trace_ring_publish(ring);
    if (ring->lost != 0) {
        if (!has_room(ring, 1))
            return false;
        put_lost(ring);
        trace_ring_publish(ring);
    }
    return true;
}

const struct trace_record *trace_ring_oldest(const struct trace_ring *ring)
{
    if (!ring->drained || ring->tail == __atomic_load_n(&ring->held, __ATOMIC_ACQUIRE))
        return NULL;
    return ring->tail;
}

void trace_ring_taken(struct trace_ring *ring)
{
    __atomic_store_n(&ring->tail, behind(ring, ring->tail), __ATOMIC_RELEASE);
}

unsigned trace_ring_last(const struct trace_ring *ring, struct trace_record *records, unsigned count)
{
    const struct trace_record *place = after(ring);
    unsigned found = 0;

    if (ring->first == NULL)
        return 0;
    for (; found < count; found++) {
        place = place == ring->first ? ring->end - 1 : place - 1;
        if (place == after(ring) || place->source.kind == 0)
            break;
        records[count - 1 - found] = *place;
        trace_record_tidy(&records[count - 1 - found]);
    }
    for (unsigned i = 0; i < found; i++)
        records[i] = records[count - found + i];
    return found;
}
