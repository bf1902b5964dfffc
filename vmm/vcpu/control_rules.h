/* SPDX-License-Identifier: MIT */
/*
 * Which values the control registers take, where the hypervisor and not the processor decides. Pure. SDM vol.
 * 2, "MOV - Move to/from Control Registers"; vol. 1, "Extended Control Registers (XCRs)".
 */
#ifndef VMM_VCPU_CONTROL_RULES_H
#define VMM_VCPU_CONTROL_RULES_H

#include <stdbool.h>
#include <stdint.h>

/* What a write is judged by: the registers as the guest sees them before it. */
struct control_state {
    uint64_t cr0, cr3, cr4, efer;
    bool code_l;     /* CS.L */
    bool busy_tss16; /* TR holds a 16-bit TSS */
};

/* MOV to CR0 takes this value; else it raises #GP. */
bool control_cr0_valid(const struct control_state *state, uint64_t value);

/* The same for CR4; `allowed`: the bits that the guest's processor has. */
bool control_cr4_valid(const struct control_state *state, uint64_t value, uint64_t allowed);

/*
 * The four PDPTEs of PAE paging may be loaded: no reserved bit is set in one that is present.
 * physical_width: MAXPHYADDR, 32 to 52.
 */
bool control_pdptes_valid(const uint64_t pdptes[4], unsigned physical_width);

/* XSETBV takes this value as XCR0; `allowed`: the components that the guest's processor has. */
bool control_xcr0_valid(uint64_t value, uint64_t allowed);

#endif
