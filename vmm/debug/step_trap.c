/* SPDX-License-Identifier: MIT */
/* The monitor trap flag, RFLAGS.TF, the preemption timer. */
#include "vmm/debug/step_trap.h"
#include "arch/x86/control_registers.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/vcpu/inject.h"
#include "vmm/debug/trap_flag.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

static void set_flag(bool set)
{
    uint64_t controls = vmcs_read(VMCS_PRIMARY_CONTROLS) & ~(uint64_t)VMX_MONITOR_TRAP_FLAG;

    vmcs_write(VMCS_PRIMARY_CONTROLS, set ? controls | VMX_MONITOR_TRAP_FLAG : controls);
}

/*
 * Takes blocking and what is pending out of the VMCS. Without blocking by MOV SS nothing is pending in front
 * of an instruction: Bochs 2.7 saves a trap at every exit of a guest that has TF set. There is new blocking
 * in the midst of a step if it has come to the second instruction of a pair.
 */
static void hold_back(struct vcpu *vcpu)
{
    struct step *step = &vcpu->step;
    uint64_t blocking = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_STI_MOV_SS;

    if (blocking != 0) {
        uint64_t pending = vmcs_read(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS);

        step->blocking = (uint8_t)blocking;
        step->pending = (uint16_t)(blocking & INTERRUPTIBILITY_MOV_SS ? pending : 0);
        step->rip = vmcs_read(VMCS_GUEST_RIP);
        (void)boundary_end_blocking();
    }
    vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
}

void step_trap_set(struct vcpu *vcpu, bool resumes)
{
    struct step *step = &vcpu->step;
    uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);

    step->guest_tf = rflags & RFLAGS_TF;
    step->guest_if = rflags & RFLAGS_IF;
    step->trapping = true;
    step->by_flag = step_test_result() == MONITOR_TRAP_WORKS;
    step->rip = vmcs_read(VMCS_GUEST_RIP);
    step->blocking = 0;
    step->pending = 0;
    if (resumes)
        rflags |= RFLAGS_RF;
    if (step->by_flag) {
        boundary_drop_pending();
        set_flag(true);
    } else {
        hold_back(vcpu);
        rflags |= RFLAGS_TF;
        if (step->blocking & INTERRUPTIBILITY_MOV_SS) /* behind which no instruction breaks */
            rflags |= RFLAGS_RF;
    }
    vmcs_write(VMCS_GUEST_RFLAGS, rflags);
}

void step_goes_on(struct vcpu *vcpu)
{
    if (vcpu->step.active && vcpu->step.trapping && !vcpu->step.by_flag)
        hold_back(vcpu);
}

static void put_back(const struct step *step)
{
    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE,
               vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE) | step->blocking);
    vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, step->pending);
}

/* STI keeps interrupts off for one instruction more; the trap that has come between has ended that. */
static void block_by_sti(const struct step *step, uint64_t rflags)
{
    if (step->plan.is_sti && !step->guest_if && !step->guest_tf && (rflags & RFLAGS_IF))
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE,
                   vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE) | INTERRUPTIBILITY_STI);
}

void step_trap_clear(struct vcpu *vcpu, bool trapped)
{
    const struct step *step = &vcpu->step;
    bool executed = trapped || vmcs_read(VMCS_GUEST_RIP) != step->rip;
    uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);

    if (step->by_flag) {
        set_flag(false);
        return;
    }
    /* Behind POPF and the like TF is what the guest has loaded. */
    if (!step->guest_tf && !(executed && step->plan.kind == STEP_LOADS_FLAGS))
        vmcs_write(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_TF);
    if (!executed)
        put_back(step);
    else if (trapped)
        block_by_sti(step, rflags);
    else if (!step->guest_tf) /* an event of the machine's, which goes before the trap, or the second of a
                                 pair */
        vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS,
                   vmcs_read(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) & ~DEBUG_BS);
}

bool step_trap_has_come(const struct vcpu *vcpu, uint64_t qualification)
{
    return vcpu->step.active && vcpu->step.trapping && !vcpu->step.by_flag && (qualification & DEBUG_BS);
}

/* The qualification tells breakpoints that are not enabled, too. */
uint64_t step_trap_of_guest(const struct vcpu *vcpu, uint64_t qualification)
{
    const struct step *step = &vcpu->step;
    uint64_t bits = (qualification & ~DEBUG_BS) | (step->pending & DEBUG_B0_B3);

    if (step->guest_tf)
        return bits | DEBUG_BS;
    if ((bits & DEBUG_BD) || (step->pending & DEBUG_ENABLED) ||
        breakpoint_enabled(bits & DEBUG_B0_B3, vmcs_read(VMCS_GUEST_DR7)) != 0)
        return bits;
    return 0;
}

const char *step_trap_text(void)
{
    return step_test_result() == MONITOR_TRAP_WORKS ? "monitor trap flag" : "RFLAGS.TF, hidden";
}

void step_end_at_once(struct vcpu *vcpu)
{
    vcpu->step.delivering = true;
    if (vcpu->interrupts.timer_period == 0)
        return;
    vmcs_write(VMCS_PREEMPTION_TIMER_VALUE, 0);
    vcpu->interrupts.timer_value = 0;
}
