/* SPDX-License-Identifier: MIT */
/* Which values the control registers take. */
#include "vmm/vcpu/control_rules.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/fpu.h"

#define PDPTE_PRESENT UINT64_C(1)
/* Of a PDPTE that is present, 2:1, 8:5 and 63:52 must be 0, and the address bits above MAXPHYADDR. */
#define PDPTE_RESERVED UINT64_C(0x1e6)

bool control_cr0_valid(const struct control_state *state, uint64_t value)
{
    if (value >> 32)
        return false;
    if ((value & CR0_PG) && !(value & CR0_PE))
        return false;
    if ((value & CR0_NW) && !(value & CR0_CD))
        return false;
    if ((value & ~state->cr0 & CR0_PG) && (state->efer & EFER_LME))
        return (state->cr4 & CR4_PAE) && !state->code_l && !state->busy_tss16;
    if (state->cr0 & ~value & CR0_PG)
        return !((state->efer & EFER_LMA) && state->code_l) && !(state->cr4 & CR4_PCIDE);
    return true;
}

bool control_cr4_valid(const struct control_state *state, uint64_t value, uint64_t allowed)
{
    bool long_mode = state->efer & EFER_LMA;

    if (value & ~allowed)
        return false;
    if (long_mode && (!(value & CR4_PAE) || ((value ^ state->cr4) & CR4_LA57)))
        return false;
    if (value & ~state->cr4 & CR4_PCIDE)
        return long_mode && (state->cr3 & 0xfff) == 0;
    return true;
}

bool control_pdptes_valid(const uint64_t pdptes[4], unsigned physical_width)
{
    uint64_t reserved = PDPTE_RESERVED | UINT64_MAX << physical_width;

    for (unsigned i = 0; i < 4; i++)
        if ((pdptes[i] & PDPTE_PRESENT) && (pdptes[i] & reserved))
            return false;
    return true;
}

bool control_xcr0_valid(uint64_t value, uint64_t allowed)
{
    if (value & ~allowed)
        return false;
    if (!(value & FPU_COMPONENT_X87) || ((value & FPU_COMPONENT_AVX) && !(value & FPU_COMPONENT_SSE)))
        return false;
    return !(value & FPU_COMPONENT_AVX512) ||
           ((value & FPU_COMPONENT_AVX512) == FPU_COMPONENT_AVX512 && (value & FPU_COMPONENT_AVX));
}
