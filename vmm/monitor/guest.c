/* SPDX-License-Identifier: MIT */
/* Commands about guests as a whole: which there are, how they do, stop and go, and what ends them. */
#include "drivers/console.h"
#include "vmm/host/cpu.h"
#include "vmm/quick/quick.h"
#include "arch/x86/exit_reason.h"
#include "vmm/guests.h"
#include "vmm/vcpu/inject.h"
#include "vmm/vcpu/interrupts.h"
#include "vmm/monitor/monitor.h"
#include "vmm/monitor/command.h"
#include "vmm/host/power.h"
#include "vmm/debug/step_trap.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

/* SDM vol. 3, "VM-Entry Controls for Event Injection": bits 31:15 are reserved. */
#define ERROR_CODE_MAX 0x7fff
#define WAIT_MAX       (UINT64_C(1) << 62) /* exits: far beyond what there can be, and no sum passes 2^64 */

static const char *state_of(const struct vm *vm)
{
    switch (__atomic_load_n(&vm->end.verdict, __ATOMIC_ACQUIRE)) {
    case VM_PASSED:
        return "passed";
    case VM_FAILED:
        return "failed";
    case VM_RUNNING:
        break;
    }
    return vm->vcpus == NULL ? "waits" : vm_is_stopped(vm) ? "stopped" : "runs";
}

/* Of a VM that may run, or end, on other CPUs meanwhile: a figure of a moment. */
static uint64_t all_exits(const struct vm *vm)
{
    uint64_t sum = 0;
    bool gone;

    vm_hold_vcpus();
    gone = vm->vcpus == NULL;
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        sum += __atomic_load_n(&vm->vcpus[i].exit_count, __ATOMIC_RELAXED);
    vm_let_go_vcpus();
    for (unsigned reason = 0; reason < EXIT_REASON_COUNT && gone; reason++)
        sum += exit_statistics_count(&vm->statistics[reason]);
    return sum;
}

void monitor_vms(struct monitor_call *call)
{
    struct vm *vm;

    for (unsigned i = 0; (vm = guests_vm(i)) != NULL; i++)
        console_printf("adept: vms: %u name=%s state=%s vcpus=%u mem=%#llx exits=%llu%s\n", i,
                       vm->config.name, state_of(vm), vm->config.vcpus,
                       (unsigned long long)vm->config.memory_bytes, (unsigned long long)all_exits(vm),
                       vm == call->vm ? " chosen" : "");
}

/* " vm=... vcpu=... exits=..." of the vCPU that runs there, if one does. */
static void print_vcpu_of(const struct vmm_cpu *cpu)
{
    const struct vcpu *vcpu;
    const struct vm *vm = NULL;
    uint64_t exits = 0;
    unsigned index = 0;

    vm_hold_vcpus();
    vcpu = __atomic_load_n(&cpu->vcpu, __ATOMIC_ACQUIRE);
    if (vcpu != NULL) {
        vm = vcpu->vm; /* VMs stay to the machine's end */
        index = vcpu->index;
        exits = __atomic_load_n(&vcpu->exit_count, __ATOMIC_RELAXED);
    }
    vm_let_go_vcpus();
    if (vm != NULL)
        console_printf(" vm=%s vcpu=%u exits=%llu", vm->config.name, index, (unsigned long long)exits);
}

void monitor_cpus(struct monitor_call *call)
{
    (void)call;
    console_printf("adept: cpus: steps by: %s\n", step_trap_text());
    for (unsigned i = 0; i < vmm_cpu_count(); i++) {
        const struct vmm_cpu *cpu = vmm_cpu_at(i);

        if (cpu == NULL)
            continue;
        console_printf("adept: cpus: %u apic=%#x vmx=%s", i, cpu->percpu->apic_id,
                       cpu->vmx_on ? "on" : "off");
        print_vcpu_of(cpu);
        console_printf("\n");
    }
}

void monitor_vm(struct monitor_call *call)
{
    struct option_span word = monitor_word(call, 1);
    uint64_t number;
    struct vm *vm;

    if (!monitor_number(word, &number))
        number = UINT64_MAX;
    for (unsigned i = 0; (vm = guests_vm(i)) != NULL; i++) {
        if (i != number && !option_is(word, vm->config.name))
            continue;
        monitor_choose(vm, 0);
        console_printf("adept: vm: %u name=%s\n", i, vm->config.name);
        return;
    }
    monitor_complain(call, "expected: the number or the name of a guest (vms shows them)");
}

