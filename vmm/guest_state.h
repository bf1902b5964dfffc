/* SPDX-License-Identifier: MIT */
/* The state in which a guest starts: real mode, as a BIOS hands over to a boot sector. */
#ifndef VMM_GUEST_STATE_H
#define VMM_GUEST_STATE_H

struct vcpu;

/* CR0 and CR4 bits that the guest does not own: it sees the read shadow, and a write that would change one
 * exits. */
#include <stdint.h>
uint64_t guest_cr0_host_bits(void);
uint64_t guest_cr4_host_bits(void);
/* CR4 bits that this guest may set: known to us and offered by its CPUID. */
uint64_t guest_cr4_allowed(void);

/*
 * Writes the guest-state area and the guest's general-purpose registers: CS:IP from the configuration, DL =
 * 0x80, all else zero, interrupts off. SDM vol. 3, "Guest-State Area". The vCPU's VMCS is current.
 */
void guest_state_reset(struct vcpu *vcpu);

/* After guest_state_reset(): another start, at CS:IP, with the vCPU's index in EBX. The vCPU's VMCS is
 * current. */
void guest_state_start(struct vcpu *vcpu, uint16_t cs, uint16_t ip);

#endif
