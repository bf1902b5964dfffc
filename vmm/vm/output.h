/* SPDX-License-Identifier: MIT */
/* What guests print: whole lines into the CPU's trace ring, so that they stand among the exits in the order
 * of time. */
#ifndef VMM_VM_OUTPUT_H
#define VMM_VM_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

struct vcpu;
struct guest_line;
struct vm;

/*
 * How many characters the guest may still print without waiting for the console. While it is 0, what would
 * print is begun again: the guest is slowed down, but no exit waits. Anything else goes on. vcpu->output_full
 * is what a quick look tells, and may be set a little too long. The vCPU's CPU.
 */
unsigned guest_output_room(struct vcpu *vcpu);

/* Whether an OUT of `size` bytes to the port may print. Pure. */
bool guest_output_prints(uint16_t port, unsigned size);

/* Whether an OUT of `size` bytes has to wait because it may print. vcpu->output_full is set. */
bool guest_output_holds(struct vcpu *vcpu, uint16_t port, unsigned size);

/* Hands a complete line on, and empties it. The vCPU's CPU. */
void guest_output_line(struct vcpu *vcpu, struct guest_line *line);

/* Hands on what unfinished lines the VM's devices hold; at its end. */
void guest_output_flush(struct vcpu *vcpu);

#endif
