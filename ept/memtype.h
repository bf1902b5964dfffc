/* SPDX-License-Identifier: MIT */
/*
 * Memory types: what the MTRRs say about a host-physical address. SDM vol. 3, "Memory Type Range Registers
 * (MTRRs)". Under EPT processors do not consult the MTRRs for a guest's accesses ("EPT and Memory Typing"),
 * so an identity map has to carry their answer in its leaves.
 */
#ifndef EPT_MEMTYPE_H
#define EPT_MEMTYPE_H

#include "ept/status.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The encoding of MTRRs and of bits 5:3 of a leaf. */
enum memory_type {
    MEMORY_TYPE_UC = 0,
    MEMORY_TYPE_WC = 1,
    MEMORY_TYPE_WT = 4,
    MEMORY_TYPE_WP = 5,
    MEMORY_TYPE_WB = 6,
};

#define MTRR_SNAPSHOT_FIXED    11
#define MTRR_SNAPSHOT_VARIABLE 32
/* Few machines and few guests have more than ten; what lies behind these is worked out each time. */
#define MTRR_STRETCHES_MAX 32

/* The raw registers of one CPU. The SMRRs (IA32_SMRR_PHYSBASE, PHYSMASK) are no MTRRs and must not be put in
 * here. */
struct mtrr_snapshot {
    uint64_t cap;      /* IA32_MTRRCAP: bit 8 fixed ranges exist */
    uint64_t def_type; /* IA32_MTRR_DEF_TYPE: 7:0 type, bit 10 FE fixed ranges on, bit 11 E MTRRs on */
    uint64_t fixed[MTRR_SNAPSHOT_FIXED]; /* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000, C8000 ... F8000 */
    struct {
        uint64_t base,
            mask; /* IA32_MTRR_PHYSBASEn 7:0 type, 51:12 base; PHYSMASKn bit 11 valid, 51:12 mask */
    } variable[MTRR_SNAPSHOT_VARIABLE];
    unsigned variable_count;
    uint8_t phys_width; /* MAXPHYADDR: the mask bits that exist */
    /*
     * What all of the above comes to, by mtrr_work_out(): stretches of one type in the order of addresses,
     * the first from 0 on, each ending where the next begins. 0: not worked out.
     */
    unsigned stretch_count;
    uint64_t stretch_end[MTRR_STRETCHES_MAX];
    uint8_t stretch_type[MTRR_STRETCHES_MAX];
};

/* What gives an address its type. */
enum mtrr_source {
    MTRR_SOURCE_DISABLED,   /* the MTRRs are off: UC */
    MTRR_SOURCE_FIXED,      /* a fixed range */
    MTRR_SOURCE_VARIABLE,   /* one variable range, or several of the same type */
    MTRR_SOURCE_OVERLAP_UC, /* several variable ranges, one of them UC */
    MTRR_SOURCE_OVERLAP_WT, /* WT and WB ranges */
    MTRR_SOURCE_UNDEFINED,  /* a combination that the manual leaves undefined: taken as UC */
    MTRR_SOURCE_DEFAULT,    /* no range: the default type */
    MTRR_SOURCE_COUNT,
};

/* The type of an address, and the first address above it from which on it may be another: [address, end) has
 * one type. */
struct memory_type_range {
    enum memory_type type;
    uint64_t end; /* UINT64_MAX: the same to the end */
    enum mtrr_source source;
    uint32_t
        variable; /* bit n: variable range n holds the address (and was looked at: not with fixed ranges) */
};

/*
 * The type at a host-physical address. MTRRs off: UC. Fixed ranges, where they exist and are on, win below 1
 * MiB. Several variable ranges: equal types stay, UC wins, WT over WB; what the manual leaves undefined is
 * UC. None: the default type.
 */
struct memory_type_range mtrr_type_at(const struct mtrr_snapshot *mtrr, uint64_t hpa);

/* The same, with pieces of the same type that follow each other taken as one: at `end` the type really
 * changes. `source` and `variable` are those of hpa itself. After very many pieces (masks with gaps) it gives
 * up and `end` is where it stood. */
struct memory_type_range mtrr_range_at(const struct mtrr_snapshot *mtrr, uint64_t hpa);

/* In words; "?" for another number. */
const char *mtrr_source_text(enum mtrr_source source);

/*
 * Works the stretches out, so that questions are a short search from then on. To be called again, or
 * stretch_count set to 0, when a register has changed.
 */
void mtrr_work_out(struct mtrr_snapshot *mtrr);

/*
 * [start, end), which holds hpa, has one type; as large as it can be if that was worked out, else from the
 * 4 KiB page of hpa on as far as a single look tells.
 */
struct memory_type_stretch {
    uint64_t start, end; /* end UINT64_MAX: to the end */
    enum memory_type type;
};
struct memory_type_stretch mtrr_stretch_at(const struct mtrr_snapshot *mtrr, uint64_t hpa);

/* mtrr_type_uniform() by the registers. */
EPT_MUST_CHECK bool mtrr_type_uniform_slow(const struct mtrr_snapshot *mtrr, uint64_t hpa, uint64_t size,
                                           enum memory_type *type);

/* The first stretch that ends above an address; stretch_count: it lies behind those that are worked out. */
static inline unsigned mtrr_stretch_of(const struct mtrr_snapshot *mtrr, uint64_t hpa)
{
    unsigned low = 0, high = mtrr->stretch_count;

    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (mtrr->stretch_end[middle] > hpa)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* True, and *type, if [hpa, hpa + size) has one type. snapshot NULL (nothing known): UC everywhere. size > 0.
 */
EPT_MUST_CHECK static inline bool mtrr_type_uniform(const struct mtrr_snapshot *mtrr, uint64_t hpa,
                                                    uint64_t size, enum memory_type *type)
{
    unsigned n;

    if (mtrr == NULL) {
        *type = MEMORY_TYPE_UC;
        return true;
    }
    n = mtrr_stretch_of(mtrr, hpa);
    if (n == mtrr->stretch_count)
        return mtrr_type_uniform_slow(mtrr, hpa, size, type);
    *type = (enum memory_type)mtrr->stretch_type[n];
    return mtrr->stretch_end[n] - hpa >= size;
}

/* True for the five values above. */
bool memory_type_valid(unsigned type);

/* "UC", "WC", "WT", "WP", "WB"; "?" for a reserved value. */
const char *memory_type_name(enum memory_type type);

#endif
