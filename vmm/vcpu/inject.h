/* SPDX-License-Identifier: MIT */
/*
 * Event injection: what the next VM entry delivers to the guest. SDM vol. 3, "Event Injection" and "VM-Entry
 * Controls for Event Injection". All functions act on the vCPU whose VMCS is current on the calling CPU.
 */
#ifndef VMM_VCPU_INJECT_H
#define VMM_VCPU_INJECT_H

#include "arch/x86/exception.h"
#include <stdbool.h>
#include <stdint.h>

struct vcpu;

/* Guest interruptibility state. SDM vol. 3, "Guest Non-Register State". */
#define INTERRUPTIBILITY_STI    1u
#define INTERRUPTIBILITY_MOV_SS 2u
#define INTERRUPTIBILITY_SMI    4u
#define INTERRUPTIBILITY_NMI    8u
/* What holds interrupts and debug exceptions back behind one instruction. */
#define INTERRUPTIBILITY_STI_MOV_SS (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS)

/* Interruption information: 7:0 vector, 10:8 type, 11 error code, 12 NMI unblocking (exits only), 31 valid.
 */
#define EVENT_VECTOR(information) ((unsigned)((information)&0xff))
#define EVENT_TYPE(information)   ((unsigned)(((information) >> 8) & 7))
#define EVENT_HAS_ERROR_CODE      (1u << 11)
#define EVENT_NMI_UNBLOCKING      (1u << 12)
#define EVENT_VALID               (1u << 31)

enum event_type {
    EVENT_EXTERNAL_INTERRUPT = 0,
    EVENT_NMI = 2,
    EVENT_HARDWARE_EXCEPTION = 3,
    EVENT_SOFTWARE_INTERRUPT = 4,
    EVENT_PRIVILEGED_SOFTWARE_EXCEPTION = 5,
    EVENT_SOFTWARE_EXCEPTION = 6,
};

/* Those that arch/x86/exception.h has no need for. */
#define VECTOR_TS 10
#define VECTOR_NP 11
#define VECTOR_SS 12
#define VECTOR_AC 17

/*
 * Delivers a hardware exception at the next entry. The error code is dropped in real mode, where none is
 * pushed, and for vectors that have none. A pending event of the same exit is replaced: an instruction raises
 * one exception.
 */
void inject_exception(struct vcpu *vcpu, unsigned vector, uint32_t error_code);

/*
 * Delivers the exception that an intercepted software exception (INT1, INT3, INTO) would have raised: the
 * return address then lies behind the instruction. `information` is the EXIT_INTERRUPTION_INFORMATION field.
 */
void inject_software_exception(struct vcpu *vcpu, uint32_t information);

/* An external interrupt; the guest must be able to take it: RFLAGS.IF set, no blocking, nothing else
 * injected. */
void inject_interrupt(struct vcpu *vcpu, unsigned vector);

/* INT n with this vector and length in bytes, in the stead of the instruction at RIP, of which it has the
 * checks. */
void inject_software_interrupt(struct vcpu *vcpu, unsigned vector, unsigned length);

/* An NMI; not while blocking by NMI, STI or MOV SS is in force. */
void inject_nmi(struct vcpu *vcpu);

/* #PF: sets CR2 too. */
void inject_page_fault(struct vcpu *vcpu, uint64_t linear_address, uint32_t error_code);

/*
 * After an exit that interrupted the delivery of an event (IDT-vectoring information valid): delivers that
 * event again at the next entry. `vectoring` is the IDT_VECTORING_INFORMATION field. Returns the vector.
 */
unsigned inject_again(struct vcpu *vcpu, uint32_t vectoring);

#endif
