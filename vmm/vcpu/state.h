/* SPDX-License-Identifier: MIT */
/* The state in which a guest starts: real mode, as a BIOS hands over to a boot sector, or the 32-bit state of
 * the Multiboot Specification. */
#ifndef VMM_VCPU_STATE_H
#define VMM_VCPU_STATE_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* What of the first state differs between guests; all else is zero, or what RESET makes it. */
struct guest_start {
    bool flat32;     /* protected mode, all segments flat and 32-bit; else real mode */
    bool interrupts; /* RFLAGS.IF */
    uint16_t cs;     /* real mode: selector, base = 16 * selector; else unused */
    uint32_t ip, sp;
    uint32_t eax, ebx, edx;
};

/* CR0 and CR4 bits that the guest does not own: it sees the read shadow, and a write that would change one
 * exits. */
uint64_t guest_cr0_host_bits(void);
uint64_t guest_cr4_host_bits(void);
/* CR4 bits that this guest may set: known to us and offered by its CPUID. */
uint64_t guest_cr4_allowed(void);

/*
 * Writes the guest-state area and the guest's general-purpose registers as vm->start tells. SDM vol. 3,
 * "Guest-State Area". The vCPU's VMCS is current.
 */
void guest_state_reset(struct vcpu *vcpu);

/* Likewise, but real mode at CS:IP with the vCPU's index in EBX and 80H in DL, all else zero: a vCPU that another one
 * starts. */
void guest_state_start(struct vcpu *vcpu, uint16_t cs, uint16_t ip);

#endif
