/* SPDX-License-Identifier: MIT */
/*
 * A VM's memory map: a sorted list of regions, the truth of which the EPT is a cache. Storage is the
 * caller's. Nobody may change a list while another CPU faults on it: the list has no lock of its own.
 */
#ifndef EPT_REGION_H
#define EPT_REGION_H

#include "ept/caps.h"
#include "ept/entry.h"
#include "ept/memtype.h"
#include "ept/status.h"
#include <stdbool.h>
#include <stdint.h>

enum ept_region_kind {
    EPT_REGION_RAM,
    EPT_REGION_ROM,      /* a denied write is named DENIED_ROM_WRITE */
    EPT_REGION_MMIO,     /* a device's registers */
    EPT_REGION_SHARED,   /* RAM that other VMs or the hypervisor see too */
    EPT_REGION_IDENTITY, /* the machine's own: hpa == gpa */
    EPT_REGION_HOLE, /* nothing is there; the same as no region, but it carries a policy. rights, hpa, types
                        are 0 */
    EPT_REGION_KIND_COUNT,
};

struct ept_region {
    uint64_t gpa;  /* multiples of 4 KiB all three */
    uint64_t size; /* > 0 */
    uint64_t hpa;  /* host-physical address of its first byte */
    enum ept_region_kind kind;
    uint8_t rights;      /* EPT_READ | EPT_WRITE | EPT_EXECUTE */
    uint8_t memory_type; /* enum memory_type; not used with type_from_mtrr */
    bool type_from_mtrr; /* each page's type comes from the MTRR snapshot handed to the engine (UC without
                            one) */
    bool ignore_pat;     /* IPAT: the guest's PAT has no say */
    uint8_t policy;      /* the caller's own; regions of different policies are never merged */
};

struct ept_region_list {
    struct ept_region *regions; /* sorted by gpa, no overlap */
    unsigned count, capacity;
    uint8_t guest_width, physical_width;
    bool execute_only;
};

/* Makes an empty list over the caller's array. Widths and whether X without R exists come from the
 * capabilities. */
void ept_region_list_init(struct ept_region_list *list, struct ept_region *storage, unsigned capacity,
                          const struct ept_caps *caps);

/* Checks one region by itself: alignment, widths, rights, type, kind. */
EPT_MUST_CHECK enum ept_status ept_region_check(const struct ept_region_list *list,
                                                const struct ept_region *region);

/* Checks the whole list: every region, order and overlap. */
EPT_MUST_CHECK enum ept_status ept_region_validate(const struct ept_region_list *list);

/*
 * Adds a region; it is merged with a neighbour that it continues (same attributes, hpa running on). Nothing
 * needs to be zapped: an address that no region held is not mapped. Errors as ept_region_check(),
 * EPT_OVERLAP, EPT_LIST_FULL; the list then stays as it was.
 */
EPT_MUST_CHECK enum ept_status ept_region_add(struct ept_region_list *list, const struct ept_region *region);

/*
 * These change the list alone; on a list in use call ept_remove(), ept_set_rights(), ept_set_type() of
 * protect.h, which change what is mapped as well. remove: what of [gpa, gpa + size) is listed goes; regions
 * at its ends are cut. The range need not be listed. set_rights, set_type: every page of the range must be
 * listed and not a hole, else EPT_NOT_LISTED; regions are cut at the ends and merged with neighbours that
 * become alike. set_type_from_mtrr undoes set_type: each page has its own type again. On an error the list
 * stays as it was.
 */
EPT_MUST_CHECK enum ept_status ept_region_remove(struct ept_region_list *list, uint64_t gpa, uint64_t size);
EPT_MUST_CHECK enum ept_status ept_region_set_rights(struct ept_region_list *list, uint64_t gpa,
                                                     uint64_t size, unsigned rights);
EPT_MUST_CHECK enum ept_status ept_region_set_type(struct ept_region_list *list, uint64_t gpa, uint64_t size,
                                                   enum memory_type type, bool ignore_pat);
EPT_MUST_CHECK enum ept_status ept_region_set_type_from_mtrr(struct ept_region_list *list, uint64_t gpa,
                                                             uint64_t size, bool ignore_pat);

/* The region that holds an address, or NULL. Valid until the list changes. Binary search. */
const struct ept_region *ept_region_find(const struct ept_region_list *list, uint64_t gpa);

/* The first region that ends above an address (it may begin above it), or NULL. */
const struct ept_region *ept_region_next(const struct ept_region_list *list, uint64_t gpa);

/* "RAM", "ROM", "MMIO", "shared", "identity", "hole"; "?" for another number. */
const char *ept_region_kind_name(enum ept_region_kind kind);

static inline bool ept_region_holds(const struct ept_region *region, uint64_t gpa)
{
    return gpa - region->gpa < region->size;
}

#endif
