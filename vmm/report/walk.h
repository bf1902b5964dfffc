/* SPDX-License-Identifier: MIT */
/* The two-dimensional walk on the console, for `walk=GVA`, and what the checks of walks have found. */
#ifndef VMM_REPORT_WALK_H
#define VMM_REPORT_WALK_H

#include <stdint.h>

struct vcpu;

/*
 * At a VM's end, with its VMCS current: the walk of a data read at the address of `walk=`, by the guest's
 * paging as it stands, one line a reference; and one line on the guest's WALK_CHECK calls if it has made any.
 */
void walk_report(struct vcpu *vcpu);

/* The walk alone, of any linear address. The vCPU's CPU, its VMCS current; the caller keeps the console. */
void walk_report_address(struct vcpu *vcpu, uint64_t linear_address);

#endif
