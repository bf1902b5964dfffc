/* SPDX-License-Identifier: MIT */
/* One instruction, over a translation that the memory map does not grant or for the monitor. */
#include "vmm/step.h"
#include "arch/x86/control_registers.h"
#include "ept/map.h"
#include "ept/zap.h"
#include "vmm/exit.h"
#include "vmm/inject.h"
#include "vmm/step_trap.h"
#include "vmm/vm.h"
#include "vmm/vm_flush.h"
#include "vmm/vm_pause.h"
#include "vmm/vmcs.h"

#define PAGE_MASK        UINT64_C(0xfff)
#define PENDING_DEBUG_BS (UINT64_C(1) << 14)

/* The trap shall come behind the instruction. Bochs saves one as pending at every exit of a guest that has TF
 * set. */
static void clear_pending_trap(void)
{
    uint64_t pending = vmcs_read(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS);

    if (pending & PENDING_DEBUG_BS)
        vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, pending & ~PENDING_DEBUG_BS);
}

void step_goes_on(struct vcpu *vcpu)
{
    if (vcpu->step.active && vcpu->step.trapping)
        clear_pending_trap();
}

/*
 * Makes the processor trap after the guest's next instruction. resumes: behind an EPT violation, which saves
 * RF as 1, so that the instruction does not break again. Bochs saves 0.
 */
static void set_trap(struct vcpu *vcpu, bool resumes)
{
    uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);
    uint64_t blocking = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE);

    vcpu->step.guest_tf = rflags & RFLAGS_TF;
    vcpu->step.guest_if = rflags & RFLAGS_IF;
    vcpu->step.trapping = true;
    vcpu->step.rip = vmcs_read(VMCS_GUEST_RIP);
    step_trap_set(vcpu, rflags | (resumes ? RFLAGS_RF : 0));
    if (!vcpu->step.by_flag || !vcpu->step.guest_tf) /* else the guest's own, that the flag came before */
        clear_pending_trap();
    /*
     * With TF set under blocking by STI or MOV SS a VM entry wants a single-step trap pending, and delivers
     * it before the instruction has run. Nothing is injected here, so the blocking, which ends after this
     * instruction anyway, can go now.
     */
    if (blocking & (INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS))
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE,
                   blocking & ~(uint64_t)(INTERRUPTIBILITY_STI | INTERRUPTIBILITY_MOV_SS));
}

static bool map_page(struct vcpu *vcpu, uint64_t page, uint64_t host_physical, unsigned rights,
                     enum memory_type type)
{
    struct step *step = &vcpu->step;
    struct ept_change change;

    if (step->page_count == STEP_PAGES_MAX)
        return false;
    change = ept_map_one(&vcpu->vm->ept, page, host_physical & ~PAGE_MASK, rights, type);
    if (!vm_flush(vcpu->vm, change.flush) || change.status != EPT_OK)
        return false;
    step->pages[step->page_count++] = page;
    if (!step->paused)
        vm_pause(vcpu->vm); /* to the step's end; the caller has it already, so this waits for nobody */
    step->paused = true;
    return true;
}

must_check bool step_over(struct vcpu *vcpu, uint64_t guest_physical_address, uint64_t host_physical,
                          unsigned rights, enum memory_type type, bool hidden)
{
    struct step *step = &vcpu->step;
    /* While an event is being delivered, TF would be pushed with the guest's flags; the next exit, whatever
     * it is, ends the step then. */
    bool delivering = vmcs_read(VMCS_IDT_VECTORING_INFORMATION) & EVENT_VALID;

    if (step->active && !step->trapping && !delivering)
        step_finish(vcpu, false); /* it was for the delivery of an event, which is over */
    if (!map_page(vcpu, guest_physical_address & ~PAGE_MASK, host_physical, rights, type))
        return false;
    if (step->active) {
        step_goes_on(vcpu);
        return true;
    }
    step->active = true;
    step->hidden = hidden;
    exit_quick_choose(vcpu);
    if (hidden && delivering)
        step_end_at_once(vcpu);
    else if (!delivering && (!hidden || step_hide(vcpu)))
        set_trap(vcpu, true);
    return true;
}

/*
 * A guest that single-steps itself has its own trap due behind an instruction that was done in its stead.
 * With ours set that one would be taken for it: it is delivered, and that is the step. What else is pending
 * is Bochs's, see clear_pending_trap().
 */
static void deliver_guest_trap(struct vcpu *vcpu)
{
    if (!vcpu->interrupts.advanced || !(vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_TF) ||
        !(vmcs_read(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) & PENDING_DEBUG_BS))
        return;
    clear_pending_trap();
    exit_deliver_debug_exception(vcpu, PENDING_DEBUG_BS);
}

void step_begin(struct vcpu *vcpu)
{
    struct step *step = &vcpu->step;

    step->active = step->hidden = true;
    exit_quick_choose(vcpu);
    step->rip = vmcs_read(VMCS_GUEST_RIP);
    deliver_guest_trap(vcpu);
    if (vmcs_read(VMCS_ENTRY_INTERRUPTION_INFORMATION) & EVENT_VALID)
        step_end_at_once(vcpu);
    else if (step_hide(vcpu))
        set_trap(vcpu, false);
}

/*
 * STI keeps interrupts off for one instruction more, HLT say, or the RET behind it; the trap that has come
 * between forgets that on some processors. Behind POPF and IRET, where it is not so, an interrupt that is one
 * instruction late is as good. With the guest's own TF set, a VM entry would want its trap pending, too.
 */
static void keep_blocking(const struct step *step)
{
    uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);
    uint64_t blocking = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE);

    if (!step->guest_if && (rflags & RFLAGS_IF) && !(rflags & RFLAGS_TF) &&
        !(blocking & INTERRUPTIBILITY_MOV_SS))
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, blocking | INTERRUPTIBILITY_STI);
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
        bool executed = trapped || (step->hidden && vmcs_read(VMCS_GUEST_RIP) != step->rip);

        /* No trap and TF clear: the instruction raised an exception, and the guest's handler has our TF in
         * the flags it will return to. */
        if (!trapped && !step->hidden && !(rflags & RFLAGS_TF) && !step->guest_tf)
            step->pushed = true;
        step_trap_clear(vcpu, executed && step->hidden && step->plan.kind == STEP_LOADS_FLAGS, rflags);
        if (!step->guest_tf && !trapped)
            clear_pending_trap();
        if (trapped)
            keep_blocking(step);
    }
    if (step->hidden)
        step_hide_end(vcpu, trapped);
    step->page_count = 0;
    if (step->hidden)
        watch_collect(vcpu);
    if (step->paused)
        vm_unpause(vcpu->vm);
    step->active = step->trapping = step->paused = step->hidden = step->delivering = false;
    exit_quick_choose(vcpu);
}
