/* SPDX-License-Identifier: MIT */
/* The monitor trap flag, RFLAGS.TF, the preemption timer. */
#include "vmm/step_trap.h"
#include "arch/x86/control_registers.h"
#include "vmm/cpu.h"
#include "vmm/vm.h"
#include "vmm/vmcs.h"

enum flag_state { FLAG_UNTESTED, FLAG_WORKS, FLAG_FAILS };

static uint32_t flag_state; /* enum flag_state, atomic: of all CPUs, which are alike */

static enum flag_state state(void)
{
    return (enum flag_state)__atomic_load_n(&flag_state, __ATOMIC_RELAXED);
}

static bool advertised(void)
{
    return vmx_control_missing(vmx_shared_capabilities(), VMX_WORD_PRIMARY, VMX_MONITOR_TRAP_FLAG) == 0;
}

static void set_flag(bool set)
{
    uint64_t controls = vmcs_read(VMCS_PRIMARY_CONTROLS) & ~(uint64_t)VMX_MONITOR_TRAP_FLAG;

    vmcs_write(VMCS_PRIMARY_CONTROLS, set ? controls | VMX_MONITOR_TRAP_FLAG : controls);
}

void step_trap_set(struct vcpu *vcpu, uint64_t rflags)
{
    bool flag = vcpu->step.hidden && advertised() && state() != FLAG_FAILS;

    if (flag)
        set_flag(true);
    vcpu->step.by_flag = flag;
    vcpu->step.by_tf = !flag || state() == FLAG_UNTESTED;
    vmcs_write(VMCS_GUEST_RFLAGS, vcpu->step.by_tf ? rflags | RFLAGS_TF : rflags);
}

void step_trap_clear(struct vcpu *vcpu, bool keeps_tf, uint64_t rflags)
{
    if (vcpu->step.by_flag)
        set_flag(false);
    if (vcpu->step.by_tf && !keeps_tf && !vcpu->step.guest_tf)
        vmcs_write(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_TF);
}

void step_trap_came(bool by_flag)
{
    if (state() == FLAG_UNTESTED && advertised())
        __atomic_store_n(&flag_state, by_flag ? FLAG_WORKS : FLAG_FAILS, __ATOMIC_RELAXED);
}

const char *step_trap_text(void)
{
    if (!advertised())
        return "RFLAGS.TF, hidden";
    switch (state()) {
    case FLAG_WORKS:
        return "monitor trap flag";
    case FLAG_FAILS:
        return "RFLAGS.TF, hidden: the monitor trap flag is there and does not work";
    case FLAG_UNTESTED:
        break;
    }
    return "not tested yet: it is with the first step";
}

void step_end_at_once(struct vcpu *vcpu)
{
    vcpu->step.delivering = true;
    if (vcpu->interrupts.timer_period == 0)
        return;
    vmcs_write(VMCS_PREEMPTION_TIMER_VALUE, 0);
    vcpu->interrupts.timer_value = 0;
}
