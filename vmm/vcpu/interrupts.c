/* SPDX-License-Identifier: MIT */
/* Interrupts and NMIs of a guest's devices, and its sleep. */
#include "vmm/vcpu/interrupts.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/sleep.h"
#include "arch/x86/tsc.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/host/cpu.h"
#include "vmm/vcpu/inject.h"
#include "vmm/plug.h"
#include "vmm/vcpu/preemption_timer.h"
#include "vmm/vm/shootdown.h"
#include "vmm/vm/devices.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/devices/pc.h"

/* How often the console is read for the monitor and for the guest that listens to it, if nothing else comes
 * up. */
#define CONSOLE_PERIOD_US 5000

static bool virtual_nmis(void)
{
    return vmx_control_missing(vmx_shared_capabilities(), VMX_WORD_PIN, VMX_VIRTUAL_NMIS) == 0;
}

/* Asks for, or no longer for, an exit when the guest can take an interrupt or an NMI. */
static void set_windows(struct vcpu *vcpu, uint32_t windows)
{
    uint32_t controls;

    if (windows == vcpu->interrupts.windows)
        return;
    controls =
        (uint32_t)vmcs_read(VMCS_PRIMARY_CONTROLS) & ~(VMX_INTERRUPT_WINDOW_EXITING | VMX_NMI_WINDOW_EXITING);
    vmcs_write(VMCS_PRIMARY_CONTROLS, controls | windows);
    vcpu->interrupts.windows = windows;
    exit_quick_choose(vcpu);
}

void interrupts_close_windows(struct vcpu *vcpu)
{
    if (vcpu->interrupts.windows == 0)
        return;
    set_windows(vcpu, 0);
    vcpu->quick.look = true;
}

/* An NMI goes before an interrupt. Blocking by STI holds NMIs back on some processors: SDM vol. 3, "Checks on
 * Guest Non-Register State". */
static bool takes_nmi(uint64_t blocking)
{
    return (blocking & (INTERRUPTIBILITY_STI_MOV_SS | INTERRUPTIBILITY_NMI)) == 0;
}

static bool takes_interrupt(uint64_t blocking)
{
    return (blocking & INTERRUPTIBILITY_STI_MOV_SS) == 0 && (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF) != 0;
}

/*
 * What the last instruction has left of blocking by STI or MOV SS: none, if the hypervisor has done the
 * instruction that it covered in the guest's stead.
 */
static uint64_t blocking_now(struct vcpu *vcpu)
{
    return vcpu->interrupts.advanced ? boundary_end_blocking() : vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE);
}

/* Who calls writes `attention`, then `wake`: one of the two sees the other's. */
static void set_wake(struct vcpu *vcpu, uint64_t wake)
{
    __atomic_store_n(&vcpu->interrupts.wake, wake, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&vcpu->attention, __ATOMIC_SEQ_CST) != 0)
        vcpu->interrupts.wake = 0;
}

/* The devices are locked. */
static void set_next_wake(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    struct vcpu_interrupts *state = &vcpu->interrupts;
    uint64_t wake;

    state->deadline = pc_next_deadline(vm->pc);
    wake = guest_time_tsc(&vm->time, state->deadline);
    if (vm->config.polls && state->console < wake)
        wake = state->console;
    set_wake(vcpu, vcpu->deadline < wake ? vcpu->deadline : wake);
}

/* What was done to a device may have moved the earliest deadline. The devices are locked. */
static void follow_deadline(struct vcpu *vcpu)
{
    if (vcpu->index == 0 && pc_next_deadline(vcpu->vm->pc) != vcpu->interrupts.deadline)
        set_next_wake(vcpu);
}

