/* SPDX-License-Identifier: MIT */
/*
 * Page frames of 4 KiB: who owns each. All addresses are physical; all functions may be called on any CPU and
 * take one lock. The machine's pool is built by main.c from the boot memory map; the pool itself is
 * vmm/host/frame_pool.c.
 */
#ifndef VMM_HOST_FRAME_H
#define VMM_HOST_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"
#include "vmm/host/frame_pool.h"

/* One frame for `owner`, or FRAME_ALLOC_FAILED. Its contents are whatever was there. Never below 1 MiB. */
must_check uint64_t frame_alloc(frame_owner owner);
/* `count` frames in a row, the first at a multiple of align_frames (a power of two) frames; 512 for a 2 MiB
 * page. */
must_check uint64_t frame_alloc_run(frame_owner owner, uint64_t count, uint64_t align_frames);
/* The host's own: memory for `bytes` in whole frames, all of it zero; NULL: there is none. Goes back by
 * frame_free_run(). */
must_check void *frame_alloc_zeroed(uint64_t bytes);
/* Gives frames back. Panics if one of them is not `owner`'s. */
void frame_free_run(uint64_t physical, uint64_t count, frame_owner owner);
/* FRAME_NONE for what is not tracked: no RAM. */
frame_owner frame_owner_of(uint64_t physical);
/* Changes the owner of all frames of a range; false, and nothing changed, if one of them is not `from`'s. */
must_check bool frame_claim(uint64_t physical, uint64_t count, frame_owner from, frame_owner to);
void frame_stats(struct frame_stats *out);
/* End of the highest tracked frame. */
uint64_t frame_top(void);

/* Sets the machine's pool up; main.c, once. */
must_check enum frame_status frame_init(const struct frame_range *ranges, unsigned range_count,
                                        const struct frame_claim *claims, unsigned claim_count,
                                        void *(*map)(uint64_t physical));

#endif
