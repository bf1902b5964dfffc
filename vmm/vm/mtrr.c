/* SPDX-License-Identifier: MIT */
/* A guest's MTRRs. */
#include "vmm/vm/mtrr.h"
#include <stddef.h>

#define IA32_MTRRCAP        0x0feu
#define IA32_MTRR_PHYSBASE0 0x200u
#define IA32_MTRR_DEF_TYPE  0x2ffu
#define CAP_FIX             (UINT64_C(1) << 8)
#define CAP_WC              (UINT64_C(1) << 10)
#define DEF_TYPE_FE         (UINT64_C(1) << 10)
#define DEF_TYPE_E          (UINT64_C(1) << 11)
#define MASK_VALID          (UINT64_C(1) << 11)
#define TYPE                UINT64_C(0xff)
#define ALL_WB              UINT64_C(0x0606060606060606)
#define FIX16K_A0000        2 /* its place in mtrr_snapshot.fixed */

/* In the order of mtrr_snapshot.fixed. */
static const uint32_t fixed_msrs[MTRR_SNAPSHOT_FIXED] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                                         0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

void guest_mtrr_reset(struct mtrr_snapshot *mtrr, unsigned physical_width)
{
    *mtrr = (struct mtrr_snapshot){.cap = CAP_WC | CAP_FIX | GUEST_MTRR_VARIABLE,
                                   .def_type = DEF_TYPE_E | DEF_TYPE_FE | MEMORY_TYPE_WB,
                                   .variable_count = GUEST_MTRR_VARIABLE,
                                   .phys_width = (uint8_t)physical_width};
    for (unsigned n = 0; n < MTRR_SNAPSHOT_FIXED; n++)
        mtrr->fixed[n] = n == FIX16K_A0000 ? 0 : ALL_WB;
}

/* The register behind a number, or NULL. */
static const uint64_t *register_of(const struct mtrr_snapshot *mtrr, uint32_t msr)
{
    if (msr - IA32_MTRR_PHYSBASE0 < 2 * GUEST_MTRR_VARIABLE) {
        unsigned n = (msr - IA32_MTRR_PHYSBASE0) / 2;

        return msr & 1 ? &mtrr->variable[n].mask : &mtrr->variable[n].base;
    }
    for (unsigned n = 0; n < MTRR_SNAPSHOT_FIXED; n++)
        if (fixed_msrs[n] == msr)
            return &mtrr->fixed[n];
    if (msr == IA32_MTRR_DEF_TYPE)
        return &mtrr->def_type;
    return msr == IA32_MTRRCAP ? &mtrr->cap : NULL;
}

bool guest_mtrr_read(const struct mtrr_snapshot *mtrr, uint32_t msr, uint64_t *value)
{
    const uint64_t *found = register_of(mtrr, msr);

    if (found != NULL)
        *value = *found;
    return found != NULL;
}

static bool value_valid(const struct mtrr_snapshot *mtrr, uint32_t msr, uint64_t value)
{
    uint64_t address = ((UINT64_C(1) << mtrr->phys_width) - 1) & ~UINT64_C(0xfff);

    if (msr == IA32_MTRRCAP)
        return false;
    if (msr == IA32_MTRR_DEF_TYPE)
        return (value & ~(DEF_TYPE_E | DEF_TYPE_FE | TYPE)) == 0 && memory_type_valid(value & TYPE);
    if (msr - IA32_MTRR_PHYSBASE0 < 2 * GUEST_MTRR_VARIABLE) {
        if (msr & 1)
            return (value & ~(address | MASK_VALID)) == 0;
        return (value & ~(address | TYPE)) == 0 && memory_type_valid(value & TYPE);
    }
    for (unsigned n = 0; n < 8; n++)
        if (!memory_type_valid(value >> 8 * n & TYPE))
            return false;
    return true;
}

enum guest_mtrr_write guest_mtrr_write(struct mtrr_snapshot *mtrr, uint32_t msr, uint64_t value)
{
    uint64_t *at = (uint64_t *)(uintptr_t)register_of(mtrr, msr);
    bool in_force = msr == IA32_MTRR_DEF_TYPE || (mtrr->def_type & DEF_TYPE_E) != 0;
    uint64_t old;

    if (at == NULL)
        return GUEST_MTRR_NOT_ONE;
    if (!value_valid(mtrr, msr, value))
        return GUEST_MTRR_INVALID;
    old = *at;
    *at = value;
    return old != value && in_force ? GUEST_MTRR_CHANGED : GUEST_MTRR_SAME;
}
