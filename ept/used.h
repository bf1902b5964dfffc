/* SPDX-License-Identifier: MIT */
/*
 * Which entries a processor has used: the accessed and dirty flags of a whole EPT, cleared and looked at
 * entry by entry. For checking a walk against the processor. SDM vol. 3, "Accessed and Dirty Flags for EPT".
 */
#ifndef EPT_USED_H
#define EPT_USED_H

#include "ept/map.h"

/*
 * Clears the accessed and dirty flags of all entries. Whoever collects dirty pages by these flags loses them.
 * Beside faults of other CPUs, but not beside an ept_reclaim().
 */
EPT_MUST_CHECK enum ept_flush ept_used_clear(struct ept *ept);

/* Calls back for every entry that a processor can use, with its host-physical address and level, tables
 * before what is below them. Likewise. */
void ept_used_each(const struct ept *ept,
                   void (*each)(void *context, uint64_t entry_hpa, unsigned level, struct ept_entry entry),
                   void *context);

#endif
