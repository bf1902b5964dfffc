/* SPDX-License-Identifier: MIT */
/* Tables that no processor has used for a while, taken back when no frame is left for a new one. */
#ifndef EPT_COLD_H
#define EPT_COLD_H

#include "ept/map.h"

/*
 * Unlinks, freezes and retires up to `wanted` tables and returns how many; their frames are free after the
 * flush and ept_reclaim(). What they mapped comes back by faults. A hand goes round over the tables that
 * reference no other table, in the order of addresses. With accessed flags it passes over a table whose
 * reference has the flag, and clears it: so the table goes if no processor has used it until the hand is here
 * again. Without, or if there was none without the flag in a whole round, the next table goes. `*flush` is
 * due even if the result is 0.
 *
 * Never taken: the root; the tables on the way to `keep`, the guest-physical address that a frame is wanted
 * for; a table with a page of ept_map_one() or with a planted fault, or with an entry that is not the
 * engine's. So one call after the other, with ept_fault() in between, comes to an end: with a page at `keep`,
 * or with 0. At most two rounds. Any CPU, beside faults, zaps and other calls.
 */
EPT_MUST_CHECK uint64_t ept_take_cold(struct ept *ept, uint64_t keep, uint64_t wanted, enum ept_flush *flush);

#endif
