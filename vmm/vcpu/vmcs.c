/* SPDX-License-Identifier: MIT */
/* Setting a VMCS up: controls from capabilities, host state from this CPU's constants. */
#include "vmm/vcpu/vmcs.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/gdt.h"
#include "arch/x86/idt.h"
#include "arch/x86/memory.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/pat.h"
#include "arch/x86/tsc.h"
#include "vmm/host/cpu.h"
#include "vmm/vcpu/cpuid.h"
#include "vmm/vcpu/state.h"
#include "vmm/vcpu/inject.h"
#include "vmm/host/machine.h"
#include "vmm/host/panic.h"
#include "vmm/vm/vm.h"

/* How often a guest that never exits by itself comes back, for its deadline and for the console. */
#define PREEMPTION_PERIOD_US 2000
/*
 * How late a guest may come back: exit_quick_set_due(). As long it runs at least, if it does not exit by
 * itself: far longer than an entry takes, under another hypervisor, too.
 */
#define SLACK_US 20

static noreturn_fn void access_failed(const char *instruction, enum vmcs_field field, enum vmx_status status)
{
    panic("%s of %s(0x%04x): %s", instruction, vmcs_field_name(field), (unsigned)field,
          vmx_status_text(status));
}

noreturn_fn void vmcs_read_failed(enum vmcs_field field)
{
    uint64_t value;

    access_failed("VMREAD", field, vmx_read(field, &value));
}

noreturn_fn void vmcs_write_failed(enum vmcs_field field, uint64_t value)
{
    access_failed("VMWRITE", field, vmx_write(field, value));
}

/* Required and wished-for controls of a word, less what the CPUs do not all have. */
static uint32_t choose(enum vmx_control_word word)
{
    const struct vmx_capabilities *vmx = vmx_shared_capabilities();
    uint32_t wanted =
        vmx_controls_with_use(word, VMX_USE_REQUIRED) | vmx_controls_with_use(word, VMX_USE_WISHED);

    if (cmdline_has_test(machine_options(), "forced-exits")) /* as some hypervisors below force them */
        wanted |= vmx_controls_with_use(word, VMX_USE_HANDLED);
    return vmx_control_adjust(vmx, word, wanted);
}

static uint32_t choose_secondary(const struct vcpu *vcpu)
{
    uint32_t chosen = choose(VMX_WORD_SECONDARY);

    if (vcpu->vpid == 0)
        chosen &= ~VMX_ENABLE_VPID;
    /* The guest has these instructions exactly if its CPUID says so. */
    if (!guest_cpuid_has_rdtscp())
        chosen &= ~VMX_ENABLE_RDTSCP;
    if (!guest_cpuid_has_invpcid())
        chosen &= ~VMX_ENABLE_INVPCID;
    /* LGDT, LIDT...: an exit that has no handler */
    if (cmdline_has_test(machine_options(), "unhandled-exit") ||
        cmdline_has_test(machine_options(), "undefined-exit"))
        chosen |= VMX_DESCRIPTOR_TABLE_EXITING;
    return chosen;
}

/* The preemption timer counts down once every 2^rate TSC ticks. SDM vol. 3, "VMX-Preemption Timer". */
static uint32_t preemption_timer_value(void)
{
    uint64_t ticks = tsc_ticks(PREEMPTION_PERIOD_US) >> VMX_MISC_TIMER_RATE(vmm_cpu()->capabilities.misc);

    return ticks == 0 ? 1 : ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks;
}

static void set_preemption_timer(struct vcpu *vcpu)
{
    struct vcpu_interrupts *state = &vcpu->interrupts;

    state->timer_rate = (uint8_t)VMX_MISC_TIMER_RATE(vmm_cpu()->capabilities.misc);
    state->timer_period = state->timer_value = preemption_timer_value();
    state->timer_reach = (uint64_t)state->timer_period << state->timer_rate;
    state->timer_slack = tsc_ticks(SLACK_US);
    state->timer_least = (uint32_t)(state->timer_slack >> state->timer_rate) + 1;
    vmcs_write(VMCS_PREEMPTION_TIMER_VALUE, state->timer_value);
}

