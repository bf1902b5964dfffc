/* SPDX-License-Identifier: MIT */
/* The monitor trap flag, RFLAGS.TF, the preemption timer. */
#include "vmm/step_trap.h"
#include "arch/x86/control_registers.h"
#include "vmm/step_test.h"
#include "vmm/vm.h"
#include "vmm/vmcs.h"

static void set_flag(bool set)
{
    uint64_t controls = vmcs_read(VMCS_PRIMARY_CONTROLS) & ~(uint64_t)VMX_MONITOR_TRAP_FLAG;

    vmcs_write(VMCS_PRIMARY_CONTROLS, set ? controls | VMX_MONITOR_TRAP_FLAG : controls);
}

void step_trap_set(struct vcpu *vcpu, uint64_t rflags)
{
    bool flag = vcpu->step.hidden && step_test_result() == MONITOR_TRAP_WORKS;

    if (flag)
        set_flag(true);
    vcpu->step.by_flag = flag;
    vmcs_write(VMCS_GUEST_RFLAGS, flag ? rflags : rflags | RFLAGS_TF);
}

void step_trap_clear(struct vcpu *vcpu, bool keeps_tf, uint64_t rflags)
{
    if (vcpu->step.by_flag)
        set_flag(false);
    else if (!keeps_tf && !vcpu->step.guest_tf)
        vmcs_write(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_TF);
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
