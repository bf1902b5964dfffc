/* SPDX-License-Identifier: MIT */
/*
 * The two-dimensional walk: everything that a processor reads to turn a guest's linear address into a
 * host-physical one. Each entry of the guest's own structures stands at a guest-physical address, so it takes
 * a walk of the EPT to read it, and one more for the result: 4 x (4 + 1) + 4 = 24 references for four levels
 * over four. SDM vol. 3, "EPT Translation Mechanism", "EPT-Induced VM Exits", "Accessed and Dirty Flags for
 * EPT". Pure, also of the engine: any EPTP over any memory.
 */
#ifndef EPT_WALK2D_H
#define EPT_WALK2D_H

#include "ept/caps.h"
#include "ept/entry.h"
#include "ept/guest_walk.h"
#include <stdbool.h>
#include <stdint.h>

enum walk2d_kind {
    WALK2D_EPT_ENTRY,
    WALK2D_GUEST_ENTRY,
    WALK2D_PDPTE_REGISTER, /* PAE paging: a step without a memory reference */
};

struct walk2d_reference {
    uint64_t gpa; /* guest entry: where the guest has it. EPT entry: the address that it helps to translate */
    uint64_t hpa; /* of the entry; 0 for a register */
    uint64_t raw;
    uint8_t kind;   /* enum walk2d_kind */
    uint8_t level;  /* 1..5 */
    uint8_t rights; /* EPT entry: EPT_READ...; guest entry: EPT_READ, EPT_WRITE, EPT_EXECUTE of this entry
                       alone */
    /*
     * EPT leaf: the type that it gives its page. Other EPT entry: the type with which the entry is read, the
     * EPTP's. Guest entry: the guest's share, by PAT, in the type with which it is read (7: UC-).
     */
    uint8_t memory_type;
    bool leaf, ignore_pat;
    bool user; /* guest entry: U/S */
    /* The processor sets these flags, or finds them set. EPT entries: only if the EPTP switches them on. */
    bool sets_accessed, sets_dirty;
    /* EPT entry of a translation that ends in a fault: the manual lets the processor set its accessed flag or
     * not. */
    bool open_accessed;
};

/* Five levels over five, 5 x 6 + 5, or PAE's register and 2 x 6 + 5. */
#define WALK2D_REFERENCES_MAX 36

enum walk2d_end {
    WALK2D_DONE,
    WALK2D_PAGE_FAULT,    /* the guest gets #PF with error_code */
    WALK2D_VIOLATION,     /* EPT violation with qualification at gpa */
    WALK2D_MISCONFIG,     /* EPT misconfiguration at gpa, in the last reference */
    WALK2D_NOT_CANONICAL, /* the guest gets #GP or #SS */
    WALK2D_NO_MEMORY,     /* a callback could not read the entry at hpa: the walk is not known further */
};

struct walk2d {
    enum walk2d_end end;
    enum guest_paging_mode mode;
    struct walk2d_reference references[WALK2D_REFERENCES_MAX]; /* in order */
    uint8_t count;
    uint8_t memory_references; /* of these in memory: all but the register */
    bool flag_update; /* VIOLATION: of the write of a guest's accessed or dirty flag, EPT A/D flags being off
                       */
    uint8_t guest_page_shift; /* DONE */
    uint8_t pat_type;         /* DONE: the guest's share of the page's type (7: UC-) */
    uint32_t error_code;      /* PAGE_FAULT */
    uint32_t reasons;         /* MISCONFIG: EPT_REASON_... of misconfig.h */
    uint64_t qualification;   /* VIOLATION; bits 6 and 12 are 0, 11:9 only with advanced exit information */
    /*
     * VIOLATION: qualification bits that the manual leaves to the implementation: of a read-modify-write, the
     * update of a guest's flag included, the read bit. SDM vol. 3, "Exit Qualification for EPT Violations".
     */
    uint64_t qualification_open;
    uint64_t gpa; /* DONE: of the address; VIOLATION, MISCONFIG: what could not be translated */
    uint64_t hpa; /* DONE: of the address; NO_MEMORY: what could not be read */
};

/* Qualification bits that the walk predicts, given whether the processor has advanced exit information. */
uint64_t walk2d_qualification_mask(const struct ept_caps *caps);

/* What the walk goes over. */
struct walk2d_machine {
    const struct ept_caps *caps;
    uint64_t eptp; /* a valid one, of 4 or 5 levels: root, number of levels, and whether A/D flags are on */
    void *context;
    /* An EPT entry, or a guest's entry of 4 or 8 bytes, at a host-physical address. false: no memory is
     * there. */
    bool (*read_ept)(void *context, uint64_t hpa, struct ept_entry *entry);
    bool (*read_guest)(void *context, uint64_t hpa, unsigned size, uint64_t *value);
};

/*
 * Walks for one access and changes nothing. `paging` gives the guest's state; its callback is not used. The
 * order of events where the manual leaves it open: a guest's accessed and dirty flags are written when the
 * whole guest walk has succeeded, from the root down. Any CPU.
 */
void walk2d(struct walk2d *walk, const struct walk2d_machine *machine, const struct guest_paging *paging,
            uint64_t linear_address, enum guest_access access);

/* "done", "#PF", "EPT violation"...; "?" for another number. */
const char *walk2d_end_text(enum walk2d_end end);

#endif
