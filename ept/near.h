/* SPDX-License-Identifier: MIT */
/*
 * Pages beside the last one. What a fault has found out - the table, the region, the memory type - mostly
 * holds for the pages around it, too. A struct ept_near keeps that for a range of addresses, so that the next
 * fault there is one compare-and-exchange: no walk, no search, no question for the type.
 *
 * It is believed only while ept->shape is what it was: everything that takes a table away or changes what the
 * region list, the MTRRs or a dirty log want raises it first (ept_shape_changes()). A CPU that read it just
 * before is as one that has just walked there: slots of a table that goes are frozen, not empty, and the
 * caller's order keeps changes of the list apart from faults.
 */
#ifndef EPT_NEAR_H
#define EPT_NEAR_H

#include "ept/map.h"
#include "ept/table.h"

struct ept_near {
    uint64_t first, size; /* guest-physical; size 0: nothing is kept */
    uint64_t shape;
    struct ept_entry *table; /* of the leaves' level */
    uint64_t leaf;           /* a page's leaf less its guest-physical address */
    unsigned shift;          /* log2 of a page's size */
    unsigned rights;         /* of the leaves */
    uint8_t level;           /* likewise */
    uint8_t memory_type;     /* likewise, enum memory_type */
    uint64_t asked;          /* the table's range that the last call of ept_near_learn() was about, + 1 */
};

/*
 * Maps the page at gpa for this access if what is kept says how and its slot is empty: as ept_fault() would,
 * INSTALLED. false: nothing has changed, and ept_fault() is to be asked. Any number of CPUs, each with its
 * own structure.
 */
EPT_MUST_CHECK static inline bool ept_near_install(struct ept *ept, const struct ept_near *near, uint64_t gpa,
                                                   unsigned access)
{
    if (gpa - near->first >= near->size || (access & ~near->rights) != 0 ||
        near->shape != __atomic_load_n(&ept->shape, __ATOMIC_ACQUIRE))
        return false;
    return ept_replace(&near->table[gpa >> near->shift & (EPT_ENTRIES - 1)], (struct ept_entry){0},
                       (struct ept_entry){(gpa & ~((UINT64_C(1) << near->shift) - 1)) + near->leaf});
}

/*
 * After ept_fault() has INSTALLED a page of this level at gpa: keeps what holds around it, when the last call
 * was about the same table, so that a guest which touches a page here and one there does not pay for it. Any
 * number of CPUs, as ept_fault().
 */
void ept_near_learn(struct ept *ept, struct ept_near *near, uint64_t gpa, unsigned level);

#endif
