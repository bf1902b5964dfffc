/* SPDX-License-Identifier: MIT */
/* Faults on purpose: spoils the entry that translates an address, so that a guest or a test can see what the
 * processor does. */
#ifndef EPT_PLANT_H
#define EPT_PLANT_H

#include "ept/map.h"

/* The numbers of PLANT_... in vmm/hypercall_abi.h, in the same order. */
enum ept_plant_kind {
    EPT_PLANT_NOT_PRESENT,
    EPT_PLANT_READ_ONLY,
    EPT_PLANT_NO_EXECUTE,
    EPT_PLANT_WRITE_ONLY,
    EPT_PLANT_WRITE_EXECUTE,
    EPT_PLANT_EXECUTE_ONLY,
    EPT_PLANT_MEMORY_TYPE_2,
    EPT_PLANT_MEMORY_TYPE_3,
    EPT_PLANT_MEMORY_TYPE_7,
    EPT_PLANT_RESERVED_LOW,
    EPT_PLANT_RESERVED_ADDRESS,
    EPT_PLANT_RESERVED_ALIGNMENT,
    EPT_PLANT_LARGE_PAGE,
    EPT_PLANT_KIND_COUNT,
};

/*
 * Maps gpa, brings a leaf or a reference to a table (as the kind needs) to `level` by splitting or by zapping
 * smaller pages, and spoils that entry. level 1..4 (5 in a 5-level walk); 0: the leaf, whatever its level.
 * ept_fault() undoes the violations (kinds 0..2), ept_repair() the rest. EPT_NOT_LISTED, EPT_BEYOND_WIDTH,
 * EPT_NO_FRAME_LEFT; EPT_UNSUPPORTED: no such kind at that level, or no fault here; EPT_TOO_MANY:
 * EPT_PLANTED_MAX spoilt references wait for their repair. Any CPU.
 */
EPT_MUST_CHECK struct ept_change ept_plant(struct ept *ept, uint64_t gpa, unsigned level,
                                           enum ept_plant_kind kind);

/* "not present", "write-only"... ; "?" for another number. */
const char *ept_plant_kind_text(enum ept_plant_kind kind);

#endif
