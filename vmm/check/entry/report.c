/* SPDX-License-Identifier: MIT */
/* From the current VMCS to the rules that it breaks. */
#include "vmm/check/entry/report.h"
#include "arch/x86/apic.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "arch/x86/msr.h"
#include "arch/x86/vmx.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/host/cpu.h"
#include "vmm/host/frame.h"
#include "vmm/plug.h"

#define CPUID_7_EBX_SGX   (1u << 2)
#define CPUID_7_EBX_RTM   (1u << 11)
#define CPUID_PERFMON     0xau
#define VIRTUAL_TPR       0x80
#define LINE              320
#define LINEAR_WIDTH_LEAF 0x80000008u

/* IA32_DEBUGCTL: LBR, BTF, then 15:6 of which what is there depends on the model. SDM vol. 4,
 * "IA32_DEBUGCTL". */
#define DEBUGCTL_KNOWN UINT64_C(0xffc3)

/* Counters that CPUID.0AH tells of: general ones in bits 31:0, fixed ones from bit 32 on. */
static uint64_t perf_global_bits(void)
{
    struct cpuid_result leaf;
    unsigned general, fixed;

    if (cpuid_highest() < CPUID_PERFMON)
        return 0;
    leaf = cpuid(CPUID_PERFMON, 0);
    general = leaf.eax >> 8 & 0xff;
    fixed = (leaf.eax & 0xff) >= 2 ? leaf.edx & 0x1f : 0;
    return ((UINT64_C(1) << (general > 32 ? 32 : general)) - 1) | ((UINT64_C(1) << fixed) - 1) << 32;
}

static uint64_t efer_bits(void)
{
    uint32_t edx = cpuid(0x80000001, 0).edx;

    return (edx & CPUID_81_EDX_LM ? EFER_LME | EFER_LMA : 0) | EFER_SCE |
           (edx & CPUID_81_EDX_NX ? EFER_NXE : 0);
}

void entry_snapshot_machine(struct entry_snapshot *snapshot)
{
    uint32_t features = cpuid_highest() >= 7 ? cpuid(7, 0).ebx : 0;

    memset(snapshot, 0, sizeof(*snapshot));
    snapshot->capabilities = *vmx_shared_capabilities();
    snapshot->physical_width = (uint8_t)cpuid_physical_width();
    snapshot->linear_width = (uint8_t)(cpuid(LINEAR_WIDTH_LEAF, 0).eax >> 8);
    snapshot->cr3_bits = cpuid_cr3_bits();
    snapshot->efer_bits = efer_bits();
    snapshot->debugctl_bits = DEBUGCTL_KNOWN;
    snapshot->perf_global_bits = perf_global_bits();
    snapshot->sgx = features & CPUID_7_EBX_SGX;
    snapshot->rtm = features & CPUID_7_EBX_RTM;
    snapshot->x2apic_mode = apic_mode() == APIC_X2APIC;
    if (!vmx_control_missing(&snapshot->capabilities, VMX_WORD_SECONDARY, VMX_ENABLE_VM_FUNCTIONS) &&
        !msr_read_safe(MSR_IA32_VMX_VMFUNC, &snapshot->vm_functions))
        snapshot->vm_functions = 0;
}

/* Where the host can read `size` bytes of RAM at a physical address, else NULL. */
static const void *ram_at(uint64_t physical, uint64_t size)
{
    if (frame_owner_of(physical) == FRAME_NONE || frame_owner_of(physical + size - 1) == FRAME_NONE)
        return NULL;
    return phys_to_virt(physical);
}

void entry_snapshot_take(struct entry_snapshot *snapshot)
{
    const uint64_t *value = snapshot->value;
    const void *at;

    entry_snapshot_machine(snapshot);
    for (unsigned i = 0; i < VMCS_INDEX_COUNT; i++)
        if (vmx_read((enum vmcs_field)entry_field_encoding(i), &snapshot->value[i]) != VMX_OK)
            snapshot->value[i] = 0;
    at = ram_at(value[VMCS_INDEX_VIRTUAL_APIC_ADDRESS], PAGE_SIZE);
    if ((value[VMCS_INDEX_PRIMARY_CONTROLS] & VMX_USE_TPR_SHADOW) && at != NULL)
        snapshot->virtual_tpr = ((const uint8_t *)at)[VIRTUAL_TPR];
    at = ram_at(value[VMCS_INDEX_VMCS_LINK_POINTER], PAGE_SIZE);
    snapshot->link_known = at != NULL;
    if (at != NULL)
        snapshot->link_revision = *(const uint32_t *)at;
    if (value[VMCS_INDEX_ENTRY_MSR_LOAD_COUNT] != 0)
        snapshot->msrs = ram_at(value[VMCS_INDEX_ENTRY_MSR_LOAD_ADDRESS],
                                value[VMCS_INDEX_ENTRY_MSR_LOAD_COUNT] * sizeof(struct entry_msr));
}

static void print_rule(const char *vm_name, const struct entry_rule *rule,
                       const struct entry_snapshot *snapshot)
{
    char line[LINE];
    size_t length = 0;
    uint64_t must, may;

    for (unsigned n = 0; n < rule->field_count; n++)
        length += format(line + length, sizeof(line) - length, " %s(0x%04x)=%#llx",
                         entry_field_name(rule->fields[n]), entry_field_encoding(rule->fields[n]),
                         (unsigned long long)snapshot->value[rule->fields[n]]);
    rule->masks(snapshot, &must, &may);
    if (must != 0 || may != UINT64_MAX)
        (void)format(line + length, sizeof(line) - length, " must_be_1=%#llx may_be_1=%#llx",
                     (unsigned long long)must, (unsigned long long)may);
    console_printf("adept: entry-check: vm=%s rule=%s section=\"%s\"%s why=\"%s\"\n", vm_name, rule->name,
                   entry_section_title(rule->section), line, rule->text);
}

/*
 * Prints a line for each rule that the current VMCS breaks, and returns how many there are:
 *     adept: entry-check: vm=NAME rule=guest_cr0_pg section="..." GUEST_CR0(0x6800)=0x80000030 ... why="..."
 * Reads and prints only; not in the exit path.
 */
unsigned entry_report(const char *vm_name)
{
    struct entry_snapshot snapshot;
    unsigned broken = 0;

    entry_snapshot_take(&snapshot);
    for (unsigned n = entry_check(&snapshot, 0); n < entry_rule_count; n = entry_check(&snapshot, n + 1)) {
        print_rule(vm_name, &entry_rules[n], &snapshot);
        broken++;
    }
    return broken;
}
