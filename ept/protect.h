/* SPDX-License-Identifier: MIT */
/* Changes of the memory map of a VM that has an EPT: the region list and its cache together. */
#ifndef EPT_PROTECT_H
#define EPT_PROTECT_H

#include "ept/map.h"

/*
 * Each changes the list and zaps exactly what was mapped with more rights, another type or another address
 * than the list has now. More rights alone need no zap: an access that an old entry denies is a violation,
 * and ept_fault() then replaces the entry. No other CPU may be in a function of this EPT meanwhile; guests
 * may run, until the flush is done with the old rights. Status as the ept_region_...() functions.
 */
EPT_MUST_CHECK struct ept_change ept_remove(struct ept *ept, uint64_t gpa, uint64_t size);
EPT_MUST_CHECK struct ept_change ept_set_rights(struct ept *ept, uint64_t gpa, uint64_t size,
                                                unsigned rights);
EPT_MUST_CHECK struct ept_change ept_set_type(struct ept *ept, uint64_t gpa, uint64_t size,
                                              enum memory_type type, bool ignore_pat);

#endif
