/* SPDX-License-Identifier: MIT */
/*
 * Frames for one VM's EPT tables: zeroed ahead of time, so that a fault which adds a table does not wait for
 * the zeroing; accounted to the VM, so that its end gives back exactly what it took. What was used up of the
 * zeroed ones is made good when nobody waits: one at each exit of the preemption timer, all before a vCPU
 * sleeps.
 */
#ifndef VMM_VM_TABLE_POOL_H
#define VMM_VM_TABLE_POOL_H

#include "arch/x86/compiler.h"
#include "arch/x86/spinlock.h"
#include <stdbool.h>
#include <stdint.h>

#define TABLE_POOL_READY 16
#define TABLE_POOL_FEW   4 /* zeroed at one exit of the preemption timer */

struct table_pool {
    struct spinlock lock;
    uint16_t vm;
    uint32_t ready_count;             /* atomic */
    uint64_t ready[TABLE_POOL_READY]; /* physical, zeroed */
    uint64_t in_use;                  /* tables that the EPT has now; atomic */
    uint64_t taken_back;              /* cold ones that went to make room, so far */
    uint64_t dropped;                 /* how often all went */
    uint64_t limit; /* no more than these: a guest cannot use up the machine's memory by touching holes */
};

/* Fills the pool; at most `limit` tables will be handed out at a time. false: no memory. */
must_check bool table_pool_create(struct table_pool *pool, uint16_t vm, uint64_t limit);
/* Zeroes up to `most` frames ahead of time, as far as there is room for them and memory. How many. Any CPU.
 */
unsigned table_pool_prepare(struct table_pool *pool, unsigned most);
/* Gives the ready frames back. Every table must have come back before. */
void table_pool_destroy(struct table_pool *pool);

/* The EPT engine's callbacks; `context` is the pool. Any CPU. */
uint64_t table_pool_alloc(void *context);
void table_pool_free(void *context, uint64_t physical);

#endif
