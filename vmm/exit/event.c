/* SPDX-License-Identifier: MIT */
/* Exits of events: exceptions, NMI, external interrupts, triple fault, INIT, the preemption timer. */
#include "arch/x86/apic.h"
#include "arch/x86/control_registers.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/exit.h"
#include "vmm/debug/step_trap.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

#define DR7_GD (UINT64_C(1) << 13)

void exit_deliver_debug_exception(struct vcpu *vcpu, uint64_t qualification)
{
    uint64_t dr7 = vmcs_read(VMCS_GUEST_DR7);

    /* Blocking ends with the delivery; with TF set, an entry would want a trap pending beside it. */
    (void)boundary_end_blocking();
    dr6_write((dr6_read() & ~DEBUG_B0_B3) | (qualification & (DEBUG_B0_B3 | DEBUG_BD | DEBUG_BS)));
    /* As the delivery of #DB does. Below KVM a write of this field makes the next entry load everything. */
    if (dr7 & DR7_GD)
        vmcs_write(VMCS_GUEST_DR7, dr7 & ~DR7_GD);
    inject_exception(vcpu, VECTOR_DB, 0);
}

/* The trap of a step, or the guest's #DB: the exit has not touched DR6, so that is done here. */
static enum exit_action debug_exception(struct vcpu *vcpu)
{
    uint64_t qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);

    if (step_trap_has_come(vcpu, qualification)) {
        qualification = step_trapped(vcpu, qualification);
        if (qualification == 0)
            return EXIT_ACTION_RESUME;
    } else if (vcpu->step.active) { /* in front of the stepped instruction */
        step_finish(vcpu);
    }
    exit_deliver_debug_exception(vcpu, qualification);
    return EXIT_ACTION_RESUME;
}

/*
 * An NMI is the machine's, not the guest's. The exit leaves NMIs blocked as if one were being handled: the
 * host's own handler looks whether a panic wants this CPU to stop, and its IRET ends the blocking.
 */
static enum exit_action host_nmi(struct vcpu *vcpu)
{
    vcpu->nmi_count++;
    step_goes_on(vcpu);
    __asm__ volatile("int $2" : : : "memory");
    vcpu->result.code = RESULT_RESUMED;
    return EXIT_ACTION_RESUME;
}

enum exit_action exit_exception(struct vcpu *vcpu)
{
    uint32_t information = (uint32_t)vmcs_read(VMCS_EXIT_INTERRUPTION_INFORMATION);
    uint32_t error_code = 0;

    if (EVENT_TYPE(information) == EVENT_NMI)
        return host_nmi(vcpu);
    if (EVENT_TYPE(information) ==
        EVENT_PRIVILEGED_SOFTWARE_EXCEPTION) { /* INT1; it changes nothing in DR6 */
        if (vcpu->step.active)
            step_finish(vcpu);
        inject_software_exception(vcpu, information);
        return EXIT_ACTION_RESUME;
    }
    switch (EVENT_VECTOR(information)) {
    case VECTOR_DB:
        return debug_exception(vcpu);
    case VECTOR_MC:
        /* Raised while a guest ran, about the machine: the host's own handler reads the banks and prints
         * them. */
        step_goes_on(vcpu);
        __asm__ volatile("int $18");
        return EXIT_ACTION_RESUME;
    default:
        if (vcpu->step.active)
            step_finish(vcpu);
        if (information & EVENT_HAS_ERROR_CODE)
            error_code = (uint32_t)vmcs_read(VMCS_EXIT_INTERRUPTION_ERROR_CODE);
        if (EVENT_TYPE(information) == EVENT_SOFTWARE_EXCEPTION)
            inject_software_exception(vcpu, information);
        else if (EVENT_VECTOR(information) == VECTOR_PF)
            inject_page_fault(vcpu, vmcs_read(VMCS_EXIT_QUALIFICATION), error_code);
        else
            inject_exception(vcpu, EVENT_VECTOR(information), error_code);
        if (information & EVENT_NMI_UNBLOCKING) /* IRET faulted: still blocked */
            vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE,
                       vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE) | INTERRUPTIBILITY_NMI);
        return EXIT_ACTION_RESUME;
    }
}