static void write_controls(struct vcpu *vcpu)
{
    uint32_t pin = choose(VMX_WORD_PIN), secondary = choose_secondary(vcpu);

    vmcs_write(VMCS_PIN_BASED_CONTROLS, pin);
    vmcs_write(VMCS_PRIMARY_CONTROLS, choose(VMX_WORD_PRIMARY));
    vmcs_write(VMCS_SECONDARY_CONTROLS, secondary);
    vmcs_write(VMCS_EXIT_CONTROLS, choose(VMX_WORD_EXIT));
    vmcs_write(VMCS_ENTRY_CONTROLS, choose(VMX_WORD_ENTRY) & ~VMX_IA32E_MODE_GUEST);
    if (pin & VMX_ACTIVATE_PREEMPTION_TIMER)
        set_preemption_timer(vcpu);

    vmcs_write(VMCS_EXCEPTION_BITMAP, VMCS_EXCEPTIONS);
    vmcs_write(VMCS_PAGE_FAULT_ERROR_CODE_MASK, 0);
    vmcs_write(VMCS_PAGE_FAULT_ERROR_CODE_MATCH, 0);
    vmcs_write(VMCS_CR3_TARGET_COUNT, 0);
    vmcs_write(VMCS_EXIT_MSR_STORE_COUNT, 0);
    vmcs_write(VMCS_EXIT_MSR_STORE_ADDRESS, 0);
    vmcs_write(VMCS_EXIT_MSR_LOAD_COUNT, 0);
    vmcs_write(VMCS_EXIT_MSR_LOAD_ADDRESS, 0);
    vmcs_write(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
    vmcs_write(VMCS_ENTRY_MSR_LOAD_ADDRESS, 0);
    vmcs_write(VMCS_ENTRY_INTERRUPTION_INFORMATION, 0);
    vmcs_write(VMCS_ENTRY_EXCEPTION_ERROR_CODE, 0);
    vmcs_write(VMCS_ENTRY_INSTRUCTION_LENGTH, 0);
    /* A guest has no SGX: every leaf of ENCLS and ENCLV exits. */
    if (secondary & VMX_ENCLS_EXITING)
        vmcs_write(VMCS_ENCLS_EXITING_BITMAP, UINT64_MAX);
    if (secondary & VMX_ENCLV_EXITING)
        vmcs_write(VMCS_ENCLV_EXITING_BITMAP, UINT64_MAX);
    vmcs_write(VMCS_TSC_OFFSET, 0);
    vmcs_write(VMCS_MSR_BITMAP, vcpu->vm->msr_bitmap);
    vmcs_write(VMCS_EPT_POINTER, vcpu->vm->eptp);
    if (vcpu->vpid != 0)
        vmcs_write(VMCS_VPID, vcpu->vpid);
}

/* All of it constant while the vCPU stays on this CPU: nothing here is written again. SDM vol. 3, "Host-State
 * Area". */
static void write_host_state(const struct vcpu *vcpu)
{
    const struct percpu *cpu = percpu();

    vmcs_write(VMCS_HOST_CR0, cr0_read());
    vmcs_write(VMCS_HOST_CR3, cr3_read());
    vmcs_write(VMCS_HOST_CR4, cr4_read());
    vmcs_write(VMCS_HOST_CS_SELECTOR, SELECTOR_CODE64);
    vmcs_write(VMCS_HOST_SS_SELECTOR, SELECTOR_DATA);
    vmcs_write(VMCS_HOST_DS_SELECTOR, SELECTOR_DATA);
    vmcs_write(VMCS_HOST_ES_SELECTOR, SELECTOR_DATA);
    vmcs_write(VMCS_HOST_FS_SELECTOR, 0);
    vmcs_write(VMCS_HOST_GS_SELECTOR, 0);
    vmcs_write(VMCS_HOST_TR_SELECTOR, SELECTOR_TSS);
    vmcs_write(VMCS_HOST_FS_BASE, 0);
    vmcs_write(VMCS_HOST_GS_BASE, (uint64_t)(uintptr_t)cpu);
    vmcs_write(VMCS_HOST_TR_BASE, percpu_tss_address(cpu));
    vmcs_write(VMCS_HOST_GDTR_BASE, percpu_gdt_address(cpu));
    vmcs_write(VMCS_HOST_IDTR_BASE, idt_address());
    vmcs_write(VMCS_HOST_IA32_SYSENTER_CS, 0);
    vmcs_write(VMCS_HOST_IA32_SYSENTER_ESP, 0);
    vmcs_write(VMCS_HOST_IA32_SYSENTER_EIP, 0);
    vmcs_write(VMCS_HOST_IA32_PAT, PAT_VALUE);
    vmcs_write(VMCS_HOST_IA32_EFER, msr_read(MSR_IA32_EFER));
    vmcs_write(VMCS_HOST_RSP, (uint64_t)(uintptr_t)&vcpu->registers.host_rsp);
    vmcs_write(VMCS_HOST_RIP, (uint64_t)(uintptr_t)exit_quick_entry);
}

must_check enum vmx_status vmcs_setup(struct vcpu *vcpu)
{
    uint32_t *region = phys_to_virt(vcpu->vmcs_physical);
    enum vmx_status status;

    memset(region, 0, PAGE_SIZE);
    region[0] = (uint32_t)(vmm_cpu()->capabilities.basic & VMX_BASIC_REVISION_MASK);
    status = vmx_clear(vcpu->vmcs_physical);
    if (status != VMX_OK)
        return status;
    status = vmx_load_pointer(vcpu->vmcs_physical);
    if (status != VMX_OK)
        return status;
    write_controls(vcpu);
    write_host_state(vcpu);
    guest_state_reset(vcpu);
    return VMX_OK;
}

must_check enum vmx_status vmcs_release(struct vcpu *vcpu)
{
    return vmx_clear(vcpu->vmcs_physical);
}
