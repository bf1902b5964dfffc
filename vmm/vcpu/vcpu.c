/* SPDX-License-Identifier: MIT */
/* A vCPU's life: made, loaded on its CPU, run until its VM ends, released. */
#include "vmm/vcpu/vcpu.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/fpu.h"
#include "arch/x86/invept.h"
#include "arch/x86/memory.h"
#include "arch/x86/msr.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/host/cpu.h"
#include "vmm/plug.h"
#include "vmm/exit/exit.h"
#include "vmm/quick/quick.h"
#include "vmm/exit/trace_filter.h"
#include "vmm/host/frame.h"
#include "vmm/vcpu/cpuid.h"
#include "vmm/vcpu/interrupts.h"
#include "vmm/host/machine.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/devices.h"
#include "vmm/vcpu/state.h"
#include "vmm/vm/shootdown.h"
#include "vmm/vm/pause.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/vcpu/vpid.h"
#include "vmm/host/weakness.h"

/* Of the word that begins with quick.kinds. */
#define LOOK_ALONE                                                                                           \
    (UINT64_C(1) << 8 * (offsetof(struct exit_quick, look) - offsetof(struct exit_quick, kinds)))
#define FLUSH_CMD_L1D 1 /* of IA32_FLUSH_CMD */
/* How long exits may stay quick while records wait to be drained, in microseconds: a UART's FIFO lasts
 * longer. */
#define DRAIN_US 250

must_check bool vcpu_create(struct vcpu *vcpu, struct vm *vm, unsigned index)
{
    memset(vcpu, 0, sizeof(*vcpu));
    vcpu->vm = vm;
    vcpu->index = index;
    vcpu->start.state = index == 0 ? VCPU_STARTED : VCPU_WAITS;
    vcpu->trace = vm->config.trace;
    vcpu->deadline = ~UINT64_C(0);
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++)
        exit_statistics_init(&vcpu->statistics[reason]);
    vcpu->vmcs_physical = frame_alloc(FRAME_HOST);
    if (vcpu->vmcs_physical == FRAME_ALLOC_FAILED)
        return false;
    vcpu->vpid = vpid_take();
    return true;
}

void vcpu_destroy(struct vcpu *vcpu)
{
    vpid_give_back(vcpu->vpid);
    frame_free_run(vcpu->vmcs_physical, 1, FRAME_HOST);
}

/* Guest registers that VM entries do not load. The host uses none of them, so they stay in the processor
 * while the vCPU runs. */
static void load_registers(const struct vcpu *vcpu)
{
    cr2_write(vcpu->cr2);
    dr0_write(vcpu->dr0);
    dr1_write(vcpu->dr1);
    dr2_write(vcpu->dr2);
    dr3_write(vcpu->dr3);
    dr6_write(vcpu->dr6);
    msr_write(MSR_IA32_KERNEL_GS_BASE, vcpu->kernel_gs_base);
    msr_write(MSR_IA32_STAR, vcpu->star);
    msr_write(MSR_IA32_LSTAR, vcpu->lstar);
    msr_write(MSR_IA32_CSTAR, vcpu->cstar);
    msr_write(MSR_IA32_FMASK, vcpu->fmask);
    if (guest_cpuid_has_rdtscp())
        msr_write(MSR_IA32_TSC_AUX, vcpu->tsc_aux);
    fpu_reset();
    if (guest_cpuid_xcr0_bits() != 0)
        xcr0_write(vcpu->xcr0);
}

must_check bool vcpu_flush_stale(const struct vcpu *vcpu)
{
    uint64_t caps = vmx_shared_capabilities()->ept_vpid;

    if (invept_context(caps, vcpu->vm->eptp) != VMX_OK)
        return false;
    return vcpu->vpid == 0 || invvpid_context(caps, vcpu->vpid) == VMX_OK;
}

