/* SPDX-License-Identifier: MIT */
/* Event injection. */
#include "vmm/vcpu/inject.h"
#include "arch/x86/control_registers.h"
#include "vmm/vcpu/vmcs.h"

/* SDM vol. 3, "Exception and Interrupt Reference": #DF, #TS, #NP, #SS, #GP, #PF, #AC (and #CP, which guests
 * do not have). */
static bool has_error_code(unsigned vector)
{
    return vector == VECTOR_DF || (vector >= VECTOR_TS && vector <= VECTOR_PF) || vector == VECTOR_AC;
}

void inject_exception(struct vcpu *vcpu, unsigned vector, uint32_t error_code)
{
    uint32_t information = EVENT_VALID | EVENT_HARDWARE_EXCEPTION << 8 | vector;
    bool protected_mode = vmcs_read(VMCS_GUEST_CR0) & CR0_PE;

    /* "Deliver error code" must be 0 while CR0.PE is 0. */
    if (has_error_code(vector) && protected_mode) {
        information |= EVENT_HAS_ERROR_CODE;
        vmcs_write(VMCS_ENTRY_EXCEPTION_ERROR_CODE, error_code);
    }
    /* A fault's handler finds RF set, and an entry pushes RFLAGS as it is. #DB leaves RF to its handler. */
    if (vector != VECTOR_DB && protected_mode)
        vmcs_write(VMCS_GUEST_RFLAGS, vmcs_read(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
    vmcs_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, information);
    vcpu->result.code = RESULT_INJECT;
    vcpu->result.vector = (uint8_t)vector;
}

void inject_software_exception(struct vcpu *vcpu, uint32_t information)
{
    vmcs_write(VMCS_ENTRY_INSTRUCTION_LENGTH, vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH));
    vmcs_write(VMCS_ENTRY_INTERRUPTION_INFORMATION,
               EVENT_VALID | EVENT_TYPE(information) << 8 | EVENT_VECTOR(information));
    vcpu->result.code = RESULT_INJECT;
    vcpu->result.vector = (uint8_t)EVENT_VECTOR(information);
}

void inject_interrupt(struct vcpu *vcpu, unsigned vector)
{
    (void)vcpu;
    vmcs_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, EVENT_VALID | EVENT_EXTERNAL_INTERRUPT << 8 | vector);
}

void inject_software_interrupt(struct vcpu *vcpu, unsigned vector, unsigned length)
{
    (void)vcpu;
    vmcs_write(VMCS_ENTRY_INSTRUCTION_LENGTH, length);
    vmcs_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, EVENT_VALID | EVENT_SOFTWARE_INTERRUPT << 8 | vector);
}

void inject_nmi(struct vcpu *vcpu)
{
    (void)vcpu;
    vmcs_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, EVENT_VALID | EVENT_NMI << 8 | VECTOR_NMI);
}

void inject_page_fault(struct vcpu *vcpu, uint64_t linear_address, uint32_t error_code)
{
    cr2_write(linear_address);
    inject_exception(vcpu, VECTOR_PF, error_code);
}

unsigned inject_again(struct vcpu *vcpu, uint32_t vectoring)
{
    unsigned type = EVENT_TYPE(vectoring);
    /* Bit 12 is undefined in IDT-vectoring information and reserved at entry. */
    uint32_t information = vectoring & (EVENT_VALID | EVENT_HAS_ERROR_CODE | 0x7ff);

    (void)vcpu;
    if (vectoring & EVENT_HAS_ERROR_CODE) {
        /* In real mode no error code is pushed, and none may be injected; Bochs reports one all the same. */
        if (vmcs_read(VMCS_GUEST_CR0) & CR0_PE)
            vmcs_write(VMCS_ENTRY_EXCEPTION_ERROR_CODE, vmcs_read(VMCS_IDT_VECTORING_ERROR_CODE));
        else
            information &= ~EVENT_HAS_ERROR_CODE;
    }
    if (type == EVENT_SOFTWARE_INTERRUPT || type == EVENT_PRIVILEGED_SOFTWARE_EXCEPTION ||
        type == EVENT_SOFTWARE_EXCEPTION)
        vmcs_write(VMCS_ENTRY_INSTRUCTION_LENGTH, vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH));
    if (type == EVENT_NMI) {
        /* Its delivery had set blocking by NMI; injecting an NMI while that is set is refused. */
        uint64_t state = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE);

        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, state & ~(uint64_t)INTERRUPTIBILITY_NMI);
    }
    vmcs_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, information);
    return EVENT_VECTOR(vectoring);
}
