/* SPDX-License-Identifier: MIT */
/* One instruction, over a translation that the memory map does not grant or for the monitor. */
#include "vmm/debug/step.h"
#include "arch/x86/memory.h"
#include "ept/map.h"
#include "ept/zap.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/exit/exit.h"
#include "vmm/vcpu/inject.h"
#include "vmm/debug/step_trap.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/flush.h"
#include "vmm/vm/pause.h"
#include "vmm/vcpu/vmcs.h"

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
                          unsigned rights, enum memory_type type, bool ignored)
{
    struct step *step = &vcpu->step;
    /* While an event is being delivered, TF would be pushed with the guest's flags: the step is the rest of
     * the delivery. */
    bool delivering = vmcs_read(VMCS_IDT_VECTORING_INFORMATION) & EVENT_VALID;

    if (step->active && step->trapping == delivering)
        step_finish(
            vcpu); /* it was for the delivery of an event, which is over; or for what has led to one */
    if (!map_page(vcpu, guest_physical_address & ~PAGE_MASK, host_physical, rights, type))
        return false;
    if (step->active)
        return true;
    step->active = true;
    step->ignored = ignored;
    exit_quick_choose(vcpu);
    if (delivering)
        step_end_at_once(vcpu);
    else if (step_hide(vcpu))
        step_trap_set(vcpu, true);
    return true;
}

/* A trap that is due behind an instruction done in the guest's stead, or stepped: it is delivered, and that
 * is the step. */
static void deliver_guest_trap(struct vcpu *vcpu)
{
    uint64_t pending = boundary_pending(vcpu);

    if (pending == 0)
        return;
    vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    exit_deliver_debug_exception(vcpu, pending);
}

void step_begin(struct vcpu *vcpu)
{
    struct step *step = &vcpu->step;

    step->active = true;
    exit_quick_choose(vcpu);
    step->rip = vmcs_read(VMCS_GUEST_RIP);
    deliver_guest_trap(vcpu);
    if (vmcs_read(VMCS_ENTRY_INTERRUPTION_INFORMATION) & EVENT_VALID)
        step_end_at_once(vcpu);
    else if (step_hide(vcpu))
        step_trap_set(vcpu, false);
}

static void finish(struct vcpu *vcpu, bool trapped)
{
    struct step *step = &vcpu->step;

    for (unsigned i = 0; i < step->page_count; i++) {
        enum ept_flush flush = ept_zap(&vcpu->vm->ept, step->pages[i], PAGE_MASK + 1);

        if (!vm_flush(vcpu->vm, flush))
            vm_end(vcpu->vm, VM_FAILED, "INVEPT fails after a step over gpa=%#llx",
                   (unsigned long long)step->pages[i]);
    }
    if (step->trapping) {
        step_trap_clear(vcpu, trapped);
        step_hide_end(vcpu, trapped);
    }
    step->page_count = 0;
    if (vcpu->debug.expects)
        watch_collect(vcpu);
    if (step->paused)
        vm_unpause(vcpu->vm);
    step->active = step->trapping = step->paused = step->ignored = step->delivering = false;
    exit_quick_choose(vcpu);
}

void step_finish(struct vcpu *vcpu)
{
    finish(vcpu, false);
}

uint64_t step_trapped(struct vcpu *vcpu, uint64_t qualification)
{
    /* An instruction that has not moved on may be one with REP, or one that will fault at the same place for
     * ever. */
    if (vcpu->step.ignored && vmcs_read(VMCS_GUEST_RIP) == vcpu->step.rip)
        vcpu->no_progress.exit_count = vcpu->exit_count;
    vcpu->debug.trapped = true;
    vcpu->result.code = RESULT_STEPPED;
    finish(vcpu, true);
    return vcpu->step.by_flag ? 0 : step_trap_of_guest(vcpu, qualification);
}
