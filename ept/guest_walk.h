/* SPDX-License-Identifier: MIT */
/*
 * The walk of a guest's own paging structures, from a linear to a guest-physical address, as the processor
 * makes it: no paging, 32-bit, PAE, 4-level, 5-level. SDM vol. 3, "Paging". Memory is read through the
 * callback handed in, so the same walk serves the hypervisor, which reads through a memory map, and walk2d.h,
 * which reads through an EPT. Protection keys and shadow stacks are not modelled: no guest has them.
 */
#ifndef EPT_GUEST_WALK_H
#define EPT_GUEST_WALK_H

#include "ept/status.h"
#include <stdbool.h>
#include <stdint.h>

/* Bits of an entry that mean the same in every mode. */
#define GUEST_ENTRY_PRESENT    (UINT64_C(1) << 0)
#define GUEST_ENTRY_WRITE      (UINT64_C(1) << 1)
#define GUEST_ENTRY_USER       (UINT64_C(1) << 2)
#define GUEST_ENTRY_PWT        (UINT64_C(1) << 3)
#define GUEST_ENTRY_PCD        (UINT64_C(1) << 4)
#define GUEST_ENTRY_ACCESSED   (UINT64_C(1) << 5)
#define GUEST_ENTRY_DIRTY      (UINT64_C(1) << 6) /* of a leaf */
#define GUEST_ENTRY_LARGE      (UINT64_C(1) << 7) /* above level 1 */
#define GUEST_ENTRY_NO_EXECUTE (UINT64_C(1) << 63)

/* Bits of a #PF error code. */
#define PAGE_FAULT_PRESENT  1u
#define PAGE_FAULT_WRITE    2u
#define PAGE_FAULT_USER     4u
#define PAGE_FAULT_RESERVED 8u
#define PAGE_FAULT_FETCH    16u

enum guest_paging_mode {
    GUEST_MODE_NONE,
    GUEST_MODE_32_BIT,
    GUEST_MODE_PAE,
    GUEST_MODE_4_LEVEL,
    GUEST_MODE_5_LEVEL,
};

enum guest_access {
    GUEST_ACCESS_READ,
    GUEST_ACCESS_WRITE,
    GUEST_ACCESS_FETCH,
    GUEST_ACCESS_READ_WRITE, /* of one instruction, a read-modify-write: to a guest's paging a write */
};

struct guest_paging {
    uint64_t cr0, cr3, cr4, efer, pat;
    uint64_t pdpte[4];      /* the registers of PAE paging */
    bool user;              /* the access is made at CPL 3 */
    bool rflags_ac;         /* lets supervisor data accesses pass SMAP */
    bool large_1g;          /* the processor has 1 GiB pages */
    uint8_t physical_width; /* MAXPHYADDR */
    /* Reads an entry of 4 or 8 bytes, naturally aligned, of guest-physical memory. false: there is none, or
     * it cannot be reached. */
    bool (*read)(void *context, uint64_t gpa, unsigned size, uint64_t *value);
    void *context;
};

/* One entry on the way, from the root on. */
struct guest_walk_step {
    uint64_t gpa; /* of the entry; 0 for a PDPTE register */
    uint64_t raw;
    uint8_t level;     /* 1 page table .. 5 PML5 */
    uint8_t size;      /* bytes; 0: a PDPTE register, no memory is read */
    uint8_t pat_index; /* PAT entry that gives the type with which the entry itself is read */
    bool leaf;
};

#define GUEST_WALK_STEPS_MAX 5

enum guest_paging_status {
    GUEST_PAGING_OK,
    GUEST_PAGING_FAULT,         /* #PF with error_code */
    GUEST_PAGING_NO_TABLE,      /* the callback could not read the entry at gpa */
    GUEST_PAGING_NOT_CANONICAL, /* #GP or #SS, before any paging */
};

struct guest_walk {
    enum guest_paging_mode mode;
    enum guest_paging_status status;
    struct guest_walk_step steps[GUEST_WALK_STEPS_MAX];
    uint8_t count;
    uint8_t page_shift; /* OK: log2 of the page's size; without paging 12 */
    uint8_t pat_index;  /* OK: PAT entry of the page */
    /* OK, FAULT: rights of the linear address, ANDed (no_execute: ORed) over the entries read. */
    bool writable, user, no_execute;
    uint32_t error_code; /* FAULT */
    uint64_t gpa;        /* OK: of the address; NO_TABLE: of the entry */
};

/* The mode that CR0, CR4 and EFER select. */
enum guest_paging_mode guest_paging_mode(const struct guest_paging *paging);

/*
 * Linear-address masking: the lowest tag bit of data addresses in 64-bit mode whose bit 63 is `upper_half`,
 * 48 or 57; GUEST_TAG_NONE. SDM vol. 3, "Linear-Address Masking (LAM)".
 */
#define GUEST_TAG_NONE 63u
unsigned guest_tag_from(const struct guest_paging *paging, bool upper_half);

/* An address with its tag, bits 62 down to tag_from, replaced by bit 63. */
static inline uint64_t guest_untag(uint64_t linear_address, unsigned tag_from)
{
    uint64_t tag = (UINT64_C(1) << 63) - (UINT64_C(1) << tag_from);

    return linear_address >> 63 ? linear_address | tag : linear_address & ~tag;
}

/* "no paging", "32-bit", "PAE", "4-level", "5-level"; "?" for another number. */
const char *guest_paging_mode_text(enum guest_paging_mode mode);

/* The type, as enum memory_type or 7 for UC-, that an entry 0..7 of the PAT holds. */
unsigned guest_pat_type(uint64_t pat, unsigned index);

/*
 * Walks for one access. Linear addresses outside of long mode are cut to 32 bits; those of data may have
 * tags. Nothing is written: the accessed and dirty flags that the processor would set are for the caller to
 * see in the steps.
 */
struct guest_walk guest_walk(const struct guest_paging *paging, uint64_t linear_address,
                             enum guest_access access);

#endif