void interrupts_deliver(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    struct pc *pc = vm->pc;
    bool free;
    uint64_t blocking;
    uint32_t windows = 0;

    if (vcpu->step.active) /* its one instruction first: the look stays due */
        return;
    __atomic_store_n(&vcpu->quick.look, false, __ATOMIC_RELAXED);
    vm_lock_devices(vm);
    follow_deadline(vcpu);
    if (!pc_nmi_pending(pc) && !pc_interrupt_pending(pc) && vcpu->interrupts.windows == 0) {
        vm_unlock_devices(vm);
        return;
    }
    blocking = blocking_now(vcpu);
    /* A trap of the last instruction's goes first. SDM vol. 3, "Delivery of Pending Debug Exceptions after VM
     * Entry". */
    free = (vmcs_read(VMCS_ENTRY_INTERRUPTION_INFORMATION) & EVENT_VALID) == 0 && boundary_pending(vcpu) == 0;
    if (pc_nmi_pending(pc) && virtual_nmis()) {
        if (free && takes_nmi(blocking)) {
            pc_nmi_acknowledge(pc);
            inject_nmi(vcpu);
            free = false;
        }
        if (pc_nmi_pending(pc))
            windows |= VMX_NMI_WINDOW_EXITING;
    }
    if (pc_interrupt_pending(pc)) {
        if (free && takes_interrupt(blocking))
            inject_interrupt(vcpu, pc_interrupt_acknowledge(pc));
        if (pc_interrupt_pending(pc))
            windows |= VMX_INTERRUPT_WINDOW_EXITING;
    }
    vm_unlock_devices(vm);
    set_windows(vcpu, windows);
}

/* Characters from the console, for the guest that has it. What its devices have no room for waits there. */
static void read_console(struct vcpu *vcpu, uint64_t now)
{
    struct vm *vm = vcpu->vm;

    if (!vm->config.input)
        return;
    if (vm->console_character < 0)
        vm->console_character = monitor_guest_key();
    while (vm->console_character >= 0 && pc_console_input(vm->pc, (char)vm->console_character, now))
        vm->console_character = monitor_guest_key();
}

void interrupts_wake(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    uint64_t tsc, now;
    bool polls;

    if (__atomic_load_n(&vcpu->attention, __ATOMIC_RELAXED) != 0)
        vm_attend(vcpu);
    tsc = tsc_read();
    if (tsc >= vcpu->deadline) {
        vm_end(vm, VM_FAILED, "timeout");
        return;
    }
    if (vcpu->index != 0) {
        set_wake(vcpu, vcpu->deadline);
        return;
    }
    polls = vm->config.polls && tsc >= vcpu->interrupts.console;
    if (polls) {
        vcpu->interrupts.console = tsc + tsc_ticks(CONSOLE_PERIOD_US);
        monitor_run(vcpu);
    }
    vm_lock_devices(vm);
    now = guest_time_now(&vm->time, tsc);
    if (polls)
        read_console(vcpu, now);
    pc_run(vm->pc, now);
    interrupts_look(vcpu->vm);
    set_next_wake(vcpu);
    vm_unlock_devices(vm);
}

void interrupts_set_timer(struct vcpu *vcpu, uint64_t now)
{
    struct vcpu_interrupts *state = &vcpu->interrupts;
    uint64_t left = state->wake > now ? state->wake - now : 0;
    uint32_t value;

    if (unlikely(vcpu->step.delivering)) /* at once, and it is set so */
        return;
    if (unlikely(state->wake ==
                 0)) /* called: after the exit that comes next, and the guest may get somewhere first */
        left = UINT64_MAX;
    value = preemption_timer_value(left, state->timer_rate, state->timer_least, state->timer_period);
    if (value != state->timer_value) {
        vmcs_write(VMCS_PREEMPTION_TIMER_VALUE, value);
        state->timer_value = value;
    }
}

enum sleep { SLEEP_ON, SLEEP_OVER, SLEEP_FOR_EVER };

static void set_halted(struct vcpu *vcpu, enum vcpu_halted halted)
{
    __atomic_store_n(&vcpu->interrupts.halted, (uint8_t)halted, __ATOMIC_RELAXED);
}

/*
 * Whether nothing can go on any more: each vCPU is halted or was never started, and no device can wake the
 * first one, to which all interrupts and NMIs go. The devices are locked: of two vCPUs that halt at the same
 * time the second to take the lock sees both.
 */
