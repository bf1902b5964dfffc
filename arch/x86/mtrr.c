/* SPDX-License-Identifier: MIT */
/* Reading and comparing MTRRs. */
#include "arch/x86/mtrr.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "arch/x86/msr.h"

#define MTRRCAP_COUNT UINT64_C(0xff)
#define MTRRCAP_FIXED (UINT64_C(1) << 8)
#define MASK_VALID    (UINT64_C(1) << 11)

static const uint32_t fixed_registers[MTRR_FIXED_COUNT] = {
    MSR_IA32_MTRR_FIX64K_00000, MSR_IA32_MTRR_FIX16K_80000, MSR_IA32_MTRR_FIX16K_A0000,
    MSR_IA32_MTRR_FIX4K_C0000,  MSR_IA32_MTRR_FIX4K_C8000,  MSR_IA32_MTRR_FIX4K_D0000,
    MSR_IA32_MTRR_FIX4K_D8000,  MSR_IA32_MTRR_FIX4K_E0000,  MSR_IA32_MTRR_FIX4K_E8000,
    MSR_IA32_MTRR_FIX4K_F0000,  MSR_IA32_MTRR_FIX4K_F8000,
};

void mtrr_capture(struct mtrr_raw *out)
{
    memset(out, 0, sizeof(*out));
    if (!(cpuid(1, 0).edx & CPUID_1_EDX_MTRR) || !msr_read_safe(MSR_IA32_MTRRCAP, &out->cap) ||
        !msr_read_safe(MSR_IA32_MTRR_DEF_TYPE, &out->def_type))
        return;
    out->present = true;
    if (out->cap & MTRRCAP_FIXED) {
        for (unsigned i = 0; i < MTRR_FIXED_COUNT; i++) {
            if (!msr_read_safe(fixed_registers[i], &out->fixed[i]))
                out->fixed[i] = 0; /* UC: the careful choice */
        }
    }
    out->variable_count = (unsigned)(out->cap & MTRRCAP_COUNT);
    if (out->variable_count > MTRR_VARIABLE_MAX)
        out->variable_count = MTRR_VARIABLE_MAX;
    for (unsigned i = 0; i < out->variable_count; i++) {
        if (!msr_read_safe(MSR_IA32_MTRR_PHYSBASE0 + 2 * i, &out->variable[i].base) ||
            !msr_read_safe(MSR_IA32_MTRR_PHYSMASK0 + 2 * i, &out->variable[i].mask)) {
            out->variable_count = i;
            break;
        }
    }
}

static bool same(uint64_t left, uint64_t right, const char *name, int index,
                 struct mtrr_difference *difference)
{
    if (left == right)
        return true;
    *difference = (struct mtrr_difference){name, index, left, right};
    return false;
}

must_check bool mtrr_equal(const struct mtrr_raw *left, const struct mtrr_raw *right,
                           struct mtrr_difference *difference)
{
    if (!same(left->cap, right->cap, "IA32_MTRRCAP", -1, difference) ||
        !same(left->def_type, right->def_type, "IA32_MTRR_DEF_TYPE", -1, difference))
        return false;
    for (unsigned i = 0; i < MTRR_FIXED_COUNT; i++) {
        if (!same(left->fixed[i], right->fixed[i], msr_name(fixed_registers[i]), -1, difference))
            return false;
    }
    for (unsigned i = 0; i < left->variable_count; i++) {
        if (!same(left->variable[i].base, right->variable[i].base, "IA32_MTRR_PHYSBASE", (int)i,
                  difference) ||
            !same(left->variable[i].mask, right->variable[i].mask, "IA32_MTRR_PHYSMASK", (int)i, difference))
            return false;
    }
    return true;
}

must_check bool mtrr_page_uniform(const struct mtrr_raw *mtrr, uint64_t physical, uint64_t size)
{
    /* Fixed ranges: below 1 MiB any page above 4 KiB may hold several types. */
    if (physical < 0x100000 && size > PAGE_SIZE)
        return false;
    for (unsigned i = 0; i < mtrr->variable_count; i++) {
        uint64_t mask = mtrr->variable[i].mask & ~UINT64_C(0xfff);
        if (!(mtrr->variable[i].mask & MASK_VALID) || mask == 0)
            continue;
        /* The lowest mask bit is the finest border that this register can draw. */
        if ((mask & -mask) < size && ((mtrr->variable[i].base ^ physical) & mask & ~(size - 1)) == 0)
            return false;
    }
    return true;
}
