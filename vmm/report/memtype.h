/* SPDX-License-Identifier: MIT */
/* memtype=: how the memory type of a guest-physical address comes about. */
#ifndef VMM_REPORT_MEMTYPE_H
#define VMM_REPORT_MEMTYPE_H

#include <stdint.h>

struct vcpu;

/*
 * Prints one line a step: region, MTRRs, leaf, the guest's PAT, CR0.CD, the effective type; then the type of
 * the accesses to the EPT itself, and what each PAT entry would have made of it. The CPU whose current VMCS
 * is the vCPU's; the caller keeps the console (trace_report_begin()).
 */
void memtype_report(struct vcpu *vcpu, uint64_t guest_physical_address);

#endif
