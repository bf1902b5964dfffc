/* SPDX-License-Identifier: MIT */
/*
 * A guest's own paging: from a linear to a guest-physical address, as the processor would walk, for what the hypervisor does in a
 * guest's stead. Pure: memory is read through the callback handed in. SDM vol. 3, "Paging".
 */
#ifndef VMM_GUEST_PAGING_H
#define VMM_GUEST_PAGING_H

#include "arch/x86/compiler.h"
#include <stdbool.h>
#include <stdint.h>

struct guest_paging {
    uint64_t cr0, cr3, cr4, efer;
    uint64_t pdpte[4];   /* PAE paging */
    bool user;           /* the access is made at CPL 3 */
    bool rflags_ac;      /* lets supervisor data accesses pass SMAP */
    unsigned phys_width; /* MAXPHYADDR */
    /* Reads 8 bytes of guest-physical memory, naturally aligned. false: there is no memory. */
    bool (*read)(void *context, uint64_t guest_physical_address, uint64_t *value);
    void *context;
};

enum guest_access { GUEST_ACCESS_READ, GUEST_ACCESS_WRITE, GUEST_ACCESS_FETCH };

/* Bits of a #PF error code. */
#define PAGE_FAULT_PRESENT 1u
#define PAGE_FAULT_WRITE 2u
#define PAGE_FAULT_USER 4u
#define PAGE_FAULT_RESERVED 8u
#define PAGE_FAULT_FETCH 16u

enum guest_paging_status {
    GUEST_PAGING_OK,
    GUEST_PAGING_FAULT,    /* #PF with *error_code */
    GUEST_PAGING_NO_TABLE, /* a paging structure does not lie in memory */
};

/*
 * Translates one address. Accessed and dirty flags are not set: the guest's own next access does that. Protection keys and shadow
 * stacks are not modelled: no guest has them.
 */
must_check enum guest_paging_status guest_paging_translate(const struct guest_paging *paging, uint64_t linear_address,
                                                           enum guest_access access, uint64_t *guest_physical_address,
                                                           uint32_t *error_code);

/*
 * Which entry of IA32_PAT the page of a linear address chooses: 4 * PAT + 2 * PCD + PWT of the entry that maps it. Rights do not
 * matter. false: paging is off, nothing is mapped there, or a reserved bit is set. SDM vol. 3, "Selecting a Memory Type from the PAT".
 */
must_check bool guest_paging_pat_index(const struct guest_paging *paging, uint64_t linear_address,
                                       uint64_t *guest_physical_address, unsigned *pat_index);

#endif
