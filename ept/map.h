/* SPDX-License-Identifier: MIT */
/*
 * The EPT of one VM: lazily filled from its region list. ept_fault() may run on several CPUs at once, also
 * beside ept_zap(), ept_take_cold(), ept_plant(), ept_repair(), ept_map_one() and ept_map_range(): entries
 * change by compare-and-exchange alone. Changing the region list, ept_reclaim() and ept_destroy() need the
 * caller's order, see there. README.md states the protocol.
 */
#ifndef EPT_MAP_H
#define EPT_MAP_H

#include "ept/caps.h"
#include "ept/entry.h"
#include "ept/flush.h"
#include "ept/memtype.h"
#include "ept/region.h"
#include "ept/status.h"
#include <stdbool.h>
#include <stdint.h>

#define EPT_NO_FRAME UINT64_MAX

/* Table frames, handed in. All may be called on any CPU that uses the EPT, several at a time. */
struct ept_memory {
    void *context;
    uint64_t (*alloc_table)(void *context); /* HPA of a zeroed 4 KiB frame, never 0, or EPT_NO_FRAME */
    void (*free_table)(void *context, uint64_t hpa); /* takes it back; its contents are no longer zero */
    /*
     * A pointer to the frame. May be NULL for an address that alloc_table did not hand out to this EPT (an
     * owner check): the engine then treats the entry as corrupted and does not follow it. The function itself
     * may be NULL: then a frame is at direct_map + hpa, unchecked and faster.
     */
    void *(*table_at)(void *context, uint64_t hpa);
    uintptr_t direct_map;
    /*
     * Any frame that alloc_table has handed out and that was not given back, or EPT_NO_FRAME. Used by
     * ept_destroy() for tables whose only reference was lost to corruption. May be NULL: then the caller
     * collects them by its own owner table.
     */
    uint64_t (*any_table)(void *context);
};

/* A reference to a table that ept_plant() spoilt: how it is now and how it was. */
struct ept_planted {
    uint64_t entry_hpa; /* 0: free */
    uint64_t planted, original;
};

#define EPT_PLANTED_MAX 32

struct ept_dirty_log;

struct ept {
    struct ept_memory memory;
    struct ept_caps caps;
    struct ept_region_list *regions;
    const struct mtrr_snapshot
        *mtrr; /* for regions with type_from_mtrr; set by the caller after ept_init(); NULL: UC */
    struct mtrr_snapshot guest_mtrr; /* of ept_set_guest_mtrr() in page_type.h: the guest's own */
    uint64_t guest_types_end;        /* from here on they say WB; 0: everywhere, and nobody looks at them */
    /*
     * Large pages are mapped without X and replaced by 4 KiB pages at the first fetch: for processors with
     * the erratum "Machine Check Error on Instruction Fetch when page size changes" (iTLB multihit). Set by
     * the caller before the first fault.
     */
    bool no_executable_large;
    struct ept_dirty_log *dirty; /* of dirty.h; NULL: none runs. Atomic. */
    uint64_t root;               /* HPA of the top table */
    struct ept_entry *root_table;
    uint64_t shape; /* of near.h: raised by what makes kept knowledge wrong. Atomic. */
    /* Index of the region that most faults are in, as far as they have shown: the largest. Atomic. */
    uint32_t region_hint;
    /* From here on what faults write that add a table: in a cache line of its own, as all faults read what is
     * above. */
    _Alignas(64) uint64_t
        table_count; /* frames taken and not given back, with the root, retired and lost ones. Atomic. */
    uint64_t retired_count; /* of these: waiting for ept_reclaim(). Atomic. */
    uint64_t retired;       /* HPA of the first retired frame, 0: none. Atomic. */
    uint64_t cold_hand;     /* of cold.h: where the next call begins. Atomic. */
    uint32_t planted_count; /* live records; while it is 0 nobody looks at the lock. Atomic. */
    uint32_t planted_lock;
    struct ept_planted planted[EPT_PLANTED_MAX];
    /* While leaves follow a change of guest_mtrr: what it was, and where the first leaf is that may still
     * have a type by it. */
    struct mtrr_snapshot old_guest_mtrr;
    uint64_t old_types_end;  /* guest_types_end as it was */
    uint64_t old_types_from; /* UINT64_MAX: none */
};