static bool is_for_ever(struct vm *vm)
{
    enum vcpu_halted first = VCPU_NOT_HALTED;
    struct pc *pc = vm->pc;

    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        const struct vcpu *vcpu = &vm->vcpus[i];
        enum vcpu_halted halted =
            (enum vcpu_halted)__atomic_load_n(&vcpu->interrupts.halted, __ATOMIC_RELAXED);

        if (halted == VCPU_NOT_HALTED &&
            __atomic_load_n(&vcpu->start.state, __ATOMIC_ACQUIRE) == VCPU_STARTED)
            return false;
        if (i == 0)
            first = halted;
    }
    if (virtual_nmis() && (pc_nmi_pending(pc) || pc_can_send_nmi(pc)))
        return false;
    return first == VCPU_HALTED_IF_CLEAR || !(pc_interrupt_pending(pc) || pc_can_interrupt(pc));
}

/* What the first vCPU waits for says how the guest has ended: CLI, HLT is how many programs do it. */
static void end_halted(struct vm *vm)
{
    if (vm->vcpus[0].interrupts.halted != VCPU_HALTED_IF_CLEAR)
        vm_end(vm, VM_FAILED, "HLT: no device is there to wake it");
    else if (vm->config.halt_passes)
        vm_end_by_guest(vm, true, "HLT with interrupts disabled");
    else
        vm_end(vm, VM_FAILED, "HLT with interrupts disabled: a pass with on_halt=pass");
}

bool interrupts_halt(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    bool enabled = (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF) != 0, for_ever;

    set_halted(vcpu, enabled ? VCPU_HALTED_IF_SET : VCPU_HALTED_IF_CLEAR);
    if (enabled) /* interrupts_wait() will see */
        return true;
    vm_lock_devices(vm);
    for_ever = is_for_ever(vm);
    vm_unlock_devices(vm);
    if (for_ever)
        end_halted(vm);
    return !for_ever;
}

/* Whether the guest is to go on: with RFLAGS.IF clear an NMI alone can wake it. */
static enum sleep look_up(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    enum sleep sleep = SLEEP_ON;

    vm_lock_devices(vm);
    follow_deadline(vcpu);
    if (vcpu->index == 0 &&
        ((vcpu->interrupts.halted == VCPU_HALTED_IF_SET && pc_interrupt_pending(vm->pc)) ||
         (pc_nmi_pending(vm->pc) && virtual_nmis())))
        sleep = SLEEP_OVER;
    else if (is_for_ever(vm))
        sleep = SLEEP_FOR_EVER;
    vm_unlock_devices(vm);
    return sleep;
}

static void sleep_until(uint64_t tsc)
{
    uint64_t now = tsc_read(), microseconds;

    if (now >= tsc)
        return;
    microseconds = (tsc - now) * 1000 / tsc_khz();
    /* Too short for HLT: the wait is over as soon as an alarm would be set. */
    if (tsc - now < UINT64_MAX / 1000 && microseconds == 0)
        return;
    cpu_sleep(tsc - now < UINT64_MAX / 1000 ? microseconds : CPU_SLEEP_MAX_US);
}

/* While the CPU sleeps it counts as parked: another vCPU that wants the VM for itself need not wake it. */
static void sleep(struct vcpu *vcpu)
{
    bool several = vcpu->vm->vcpu_count > 1;

    (void)table_pool_prepare(&vcpu->vm->tables, TABLE_POOL_READY);
    if (several)
        shootdown_step_aside(vcpu);
    sleep_until(vcpu->interrupts.wake);
    if (several)
        shootdown_come_back(vcpu);
}

void interrupts_wait(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;

    while (vcpu->interrupts.halted != VCPU_NOT_HALTED && !vm_has_ended(vm)) {
        if (tsc_read() >= vcpu->interrupts.wake)
            interrupts_wake(vcpu);
        switch (look_up(vcpu)) {
        case SLEEP_OVER:
            set_halted(vcpu, VCPU_NOT_HALTED);
            interrupts_look(vcpu->vm);
            break;
        case SLEEP_FOR_EVER:
            end_halted(vm);
            break;
        case SLEEP_ON:
            if (!vm_has_ended(vm) && !trace_drain_some())
                sleep(vcpu);
            break;
        }
    }
    if (vm_steps(vcpu)) { /* what has woken it is the next step */
        interrupts_deliver(vcpu);
        watch_go_on(vcpu);
    }
}