void monitor_vcpu(struct monitor_call *call)
{
    uint64_t number;

    if (call->vm == NULL || !monitor_number(monitor_word(call, 1), &number) ||
        number >= call->vm->config.vcpus) {
        monitor_complain(call, "expected: 0 to %u", call->vm == NULL ? 0 : call->vm->config.vcpus - 1);
        return;
    }
    monitor_choose(call->vm, (unsigned)number);
    console_printf("adept: vcpu: %u of vm=%s\n", (unsigned)number, call->vm->config.name);
}

static bool has_ended(struct monitor_call *call)
{
    if (call->ended)
        monitor_complain(call, "vm=%s has ended", call->vm->config.name);
    return call->ended;
}

void monitor_stop(struct monitor_call *call)
{
    if (has_ended(call))
        return;
    vm_stepping_ends(call->vm);
    vm_stop(call->vm);
    console_printf("adept: stop: vm=%s\n", call->vm->config.name);
}

static void go_on(struct monitor_call *call)
{
    vm_stepping_ends(call->vm);
    watch_pass(call->vcpu);
    vm_continue(call->vm);
    monitor_wait_for_stop();
}

void monitor_continue(struct monitor_call *call)
{
    if (has_ended(call))
        return;
    call->vcpu->stop_at_exit = 0;
    exit_quick_choose(call->vcpu);
    go_on(call);
}

void monitor_wait(struct monitor_call *call)
{
    uint64_t exits;

    if (has_ended(call))
        return;
    if (!monitor_number(monitor_word(call, 1), &exits) || exits == 0 || exits > WAIT_MAX) {
        monitor_expected(call);
        return;
    }
    call->vcpu->stop_at_exit = call->vcpu->exit_count + exits;
    exit_quick_choose(call->vcpu);
    vcpu_call(call->vcpu, false);
    go_on(call);
}

/* An interrupt goes in only where the guest would take one. */
static bool takes_interrupt(void)
{
    return (vmcs_read(VMCS_GUEST_RFLAGS) & (1u << 9)) != 0 &&
           (vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_STI_MOV_SS) == 0;
}

void monitor_inject(struct monitor_call *call)
{
    uint64_t vector, error = 0;

    if (has_ended(call))
        return;
    if (!monitor_number(monitor_word(call, 1), &vector) || vector > 255 ||
        (call->words.count > 2 && (!monitor_number(call->words.word[2], &error) || error > ERROR_CODE_MAX))) {
        monitor_expected(call);
        return;
    }
    if (!call->vcpu->ran) {
        monitor_complain(call, "vcpu=%u does not run: the guest has not started it", call->vcpu_index);
        return;
    }
    if (vmcs_read(VMCS_ENTRY_INTERRUPTION_INFORMATION) & EVENT_VALID) {
        monitor_complain(call, "another event is to be delivered first: continue or step");
        return;
    }
    if (vector == VECTOR_NMI) {
        if (vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE) != 0) {
            monitor_complain(call, "the guest takes no NMI now: it is in one, or just behind STI or MOV SS");
            return;
        }
        inject_nmi(call->vcpu);
    } else if (vector < 32) {
        inject_exception(call->vcpu, (unsigned)vector, (uint32_t)error);
    } else if (takes_interrupt()) {
        inject_interrupt(call->vcpu, (unsigned)vector);
    } else {
        monitor_complain(call,
                         "the guest takes no interrupt now: RFLAGS.IF is clear, or it is just behind STI or "
                         "MOV SS");
        return;
    }
    call->vcpu->interrupts.halted = VCPU_NOT_HALTED;
    console_printf("adept: inject: vm=%s vcpu=%u vector=%u\n", call->vm->config.name, call->vcpu_index,
                   (unsigned)vector);
}

void monitor_kill(struct monitor_call *call)
{
    if (!has_ended(call))
        vm_end_by_guest(call->vm, false, "killed by the monitor");
}

void monitor_reboot(struct monitor_call *call)
{
    (void)call;
    power_reboot();
}

void monitor_quit(struct monitor_call *call)
{
    (void)call;
    monitor_close();
}
