/* SPDX-License-Identifier: MIT */
/*
 * What makes an entry an EPT misconfiguration: SDM vol. 3, "EPT Misconfigurations". An entry that is not
 * present (bits 2:0 zero) never is one.
 */
#ifndef EPT_MISCONFIG_H
#define EPT_MISCONFIG_H

#include "ept/map.h"
#include "ept/plant.h"

/* Reasons, a set of bits. */
#define EPT_REASON_WRITE_ONLY    0x001u /* bits 2:0 = 010b */
#define EPT_REASON_WRITE_EXECUTE 0x002u /* bits 2:0 = 110b */
#define EPT_REASON_EXECUTE_ONLY  0x004u /* bits 2:0 = 100b and the processor has no execute-only pages */
#define EPT_REASON_MEMORY_TYPE   0x008u /* a leaf with memory type 2, 3 or 7 */
#define EPT_REASON_TABLE_BITS    0x010u /* an entry that references a table with one of bits 6:3 set */
#define EPT_REASON_BIT_7                                                                                     \
    0x020u /* bit 7 in a PML4E or PML5E, or where this processor has no page of that size */
#define EPT_REASON_ADDRESS   0x040u /* an address bit at or above the physical-address width */
#define EPT_REASON_ALIGNMENT 0x080u /* an address bit below the size of a large page */
#define EPT_REASON_COUNT     8u

struct ept_misconfig_entry {
    uint64_t entry_hpa; /* where it stands */
    struct ept_entry entry;
    uint64_t offending; /* mask of the bits at fault */
    uint32_t reasons;   /* EPT_REASON_... */
    uint8_t level;
};

struct ept_misconfig {
    struct ept_misconfig_entry
        entries[EPT_LEVEL_MAX]; /* from the root on: the first is the one the processor met */
    uint8_t count;              /* 0: nothing is misconfigured on the way */
};

/* The reasons of one entry of a level (1..5); 0: none. *offending gets the mask of the bits at fault. May not
 * be NULL. */
uint32_t ept_misconfig_reasons(const struct ept_caps *caps, unsigned level, struct ept_entry entry,
                               uint64_t *offending);

/*
 * Walks as the processor does and returns what is misconfigured. It goes on below a bad entry only if that
 * was planted and its true value is known: the address in another is not to be trusted. Any CPU; changes
 * nothing.
 */
struct ept_misconfig ept_misconfig_analyse(struct ept *ept, uint64_t gpa);

/* Words for one reason (a single EPT_REASON_ bit). */
const char *ept_misconfig_reason_text(uint32_t reason);

/* The kind of plant that makes such an entry: of its first reason. The entry must have a reason. */
enum ept_plant_kind ept_misconfig_plant_kind(const struct ept_misconfig_entry *entry);

/*
 * Puts right what is wrong on the way to gpa and maps it from the region list (access as of ept_fault()). A
 * spoilt reference to a table is restored if it was planted; from any other bad entry nothing is believed, it
 * is cleared and what was below is lost until ept_destroy(). REPAIRED, or SPURIOUS/INSTALLED if nothing was
 * wrong any more, or a denial of the list: then bad entries are cleared all the same (repaired_level is not
 * 0). Any CPU.
 */
EPT_MUST_CHECK struct ept_fault_result ept_repair(struct ept *ept, uint64_t gpa, unsigned access);

#endif
