/* SPDX-License-Identifier: MIT */
/* From a decoded instruction to the vCPU's state behind it. */
#include "vmm/emulate/vcpu.h"
#include "arch/x86/control_registers.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/pause.h"
#include "vmm/vcpu/vmcs.h"

enum exit_action vcpu_emulate_raise(struct vcpu *vcpu, const struct emulate_exception *exception)
{
    if (exception->vector == VECTOR_PF)
        inject_page_fault(vcpu, exception->address, exception->error_code);
    else
        inject_exception(vcpu, exception->vector, exception->error_code);
    return EXIT_ACTION_RESUME;
}

/* Puts the registers back that no exit handler has in its hands, and goes on. */
static enum exit_action finish(struct vcpu *vcpu, const struct emulate_processor *processor,
                               const struct instruction *instruction, enum emulate_status status,
                               uint64_t old_rflags)
{
    uint64_t rflags = processor->rflags;

    if (status == EMULATE_REFUSED) {
        vcpu->result.code = RESULT_ENDED;
        return EXIT_ACTION_STOP;
    }
    if (status == EMULATE_DONE)
        rflags &= ~RFLAGS_RF;
    else if (status != EMULATE_EXCEPTION)
        rflags |= RFLAGS_RF;
    if (rflags != old_rflags)
        vmcs_write(VMCS_GUEST_RFLAGS, rflags);
    if (instruction_uses_rsp(instruction))
        vmcs_write(VMCS_GUEST_RSP, processor->gpr[REGISTER_RSP]);
    if (vm_has_ended(vcpu->vm))
        return EXIT_ACTION_STOP;
    /* Between two elements of a string the guest has its traps, too, and blocking by STI or MOV SS is over.
     */
    if (status == EMULATE_DONE || status == EMULATE_AGAIN)
        exit_advance_to(vcpu, processor->rip, rflags);
    return EXIT_ACTION_SETTLED;
}

/* SDM vol. 2, "LOCK - Assert LOCK# Signal Prefix": XCHG with memory locks without the prefix. */
static bool locks(const struct instruction *instruction)
{
    return instruction->lock || instruction->operation == OPERATION_XCHG;
}

must_check enum exit_action vcpu_emulate(struct linear *linear, const struct instruction *instruction,
                                         uint64_t rip, uint64_t rflags)
{
    struct vcpu *vcpu = linear->vcpu;
    struct emulate_processor processor;
    struct emulate_exception exception;
    enum emulate_status status;
    enum exit_action action;

    linear_processor(linear, rip, rflags, &processor);
    if (instruction_uses_rsp(instruction))
        vcpu->registers.gpr[GPR_RSP] = vmcs_read(VMCS_GUEST_RSP);
    /* Whatever the operand is, RAM, a device, or over a page border some of each: nobody else is in between.
     */
    if (locks(instruction))
        vm_pause(vcpu->vm);
    status = emulate_instruction(&processor, instruction, &exception);
    if (locks(instruction))
        vm_unpause(vcpu->vm);
    action = finish(vcpu, &processor, instruction, status, rflags);
    if (status == EMULATE_EXCEPTION && action != EXIT_ACTION_STOP)
        return vcpu_emulate_raise(vcpu, &exception);
    return action;
}
