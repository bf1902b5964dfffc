/* SPDX-License-Identifier: MIT */
/* The self-test of the monitor trap flag: a guest of two NOPs, entered with the control set. */
#include "vmm/debug/trap_flag.h"
#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "ept/map.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/exit.h"
#include "vmm/host/frame.h"
#include "vmm/host/machine.h"
#include "vmm/debug/step_trap.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

#define TEST_VM_ID    1 /* no guest has it yet */
#define TEST_RAM      UINT64_C(0x100000)
#define OUTSIDE_MAX   64 /* events of the machine's while the guest runs; more, and it is given up */
#define OPCODE_NOP    0x90
#define OPCODE_VMCALL 0x0f, 0x01, 0xc1

static const uint8_t code[] = {OPCODE_NOP, OPCODE_NOP, OPCODE_VMCALL};
_Static_assert(sizeof(code) == STEP_TEST_NOPS + 3, "vmm/debug/trap_flag.h says how many NOPs there are");

/* Written before other CPUs run guests. */
static enum monitor_trap_flag result;

enum monitor_trap_flag step_test_result(void)
{
    return result;
}

static bool advertised(void)
{
    return vmx_control_missing(vmx_shared_capabilities(), VMX_WORD_PRIMARY, VMX_MONITOR_TRAP_FLAG) == 0;
}

/* Enters the guest until it leaves for a reason of its own. */
static void enter(struct vcpu *vcpu, struct step_test_outcome *outcome)
{
    uint32_t reason;
    unsigned outside = 0;

    do {
        if (vmx_enter(&vcpu->registers) != VMX_ENTER_EXITED)
            return;
        reason = (uint32_t)vmcs_read(VMCS_EXIT_REASON);
    } while (exit_is_outside_event(vcpu, reason) && ++outside < OUTSIDE_MAX);
    outcome->exited = outside < OUTSIDE_MAX;
    outcome->reason = reason;
    outcome->rip = vmcs_read(VMCS_GUEST_RIP);
}

static void run_vm(struct vm *vm, struct step_test_outcome *outcome)
{
    struct vcpu *vcpu = &vm->vcpus[0];
    struct ept_fault_result fault = ept_fault(&vm->ept, STEP_TEST_RIP, EPT_EXECUTE);

    memcpy(phys_to_virt(vm->ram_base + STEP_TEST_RIP), code, sizeof(code));
    vcpu->cpu = vmm_cpu();
    if (!ept_fault_resolved(fault.kind) || vmcs_setup(vcpu) != VMX_OK)
        return;
    vmcs_write(VMCS_GUEST_RIP, STEP_TEST_RIP);
    vmcs_write(VMCS_PRIMARY_CONTROLS, vmcs_read(VMCS_PRIMARY_CONTROLS) | VMX_MONITOR_TRAP_FLAG);
    if (vcpu_flush_stale(vcpu))
        enter(vcpu, outcome);
    if (vmcs_release(vcpu) != VMX_OK)
        outcome->exited = false;
}

static void try_guest(struct step_test_outcome *outcome)
{
    uint64_t frames = (sizeof(struct vm) + PAGE_SIZE - 1) / PAGE_SIZE;
    uint64_t physical = frame_alloc_run(FRAME_HOST, frames, 1);
    struct guest_config config;
    struct vm *vm;

    if (physical == FRAME_ALLOC_FAILED)
        return;
    vm = phys_to_virt(physical);
    guest_config_init(&config, 0);
    config.memory_bytes = TEST_RAM;
    if (vm_create(vm, TEST_VM_ID, &config, VM_NO_MODULE)) {
        run_vm(vm, outcome);
        vm_destroy(vm);
    }
    frame_free_run(physical, frames, FRAME_HOST);
}

void step_test_run(void)
{
    struct step_test_outcome outcome = {.exited = false};
    bool there = advertised() && !cmdline_has_test(machine_options(), "monitor-trap-absent");

    if (there)
        try_guest(&outcome);
    result = step_test_judge(there, &outcome);
    if (cmdline_has_test(machine_options(), "monitor-trap-works"))
        result = MONITOR_TRAP_WORKS;
    console_printf("adept: self-test: monitor_trap_flag=%s", monitor_trap_flag_word(result));
    if (result == MONITOR_TRAP_BROKEN)
        console_printf(" exit=%s(%u) rip=%#llx", exit_reason_name(outcome.reason & EXIT_REASON_BASIC_MASK),
                       outcome.reason & EXIT_REASON_BASIC_MASK, (unsigned long long)outcome.rip);
    if (result == MONITOR_TRAP_UNTESTED)
        console_printf(" why=\"its guest cannot be made or entered\"");
    console_printf(" steps_by=\"%s\"\n", step_trap_text());
}
