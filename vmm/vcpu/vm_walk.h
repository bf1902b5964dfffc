/* SPDX-License-Identifier: MIT */
/* The two-dimensional walk (ept/walk2d.h) over a VM: its EPT, its frames, its vCPU's paging state. */
#ifndef VMM_VCPU_VM_WALK_H
#define VMM_VCPU_VM_WALK_H

#include "ept/walk2d.h"

struct vcpu;

/*
 * Walks as the vCPU's processor would for one access. Only frames of this VM are read. paging: from
 * guest_paging_state(), perhaps with another privilege. The vCPU's CPU.
 */
void vm_walk(struct walk2d *walk, const struct vcpu *vcpu, const struct guest_paging *paging,
             uint64_t linear_address, enum guest_access access);

#endif
