/* SPDX-License-Identifier: MIT */
/*
 * Executes one decoded instruction as the processor would, against registers and memory that the caller hands
 * in. Pure. Nothing changes before every access of the instruction (of a string instruction: of the element)
 * is known to succeed, so an exception leaves registers, memory and devices as they were.
 */
#ifndef VMM_EMULATE_EMULATE_H
#define VMM_EMULATE_EMULATE_H

#include "vmm/emulate/decode.h"
#include <stdbool.h>
#include <stdint.h>

/* A good elements_max: enough that an exit is worth it; `enough` ends one of slow elements before. */
#define EMULATE_ELEMENTS_MAX 1024u

/* Segment registers as the VMCS has them. SDM vol. 3, "Guest Register State", access rights. */
#define SEGMENT_TYPE_WRITABLE    (1u << 1) /* data: may be written; code: may be read */
#define SEGMENT_TYPE_EXPAND_DOWN (1u << 2)
#define SEGMENT_TYPE_CODE        (1u << 3)
#define SEGMENT_DPL(rights)      ((rights) >> 5 & 3)
#define SEGMENT_DB               (1u << 14) /* upper bound of expand-down data, size of the stack */
#define SEGMENT_UNUSABLE         (1u << 16)

struct emulate_segment {
    uint64_t base;
    uint32_t limit;
    uint32_t access_rights;
    uint16_t selector;
};

enum emulate_status {
    EMULATE_DONE,
    EMULATE_AGAIN,     /* REP: elements are left; RIP stays, the registers say how far it has come */
    EMULATE_RESTART,   /* nothing is done, for others change what it needs: it is to begin again */
    EMULATE_EXCEPTION, /* *exception is to be raised at this instruction */
    EMULATE_REFUSED,   /* a callback wants no more */
};

/* What the instruction raises. */
struct emulate_exception {
    uint8_t vector;
    uint32_t error_code; /* for vectors that have one */
    uint64_t address;    /* #PF: the linear address, for CR2 */
};

/*
 * Bytes of memory in one or two pages. The emulator fills in where they are by linear address; `translate`
 * adds the guest-physical addresses, `read` and `write` use them.
 */
struct emulate_place {
    uint64_t linear[2];
    uint16_t size[2]; /* size[1] is 0 without a second page */
    uint64_t guest_physical[2];
};

/* What instructions ask of the control registers, as the guest sees them. */
struct emulate_controls {
    uint64_t cr0, cr4, xcr0;
};

#define EMULATE_VECTOR_BYTES 32u

struct emulate_processor {
    /* State; RIP, RFLAGS and the registers are changed. */
    uint64_t *gpr; /* 16, in the order of their encoding */
    uint64_t rip, rflags;
    bool protected_mode;   /* not real mode, not virtual-8086: a segment's type counts */
    bool check_alignment;  /* CR0.AM and RFLAGS.AC at CPL 3 */
    uint8_t linear_width;  /* 48, or 57 with 5-level paging; of 64-bit code */
    uint8_t tag_from[2];   /* by bit 63 of an address: its lowest tag bit (ept/guest_walk.h); 0: no tag */
    uint16_t elements_max; /* of a string instruction with REP in one call, not 0 */

    void *context; /* of the callbacks */
    /* Whether what is left of a REP is for another call; NULL: no. Asked behind each element or run of them.
     */
    bool (*enough)(void *context);
    void (*segment)(void *context, enum segment_register which, struct emulate_segment *segment);
    /*
     * Finds the guest-physical addresses for a read, or for a write (also of what is read first). DONE;
     * EXCEPTION, #PF filled in; REFUSED.
     */
    enum emulate_status (*translate)(void *context, struct emulate_place *place, bool write,
                                     struct emulate_exception *exception);
    /* Both give and take the place's bytes in the low part of a value. DONE or REFUSED. */
    enum emulate_status (*read)(void *context, const struct emulate_place *place, uint64_t *value);
    enum emulate_status (*write)(void *context, const struct emulate_place *place, uint64_t value);
    /*
     * INS and OUTS: moves up to `count` elements, as large as the place, between the port and memory from the
     * place on, upwards; with a count above 1 all are in the place's page. DONE, and *moved says how many, at
     * least one; REFUSED.
     */
    enum emulate_status (*transfer)(void *context, uint16_t port, bool in, const struct emulate_place *place,
                                    unsigned count, unsigned *moved);
    void (*controls)(void *context, struct emulate_controls *controls);
    /* The low 16 or 32 bytes of a vector register. Written with `clears`, as AVX does, all above becomes 0.
     */
    void (*vector_read)(void *context, unsigned reg, unsigned size, void *bytes);
    void (*vector_write)(void *context, unsigned reg, unsigned size, bool clears, const void *bytes);
};

/* Executes an instruction that decode_instruction() has given; its code size must be that of the processor.
 */
enum emulate_status emulate_instruction(struct emulate_processor *processor,
                                        const struct instruction *instruction,
                                        struct emulate_exception *exception);

#endif
