/* SPDX-License-Identifier: MIT */
/*
 * A CPU's ring of trace records: one producer, the CPU in its exit path; one consumer at a time, anywhere; no
 * lock between them. Pure.
 *
 * The producer writes a record in place, at `next`. The newest record stays open, at `held`: an identical
 * exit that follows only raises its count. What lies before `held` is published; so writing `held` is what
 * publishes the record before it. vmm/quick/record.inc is a producer, too. A ring that nobody drains
 * overwrites its oldest records. In the other kind what finds no place is counted, and the count gets a
 * record of its own as soon as there is room.
 */
#ifndef VMM_TRACE_RING_H
#define VMM_TRACE_RING_H

#include "arch/x86/compiler.h"
#include "vmm/trace/record.h"

#define TRACE_RING_RECORDS 2048u

struct trace_ring {
    /* The producer's. */
    struct trace_record *next; /* where the next exit is written: the place behind the newest record, or
                                  &scratch when the ring is full */
    struct trace_record
        *limit; /* the record behind which the next place is not simply the next: trace_ring_turn() looks */
    struct trace_record *held;  /* atomic: the record that is open; the place behind the newest: none is */
    struct trace_record *open;  /* the record that is open; &none: none is */
    struct trace_record *after; /* the place behind the newest record, when `next` is &scratch */
    uint8_t drained;            /* somebody reads it, and what does not fit is lost */
    /* Both atomic, next to each other, so that one look sees both: there is something, and somebody whom it
     * concerns. */
    uint8_t pending; /* set with every record */
    uint8_t
        listens; /* `drained`; of a ring that is not, set while the consumer shall come for something else */
    struct trace_source source; /* of the last exit, for a record of what was lost */
    uint64_t lost;              /* exits without a record since the last one that fitted */

    struct trace_record *first, *end; /* the places; NULL: none, and all exits go to `scratch` */
    struct trace_record *tail;        /* the consumer's, atomic: the next to read */
    struct trace_record *until;       /* the consumer's: trace_ring_mark() */
    struct trace_record scratch;
    struct trace_record none; /* is the same as no exit */
};

/* An empty ring of `count` places at `records`, all zero. */
void trace_ring_init(struct trace_ring *ring, struct trace_record *records, unsigned count, bool drained);

/* The record written at ring->next, when it cannot just be taken: the ring's end, or no room. The producer.
 */
void trace_ring_turn(struct trace_ring *ring);

/* Folds the record at ring->next into the open one if they are the same, and else takes it. Out of line: then
 * the caller need not keep the record over a call. The producer. */
void trace_ring_fold_or_add(struct trace_ring *ring);

/* Takes the record that was written at `record`, which is ring->next and not the same as the open one. The
 * producer. */
static inline void trace_ring_add(struct trace_ring *ring, struct trace_record *record)
{
    if (unlikely(record == ring->limit)) {
        trace_ring_turn(ring);
        return;
    }
    __atomic_store_n(&ring->held, record, __ATOMIC_RELEASE);
    ring->open = record;
    ring->next++;
    __atomic_store_n(&ring->pending, 1, __ATOMIC_RELAXED);
}

/* The same, folded if it is the same as the open one. */
static inline void trace_ring_put(struct trace_ring *ring, struct trace_record *record)
{
    if (unlikely(ring->open->rip == record->rip))
        trace_ring_fold_or_add(ring);
    else
        trace_ring_add(ring, record);
}

/* Publishes the open record. The producer, at any time but between writing a record and putting it. */
void trace_ring_publish(struct trace_ring *ring);

/* Says what was lost, if there is room for it now. The producer. false: there is none, the consumer must come
 * first. */
must_check bool trace_ring_finish(struct trace_ring *ring);

/* The oldest published record; NULL: there is none. It stays until trace_ring_taken(). The consumer. */
const struct trace_record *trace_ring_oldest(const struct trace_ring *ring);
void trace_ring_taken(struct trace_ring *ring);

/* Remembers what is published now; then, whether all that was published has been taken. The consumer. */
static inline void trace_ring_mark(struct trace_ring *ring)
{
    ring->until = __atomic_load_n(&ring->held, __ATOMIC_ACQUIRE);
}

static inline bool trace_ring_at_mark(const struct trace_ring *ring)
{
    return ring->tail == ring->until;
}

/* Whether the consumer has read all that was published before the producer's `held` was `mark`. */
static inline bool trace_ring_read_up_to(const struct trace_ring *ring, const struct trace_record *mark)
{
    return !ring->drained || ring->tail == mark;
}

/*
 * The newest records, drained or not, the open one among them: copies of at most `count`, the oldest first,
 * tidy; how many is returned. The producer, or while it stands still.
 */
unsigned trace_ring_last(const struct trace_ring *ring, struct trace_record *records, unsigned count);

#endif