/* A step by the monitor trap flag is over. What the instruction has left pending the next entry delivers. */
enum exit_action exit_monitor_trap_flag(struct vcpu *vcpu)
{
    if (vcpu->step.active)
        (void)step_trapped(vcpu, 0);
    vcpu->result.code = RESULT_STEPPED;
    return EXIT_ACTION_RESUME;
}

/* The host has no interrupt source in use: whatever the firmware left running is acknowledged and goes
 * nowhere. */
enum exit_action exit_external_interrupt(struct vcpu *vcpu)
{
    vcpu->external_interrupt_count++;
    apic_end_of_interrupt();
    vcpu->result.code = RESULT_RESUMED;
    return EXIT_ACTION_RESUME;
}

/* Behind an access that locked the bus, complete. A guest that does nothing else gets on no faster than it
 * exits, which leaves the bus to the other CPUs in between. */
enum exit_action exit_bus_lock(struct vcpu *vcpu)
{
    vcpu->bus_lock_count++;
    vcpu->result.code = RESULT_RESUMED;
    return EXIT_ACTION_RESUME;
}

enum exit_action exit_triple_fault(struct vcpu *vcpu)
{
    vm_end(vcpu->vm, VM_FAILED, "triple fault");
    vcpu->result.code = RESULT_ENDED;
    return EXIT_ACTION_STOP;
}

/* Somebody outside sent an INIT to this CPU. The guest did not, and nothing here needs it. */
enum exit_action exit_init_signal(struct vcpu *vcpu)
{
    vcpu->result.code = RESULT_RESUMED;
    return EXIT_ACTION_RESUME;
}

enum exit_action exit_ignored_event(struct vcpu *vcpu)
{
    vcpu->result.code = RESULT_RESUMED;
    return EXIT_ACTION_RESUME;
}

/*
 * The run loop looks at the deadline, at the devices and at the console when their time has come, but only
 * between an exit and an entry, and not at all behind a quick exit before then (exit_quick_set_due()). This
 * exit brings a guest there that would not exit by itself. No instruction waits for it, so it is a good moment
 * for what must be done some time.
 */
enum exit_action exit_preemption_timer(struct vcpu *vcpu)
{
    trace_ring_publish(
        &vcpu->cpu->trace); /* a guest that loops without exits: its last exit shall be seen all the same */
    (void)table_pool_prepare(&vcpu->vm->tables, 1);
    vcpu->result.code = RESULT_RESUMED;
    return EXIT_ACTION_RESUME;
}

/* The guest can take what it could not before. */
enum exit_action exit_window(struct vcpu *vcpu)
{
    vcpu->quick.look = true;
    vcpu->result.code = RESULT_RESUMED;
    return EXIT_ACTION_RESUME;
}

must_check bool exit_is_outside_event(struct vcpu *vcpu, uint32_t reason)
{
    uint32_t information;

    switch (reason) {
    case EXIT_EXTERNAL_INTERRUPT:
        (void)exit_external_interrupt(vcpu);
        return true;
    case EXIT_PREEMPTION_TIMER:
    case EXIT_INIT_SIGNAL:
        return true;
    case EXIT_EXCEPTION_NMI:
        information = (uint32_t)vmcs_read(VMCS_EXIT_INTERRUPTION_INFORMATION);
        if (EVENT_TYPE(information) != EVENT_NMI &&
            !(EVENT_TYPE(information) == EVENT_HARDWARE_EXCEPTION && EVENT_VECTOR(information) == VECTOR_MC))
            return false;
        (void)exit_exception(vcpu);
        return true;
    default:
        return false;
    }
}
