/* SPDX-License-Identifier: MIT */
/* VMX on and off on each CPU, and what all CPUs share. */
#include "vmm/host/cpu.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "arch/x86/vmx.h"
#include "drivers/console.h"
#include "vmm/host/feature_control.h"
#include "vmm/host/frame.h"
#include "vmm/host/machine.h"

/* Written by each CPU about itself while CPUs come up one after the other; constant afterwards. */
static struct vmm_cpu *cpus[PERCPU_MAX];
static unsigned cpu_count;
static unsigned cpus_on;
static struct vmx_capabilities shared;

struct vmm_cpu *vmm_cpu_at(unsigned index)
{
    return index < cpu_count ? cpus[index] : NULL;
}

unsigned vmm_cpu_count(void)
{
    return cpu_count;
}

const struct vmx_capabilities *vmx_shared_capabilities(void)
{
    return &shared;
}

unsigned vmx_cpus_on(void)
{
    return cpus_on;
}

static struct vmm_cpu *make_cpu(struct percpu *percpu)
{
    struct vmm_cpu *cpu = frame_alloc_zeroed(sizeof(*cpu));

    if (cpu == NULL)
        return NULL;
    cpu->percpu = percpu;
    percpu->vmm = cpu;
    cpus[percpu->index] = cpu;
    if (percpu->index >= cpu_count)
        cpu_count = percpu->index + 1;
    return cpu;
}

/* NULL: on. Otherwise why not. */
static const char *switch_on(struct vmm_cpu *cpu)
{
    uint32_t *region;

    if (!(cpuid(1, 0).ecx & CPUID_1_ECX_VMX))
        return "CPUID shows none";
    if (!feature_control_enable())
        return "IA32_FEATURE_CONTROL forbids it";
    vmx_capabilities_read(&cpu->capabilities);
    if (!cpu->capabilities.valid)
        return "no IA32_VMX_BASIC";
    if (VMX_BASIC_SIZE(cpu->capabilities.basic) > PAGE_SIZE)
        return "VMXON region larger than 4 KiB";
    cpu->vmxon_physical = frame_alloc(FRAME_HOST);
    if (cpu->vmxon_physical == FRAME_ALLOC_FAILED)
        return "no memory for the VMXON region";
    region = phys_to_virt(cpu->vmxon_physical);
    memset(region, 0, PAGE_SIZE);
    region[0] = (uint32_t)(cpu->capabilities.basic & VMX_BASIC_REVISION_MASK);
    cr0_write((cr0_read() | cpu->capabilities.cr0_fixed0) & cpu->capabilities.cr0_fixed1);
    cr4_write((cr4_read() | CR4_VMXE | cpu->capabilities.cr4_fixed0) & cpu->capabilities.cr4_fixed1);
    if (vmx_on(cpu->vmxon_physical) != VMX_OK)
        return "VMXON fails";
    cpu->vmx_on = true;
    return NULL;
}

static bool lacks_required(const struct vmx_capabilities *capabilities)
{
    for (int word = 0; word < VMX_WORD_COUNT; word++) {
        enum vmx_control_word which = (enum vmx_control_word)word;

        if (vmx_control_missing(capabilities, which, vmx_controls_with_use(which, VMX_USE_REQUIRED)))
            return true;
    }
    return false;
}

/*
 * Adds this CPU's capabilities to what all share, and names what it has different from the CPUs before it. A
 * CPU without which the others could run guests, and with which they could not, is taken out of VMX operation
 * again: *why then says so.
 */
static const char *share_capabilities(struct vmm_cpu *cpu, const char **why)
{
    struct vmx_capabilities merged = cpus_on == 0 ? cpu->capabilities : shared;
    const char *difference = cpus_on == 0 ? NULL : vmx_capabilities_merge(&merged, &cpu->capabilities);

    if (cpus_on > 0 && lacks_required(&merged) && !lacks_required(&shared)) {
        *why = "it lacks a control that guests need and the CPUs before it have";
        cpu_vmx_off();
        return difference;
    }
    shared = merged;
    if (cmdline_has_test(machine_options(), "string-io-decoded"))
        shared.basic &= ~VMX_BASIC_INS_OUTS_INFORMATION;
    cpus_on++;
    return difference;
}

void cpu_vmx_on(void)
{
    struct percpu *self = percpu();
    struct vmm_cpu *cpu = make_cpu(self);
    const char *why = "no memory", *difference = NULL;

    if (cpu != NULL)
        why = switch_on(cpu);
    if (why == NULL)
        difference = share_capabilities(cpu, &why);
    if (why == NULL)
        console_printf(
            "cpu=%u apic=%#x vmx=on boot=%u vmcs_revision=%#x ept_vpid_cap=%#llx microcode=%#llx\n",
            self->index, self->apic_id, self->bootstrap,
            (unsigned)(cpu->capabilities.basic & VMX_BASIC_REVISION_MASK),
            (unsigned long long)cpu->capabilities.ept_vpid, (unsigned long long)self->microcode);
    else
        console_printf("cpu=%u apic=%#x vmx=no boot=%u why=\"%s\"\n", self->index, self->apic_id,
                       self->bootstrap, why);
    if (difference != NULL)
        console_printf("adept: cpu=%u differs from the CPUs before it: %s; what all share is used\n",
                       self->index, difference);
    if (cpu != NULL && !trace_create(cpu))
        console_printf("adept: cpu=%u has no memory for its trace: exits there are counted, not shown\n",
                       self->index);
}

void cpu_vmx_off(void)
{
    struct vmm_cpu *cpu = vmm_cpu();

    if (cpu == NULL || !cpu->vmx_on)
        return;
    cpu->vmx_on = false;
    if (vmx_off() != VMX_OK)
        console_printf("adept: cpu=%u VMXOFF fails\n", cpu->percpu->index);
    cr4_write(cr4_read() & ~CR4_VMXE);
    if (cmdline_has_test(machine_options(), "vmx-off"))
        console_printf("adept: cpu=%u vmx=off\n", cpu->percpu->index);
}
