/* SPDX-License-Identifier: MIT */
/* What guests print: whole lines into the CPU's trace ring, so that they stand among the exits in the order
 * of time. */
#ifndef VMM_GUEST_OUTPUT_H
#define VMM_GUEST_OUTPUT_H

struct vcpu;
struct guest_line;
struct vm;

/* Hands a complete line on, and empties it. The vCPU's CPU. */
void guest_output_line(struct vcpu *vcpu, struct guest_line *line);

/* Hands on what unfinished lines the VM's devices hold; at its end. */
void guest_output_flush(struct vcpu *vcpu);

#endif