/*
 * Makes an empty EPT: one table. The list may be filled before or after. EPT_UNSUPPORTED, EPT_NO_FRAME_LEFT.
 * Before a CPU enters a guest with the new EPTP for the first time it executes single-context INVEPT with it:
 * the root may have been another VM's.
 */
EPT_MUST_CHECK enum ept_status ept_init(struct ept *ept, const struct ept_memory *memory,
                                        const struct ept_caps *caps, struct ept_region_list *regions);

/* Gives every table frame back. No CPU runs the VM or uses the EPT. */
void ept_destroy(struct ept *ept);

enum ept_fault_kind {
    EPT_FAULT_INSTALLED, /* a page was mapped */
    EPT_FAULT_SPURIOUS,  /* already mapped as the list says: another CPU was first, or a stale translation was
                            used */
    EPT_FAULT_REPAIRED,  /* an entry that did not agree with the list was replaced, and the page is mapped */
    EPT_FAULT_DENIED_ROM_WRITE, /* a write to a ROM region */
    EPT_FAULT_DENIED_NX,        /* a fetch, and the region has no X */
    EPT_FAULT_DENIED_RIGHTS,    /* else: the region has not the rights for the access */
    EPT_FAULT_DENIED_HOLE,      /* no region (region is NULL) or a hole */
    EPT_FAULT_BEYOND_WIDTH,     /* the address has bits above the guest-physical width */
    EPT_FAULT_NO_FRAME,         /* alloc_table had none */
    EPT_FAULT_KIND_COUNT,
};

struct ept_fault_result {
    enum ept_fault_kind kind;
    enum ept_flush flush;
    const struct ept_region *region; /* that holds the address, or NULL */
    uint64_t hpa;                    /* of the address (not of the page), where mapped */
    uint8_t level;                   /* of the leaf, 1..3; 0 when nothing is mapped */
    uint8_t rights;                  /* of the leaf */
    uint8_t memory_type;             /* of the leaf: enum memory_type */
    uint8_t tables_added;
    uint8_t repaired_level; /* REPAIRED: the highest level at which an entry was replaced */
};

/*
 * Handles an EPT violation (or maps in advance): installs the largest page for gpa that the region list,
 * alignment, capabilities and memory types allow. access: the EPT_READ | EPT_WRITE | EPT_EXECUTE bits wanted,
 * 0 to map without an access in mind. Any number of CPUs.
 */
EPT_MUST_CHECK struct ept_fault_result ept_fault(struct ept *ept, uint64_t gpa, unsigned access);

/* Which denial an access is that a region (NULL: none) does not grant: DENIED_... */
enum ept_fault_kind ept_fault_denial(const struct ept_region *region, unsigned access);

/* True for INSTALLED, SPURIOUS and REPAIRED: the access can go on. */
static inline bool ept_fault_resolved(enum ept_fault_kind kind)
{
    return kind <= EPT_FAULT_REPAIRED;
}

/* "INSTALLED", "DENIED_HOLE"...; "?" for another number. */
const char *ept_fault_kind_name(enum ept_fault_kind kind);

/* Maps every listed page of a range that has any right; holes are passed over. EPT_UNALIGNED,
 * EPT_BEYOND_WIDTH, EPT_NO_FRAME_LEFT. */
EPT_MUST_CHECK struct ept_change ept_map_range(struct ept *ept, uint64_t gpa, uint64_t size);

/*
 * Maps one 4 KiB page to hpa whatever the list says (EPT_SOFTWARE_TEMPORARY marks it), splitting a large page
 * if need be. Undone by ept_zap() of the page. A fault that the list allows but this page does not puts the
 * listed translation back. gpa, hpa: multiples of 4 KiB. EPT_UNALIGNED, EPT_BEYOND_WIDTH, EPT_BAD_RIGHTS,
 * EPT_BAD_TYPE, EPT_NO_FRAME_LEFT.
 */
EPT_MUST_CHECK struct ept_change ept_map_one(struct ept *ept, uint64_t gpa, uint64_t hpa, unsigned rights,
                                             enum memory_type type);

#endif
