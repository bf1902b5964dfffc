/* SPDX-License-Identifier: MIT */
/* One instruction over a translation that the memory map does not grant. */
#include "vmm/step.h"
#include "arch/x86/control_registers.h"
#include "ept/map.h"
#include "ept/zap.h"
#include "vmm/inject.h"
#include "vmm/vm.h"
#include "vmm/vm_flush.h"
#include "vmm/vm_pause.h"
#include "vmm/vmcs.h"

#define PAGE_MASK        UINT64_C(0xfff)
#define PENDING_DEBUG_BS (UINT64_C(1) << 14)

/* Makes the processor trap after the guest's next instruction. */
static void set_trap(struct vcpu *vcpu)
{
    uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);
    uint64_t blocking = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE);

    vcpu->step.guest_tf = rflags & RFLAGS_TF;
    vcpu->step.trapping = true;
    vcpu->step.rip = vmcs_read(VMCS_GUEST_RIP);
    /* An EPT violation saves RF as 1, so that the instruction does not break again. Bochs saves 0. */
    vmcs_write(VMCS_GUEST_RFLAGS, rflags | RFLAGS_TF | RFLAGS_RF);
    /* The trap shall come behind the instruction. Bochs saves one as pending at every exit of a guest that
     * single-steps itself. */
    vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
               vmcs_read(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) & ~PENDING_DEBUG_BS);
    /*
     * With TF set under blocking by STI or MOV SS a VM entry wants a single-step trap pending, and delivers
     * it before the instruction has run. Nothing is injected here, so the blocking, which ends after this
     * instruction anyway, can go now.
     */
    if (blocking & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS))
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE,
                   blocking & ~(uint64_t)(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
}

must_check bool step_over(struct vcpu *vcpu, uint64_t guest_physical_address, uint64_t host_physical,
                          unsigned rights, enum memory_type type)
{
    struct step *step = &vcpu->step;
    uint64_t page = guest_physical_address & ~PAGE_MASK;
    struct ept_change change;
    /* While an event is being delivered, TF would be pushed with the guest's flags; the next exit, whatever
     * it is, ends the step then. */
    bool delivering = vmcs_read(VMCS_IDT_VECTORING_INFORMATION) & EVENT_VALID;

    if (step->active && !step->trapping && !delivering)
        step_finish(vcpu, false); /* it was for the delivery of an event, which is over */
    if (step->page_count == STEP_PAGES_MAX)
        return false;
    change = ept_map_one(&vcpu->vm->ept, page, host_physical & ~PAGE_MASK, rights, type);
    if (!vm_flush(vcpu->vm, change.flush) || change.status != EPT_OK)
        return false;
    step->pages[step->page_count++] = page;
    if (!step->active && !delivering)
        set_trap(vcpu);
    if (!step->active)
        vm_pause(vcpu->vm); /* to the step's end; the caller has it already, so this waits for nobody */
    step->active = true;
    exit_quick_choose(vcpu);
    return true;
}

void step_finish(struct vcpu *vcpu, bool trapped)
{
    struct step *step = &vcpu->step;

    for (unsigned i = 0; i < step->page_count; i++) {
        enum ept_flush flush = ept_zap(&vcpu->vm->ept, step->pages[i], PAGE_MASK + 1);

        if (!vm_flush(vcpu->vm, flush))
            vm_end(vcpu->vm, VM_FAILED, "INVEPT fails after a step over gpa=%#llx",
                   (unsigned long long)step->pages[i]);
    }
    if (step->trapping) {
        uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);

        /* No trap and TF clear: the instruction raised an exception, and the guest's handler has our TF in
         * the flags it will return to. */
        if (!trapped && !(rflags & RFLAGS_TF) && !step->guest_tf)
            step->pushed = true;
        if (!step->guest_tf)
            vmcs_write(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_TF);
    }
    step->page_count = 0;
    if (step->active)
        vm_unpause(vcpu->vm);
    step->active = step->trapping = false;
    exit_quick_choose(vcpu);
}