static bool load(struct vcpu *vcpu, struct vmm_cpu *cpu)
{
    enum vmx_status status = vmcs_setup(vcpu);

    vcpu->xcr0_allowed = guest_cpuid_xcr0_bits();
    vcpu->decode_features = guest_cpuid_decode_features();
    vcpu->cr4_allowed = guest_cr4_allowed();
    vcpu->cr3_bits = cpuid_cr3_bits();
    vcpu->cr0_host_bits = guest_cr0_host_bits();
    vcpu->cr4_host_bits = guest_cr4_host_bits();
    vcpu->cpu = cpu;
    vcpu->ring = &cpu->trace;
    exit_trace_enter(vcpu);
    if (status != VMX_OK) {
        vm_end(vcpu->vm, VM_FAILED, "its VMCS cannot be set up: %s", vmx_status_text(status));
        return false;
    }
    load_registers(vcpu);
    exit_quick_prepare(vcpu);
    boundary_prepare(vcpu);
    if (!vcpu_flush_stale(vcpu)) {
        vm_end(vcpu->vm, VM_FAILED, "INVEPT or INVVPID fails before the first entry");
        return false;
    }
    return true;
}

/*
 * Whether the vCPU may go on at once, as after a quick exit (vmm/quick/quick.h), because all that the exit
 * was about is done. Who wants between_exits() all the same clears quick.due.
 */
static inline bool goes_on(struct vcpu *vcpu)
{
    /* `kinds`, `closed`, `look` and `kicked` as one word. */
    uint64_t closed = __atomic_load_n((const uint64_t *)(const void *)&vcpu->quick.kinds, __ATOMIC_RELAXED) &
                      EXIT_QUICK_ALL;

    if (vcpu->exit_action < EXIT_ACTION_SETTLED || vcpu->exit_end >= vcpu->quick.due ||
        trace_pending(vcpu->ring))
        return false;
    return closed == 0 || (closed == LOOK_ALONE && interrupts_quiet(vcpu));
}

/* Between exit and entry, outside of the exit path: devices, events, console. */
static void between_exits(struct vcpu *vcpu)
{
    uint64_t now = tsc_read();

    if (unlikely(now >= vcpu->interrupts.wake))
        interrupts_wake(vcpu);
    if (unlikely(vcpu->interrupts.halted)) {
        interrupts_wait(vcpu);
        now = tsc_read();
    }
    /* What waited for the end of blocking by STI or MOV SS need not wait until the guest has gone on. */
    if (unlikely(vcpu->quick.look || (vcpu->interrupts.windows != 0 && vcpu->interrupts.advanced)))
        interrupts_deliver(vcpu);
    vcpu->interrupts.advanced = false;
    /* The usual case: nothing to be done before the timer's longest period ends, and that is what it is set
     * to. */
    if (unlikely(vcpu->interrupts.wake < now + vcpu->interrupts.timer_reach ||
                 vcpu->interrupts.timer_value != vcpu->interrupts.timer_period))
        interrupts_set_timer(vcpu, now);
    exit_quick_set_due(vcpu, now);
    if (trace_pending(&vcpu->cpu->trace) && trace_drain_some() && vcpu->cpu->trace.drained)
        exit_quick_due_by(vcpu, now + tsc_ticks(DRAIN_US));
}

/* All but the first: until the guest starts it. false: the VM has ended before. */
static bool wait_for_start(struct vcpu *vcpu)
{
    while (__atomic_load_n(&vcpu->start.state, __ATOMIC_ACQUIRE) != VCPU_STARTED) {
        if (vm_has_ended(vcpu->vm))
            return false;
        if (__atomic_load_n(&vcpu->attention, __ATOMIC_RELAXED) != 0) {
            shootdown_come_back(vcpu);
            vm_attend(vcpu);
            shootdown_step_aside(vcpu);
        }
        cpu_pause();
        monitor_poll();
        (void)trace_drain_some();
    }
    if (vcpu->index != 0)
        guest_state_start(vcpu, vcpu->start.cs, vcpu->start.ip);
    return true;
}

must_check bool vcpu_start(struct vm *vm, uint32_t index, uint16_t cs, uint16_t ip)
{
    uint32_t waits = VCPU_WAITS;
    struct vcpu_start *start;

    if (index >= vm->vcpu_count)
        return false;
    start = &vm->vcpus[index].start;
    if (!__atomic_compare_exchange_n(&start->state, &waits, VCPU_START_CLAIMED, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED))
        return false;
    start->cs = cs;
    start->ip = ip;
    __atomic_store_n(&start->state, VCPU_STARTED, __ATOMIC_RELEASE);
    return true;
}

