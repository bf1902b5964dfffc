/* SPDX-License-Identifier: MIT */
/* Stopping and continuing a guest. */
#include "vmm/vm/stop.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "vmm/host/cpu.h"
#include "vmm/quick/quick.h"
#include "vmm/plug.h"
#include "vmm/vm/shootdown.h"
#include "vmm/vm/vm.h"
#include "vmm/debug/watch.h"
#include "vmm/vcpu/vcpu.h"

bool vm_is_stopped(const struct vm *vm)
{
    return __atomic_load_n(&vm->stop.stopped, __ATOMIC_ACQUIRE) != 0;
}

void vm_stepping_begins(const struct vcpu *vcpu)
{
    __atomic_store_n(&vcpu->vm->stop.stepping, vcpu->index + 1, __ATOMIC_RELEASE);
}

void vm_stepping_ends(struct vm *vm)
{
    __atomic_store_n(&vm->stop.stepping, 0, __ATOMIC_RELEASE);
}

bool vm_steps(const struct vcpu *vcpu)
{
    return vcpu->debug.steps != 0 &&
           __atomic_load_n(&vcpu->vm->stop.stepping, __ATOMIC_ACQUIRE) == vcpu->index + 1;
}

bool vm_is_stepping(const struct vm *vm)
{
    return __atomic_load_n(&vm->stop.stepping, __ATOMIC_ACQUIRE) != 0;
}

bool vm_is_at_rest(const struct vm *vm)
{
    return vm_is_stopped(vm) && !vm_is_stepping(vm);
}

void vcpu_call(struct vcpu *vcpu, bool by_nmi)
{
    const struct vcpu *self = vmm_cpu()->vcpu;

    /* Their order counts: interrupts.c writes `wake`, then looks at `attention`. */
    __atomic_store_n(&vcpu->attention, 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vcpu->interrupts.wake, 0, __ATOMIC_SEQ_CST);
    if (vcpu == self)
        vcpu->quick.due = 0;
    else if (vcpu->cpu != NULL)
        shootdown_kick(vcpu, by_nmi);
}

void vm_stop(struct vm *vm)
{
    __atomic_store_n(&vm->stop.stopped, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        vcpu_call(&vm->vcpus[i], false);
}

void vm_continue(struct vm *vm)
{
    __atomic_store_n(&vm->stop.stopped, 0, __ATOMIC_SEQ_CST);
}

/* Parked, so that a vCPU which wants the VM for itself need not wait for this one. */
static void stay(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    bool several = vm->vcpu_count > 1;
    uint64_t since = tsc_read();

    trace_finish(vcpu->cpu);
    while (vm_is_stopped(vm) && !vm_steps(vcpu) && !vm_has_ended(vm)) {
        if (monitor_wants(vcpu)) {
            monitor_run(vcpu);
            continue;
        }
        if (several)
            shootdown_step_aside(vcpu);
        while (vm_is_stopped(vm) && !vm_has_ended(vm) && !monitor_wants(vcpu)) {
            monitor_poll();
            if (!trace_drain_some())
                cpu_pause();
        }
        if (several)
            shootdown_come_back(vcpu);
    }
    if (vcpu->deadline != ~UINT64_C(0))
        vcpu->deadline += tsc_read() - since;
}

void vm_attend(struct vcpu *vcpu)
{
    do {
        if (vcpu->vm->vcpu_count == 1) /* else the run loop does it */
            __atomic_store_n(&vcpu->quick.kicked, false, __ATOMIC_SEQ_CST);
        __atomic_store_n(&vcpu->attention, 0, __ATOMIC_SEQ_CST);
        watch_attend(vcpu);
        monitor_run(vcpu);
        if (vcpu->stop_at_exit != 0 && vcpu->exit_count >= vcpu->stop_at_exit) {
            vcpu->stop_at_exit = 0;
            exit_quick_choose(vcpu);
            vm_stop(vcpu->vm);
        }
        if (vm_is_stopped(vcpu->vm) && !vcpu->step.active)
            stay(vcpu);
        watch_go_on(vcpu);
    } while (vcpu->debug.expects && !vcpu->step.active); /* a step that was done in the guest's stead */
    if (vcpu->stop_at_exit != 0)
        vcpu_call(vcpu, false);
}
