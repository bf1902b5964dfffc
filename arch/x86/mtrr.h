/* SPDX-License-Identifier: MIT */
/* The memory type range registers of a CPU, raw. What they mean for an address is ept/memtype.c's matter. */
#ifndef ARCH_X86_MTRR_H
#define ARCH_X86_MTRR_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

#define MTRR_FIXED_COUNT  11
#define MTRR_VARIABLE_MAX 32

/* SDM vol. 3, "Memory Type Range Registers (MTRRs)". All zero (default type UC, disabled) where there are
 * none. */
struct mtrr_raw {
    bool present;
    uint64_t cap;      /* IA32_MTRRCAP */
    uint64_t def_type; /* IA32_MTRR_DEF_TYPE: bits 7:0 type, 10 FE, 11 E */
    /* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000, C8000, D0000, D8000, E0000, E8000, F0000, F8000; zero if cap
     * bit 8 is clear */
    uint64_t fixed[MTRR_FIXED_COUNT];
    struct {
        uint64_t base, mask; /* IA32_MTRR_PHYSBASEn, PHYSMASKn (bit 11 = valid) */
    } variable[MTRR_VARIABLE_MAX];
    unsigned variable_count;
};

/* Reads the MTRRs of the calling CPU. */
void mtrr_capture(struct mtrr_raw *out);

/* The first register in which two CPUs differ: its name, with `index` appended if that is not negative. */
struct mtrr_difference {
    const char *name;
    int index;
    uint64_t left, right;
};

/* True if the two are the same; else *difference says where not. */
must_check bool mtrr_equal(const struct mtrr_raw *left, const struct mtrr_raw *right,
                           struct mtrr_difference *difference);

/*
 * True if no variable range begins or ends inside [physical, physical + size), size being a power of two and
 * physical a multiple of it: then one page of that size may translate it (SDM vol. 3, "MTRR Considerations in
 * MP Systems", "Large Page Size Considerations").
 */
must_check bool mtrr_page_uniform(const struct mtrr_raw *mtrr, uint64_t physical, uint64_t size);

#endif