/* Right behind a VM exit. true: the next entry can follow at once. */
static bool exited(struct vmx_registers *registers)
{
    struct vcpu *vcpu = (struct vcpu *)(void *)registers; /* whose first member they are */

    vcpu->exit_action = exit_dispatch(vcpu);
    if (unlikely(!goes_on(vcpu)))
        return false;
    vcpu->interrupts.advanced = false;
    return true;
}

/* The same of one vCPU among several. What kicks it from here on is left for the next exit to see. */
static bool exited_of_several(struct vmx_registers *registers)
{
    struct vcpu *vcpu = (struct vcpu *)(void *)registers;

    shootdown_leave(&vcpu->sync);
    return exited(registers) && shootdown_enter(&vcpu->vm->sync, &vcpu->sync);
}

/* test=bus-lock, for a guest with one vCPU: every exit says that a bus lock came before it, too. */
static bool exited_with_bus_lock(struct vmx_registers *registers)
{
    struct vcpu *vcpu = (struct vcpu *)(void *)registers;

    vcpu->quick.reason |= EXIT_REASON_AND_BUS_LOCK;
    return exited(registers);
}

/* With mitigations=: every entry comes from run(). */
static bool exited_once(struct vmx_registers *registers)
{
    struct vcpu *vcpu = (struct vcpu *)(void *)registers;

    if (vcpu->vm->vcpu_count > 1)
        shootdown_leave(&vcpu->sync);
    vcpu->exit_action = exit_dispatch(vcpu);
    return false;
}

static uint64_t run_cleared(struct vcpu *vcpu)
{
    if (weakness_flush_l1d())
        msr_write(MSR_IA32_FLUSH_CMD, FLUSH_CMD_L1D);
    return vmx_run_cleared(&vcpu->registers, exited_once);
}

static void run(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    const bool several = vm->vcpu_count > 1, cleared = weakness_verw() || weakness_flush_l1d();
    bool (*const handle_exit)(struct vmx_registers * registers) =
        several                                           ? exited_of_several
        : cmdline_has_test(machine_options(), "bus-lock") ? exited_with_bus_lock
                                                          : exited;

    while (!vm_has_ended(vm)) {
        uint64_t outcome;

        if (several) {
            /* Whoever sets it has raised the generation before, which is looked at now. */
            __atomic_store_n(&vcpu->quick.kicked, false, __ATOMIC_RELAXED);
            if (!shootdown_enter(&vm->sync, &vcpu->sync) && !shootdown_catch_up(vcpu))
                break;
        }
        outcome = cleared ? run_cleared(vcpu) : vmx_run(&vcpu->registers, handle_exit);
        if (unlikely(outcome != VMX_ENTER_EXITED)) {
            if (several)
                shootdown_leave(&vcpu->sync);
            vcpu->exit_action = exit_entry_failed(vcpu, outcome);
        }
        if (vcpu->exit_action != EXIT_ACTION_STOP)
            between_exits(vcpu);
    }
}

void vcpu_run(struct vcpu *vcpu, struct vmm_cpu *cpu)
{
    struct vm *vm = vcpu->vm;

    if (vcpu->index == 0) {
        uint64_t started = tsc_read();

        vm_devices_start(vm, started);
        trace_name_vm(vm->id, vm->config.name, started);
    }
    cpu->vcpu = vcpu;
    vcpu->trace_source = (struct trace_source){.kind = TRACE_EXIT,
                                               .vm = vm->id,
                                               .cpu = (uint16_t)cpu->percpu->index,
                                               .vcpu = vm->vcpu_count > 1 ? (uint16_t)(vcpu->index + 1) : 0};
    __atomic_store_n(&vcpu->attends, 1, __ATOMIC_RELEASE);
    if (load(vcpu, cpu) && wait_for_start(vcpu)) {
        vcpu->ran = true;
        monitor_before_entry(vcpu);
        entry_test(vcpu);
        (void)entry_report(vm->config.name); /* the processor has the last word */
        start_report_entry();
        run(vcpu);
    }
    __atomic_store_n(&vcpu->attends, 0, __ATOMIC_RELEASE);
    vcpu_brief_take(vcpu);
    vm_unpause_all(vm);
    shootdown_park(&vcpu->sync);
    exit_trace_leave(vcpu);
    trace_finish(cpu);
    cpu->vcpu = NULL;
    (void)__atomic_add_fetch(&vm->vcpus_out, 1, __ATOMIC_RELEASE);
}
