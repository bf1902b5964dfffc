/* SPDX-License-Identifier: MIT */
/* Walks for a report: what the tables say about an address at the guest's end. */
#include "arch/x86/control_registers.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/vmx.h"
#include "drivers/console.h"
#include "ept/guest_walk.h"
#include "ept/memtype.h"
#include "ept/misconfig.h"
#include "ept/qualification.h"
#include "ept/walk.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/report/vcpu.h"
#include "vmm/vm/vm.h"
#include "vmm/report/vmcs_text.h"
#include "vmm/vcpu/vcpu.h"

#define PAGE_OFFSET UINT64_C(0xfff)

static void print_ept_step(const struct vm *vm, uint64_t gpa, const struct ept_walk_step *step)
{
    bool leaf = ept_entry_maps_page(step->entry, step->level);
    char rights[EPT_QUALIFICATION_WORD_SIZE];
    uint64_t offending;
    uint32_t reasons = ept_misconfig_reasons(&vm->ept.caps, step->level, step->entry, &offending);

    ept_rights_text(ept_entry_rights(step->entry), rights, sizeof(rights));
    console_printf("adept:   ept: gpa=%#llx level=%u entry=%#llx raw=%#llx rights=%s",
                   (unsigned long long)gpa, step->level, (unsigned long long)step->entry_hpa,
                   (unsigned long long)step->entry.raw, rights);
    if (!ept_entry_present(step->entry))
        console_printf(" not-present");
    else if (leaf)
        console_printf(" page=%#llx type=%s%s", (unsigned long long)ept_entry_address(step->entry),
                       memory_type_name((enum memory_type)ept_entry_memory_type(step->entry)),
                       step->entry.raw & EPT_IGNORE_PAT ? " ignore-pat" : "");
    else
        console_printf(" table=%#llx", (unsigned long long)ept_entry_address(step->entry));
    if (vm->ept.caps.accessed_dirty && ept_entry_present(step->entry))
        console_printf("%s%s", step->entry.raw & EPT_ACCESSED ? " accessed" : "",
                       leaf && (step->entry.raw & EPT_DIRTY) ? " dirty" : "");
    for (unsigned n = 0; n < EPT_REASON_COUNT; n++)
        if (reasons & 1u << n)
            console_printf(" misconfigured=\"%s\"", ept_misconfig_reason_text(1u << n));
    console_printf("\n");
}

void vcpu_report_ept_walk(const struct vcpu *vcpu, uint64_t guest_physical_address)
{
    const struct vm *vm = vcpu->vm;
    struct ept_walk walk = ept_walk(&vm->ept, guest_physical_address);
    const struct ept_region *region = ept_region_find(&vm->regions, guest_physical_address);
    char rights[EPT_QUALIFICATION_WORD_SIZE];

    console_printf("adept:   ept: gpa=%#llx eptp=%#llx root=%#llx%s\n",
                   (unsigned long long)guest_physical_address, (unsigned long long)vm->eptp,
                   (unsigned long long)vm->ept.root,
                   (vm->eptp & EPT_ADDRESS) != vm->ept.root ? " the processor has another root" : "");
    for (unsigned i = 0; i < walk.count; i++)
        print_ept_step(vm, guest_physical_address, &walk.steps[i]);
    console_printf("adept:   ept: gpa=%#llx end=\"%s\"", (unsigned long long)guest_physical_address,
                   ept_walk_end_text(walk.end));
    if (walk.end == EPT_WALK_MAPPED) {
        ept_rights_text(walk.rights, rights, sizeof(rights));
        console_printf(" hpa=%#llx rights=%s", (unsigned long long)walk.hpa, rights);
    }
    console_printf(" map=%s", region == NULL ? "nothing" : ept_region_kind_name(region->kind));
    if (region != NULL) {
        ept_rights_text(region->rights, rights, sizeof(rights));
        console_printf(" map_rights=%s", rights);
    }
    console_printf("\n");
}

static void print_paging_step(uint64_t linear_address, const struct guest_walk_step *step)
{
    console_printf("adept:   paging: linear=%#llx level=%u", (unsigned long long)linear_address, step->level);
    if (step->size == 0)
        console_printf(" register");
    else
        console_printf(" entry=%#llx", (unsigned long long)step->gpa);
    console_printf(" raw=%#llx", (unsigned long long)step->raw);
    if (step->raw & GUEST_ENTRY_PRESENT)
        console_printf(" rights=R%c%c/%s%s%s%s", step->raw & GUEST_ENTRY_WRITE ? 'W' : '-',
                       step->size != 4 && (step->raw & GUEST_ENTRY_NO_EXECUTE) ? '-' : 'X',
                       step->raw & GUEST_ENTRY_USER ? "user" : "supervisor", step->leaf ? " leaf" : "",
                       step->raw & GUEST_ENTRY_ACCESSED ? " accessed" : "",
                       step->leaf && (step->raw & GUEST_ENTRY_DIRTY) ? " dirty" : "");
    else
        console_printf(" not-present");
    console_printf("\n");
}

static void print_paging_end(uint64_t linear_address, const struct guest_walk *walk)
{
    console_printf("adept:   paging: linear=%#llx end=", (unsigned long long)linear_address);
    switch (walk->status) {
    case GUEST_PAGING_OK:
        console_printf("mapped gpa=%#llx page=%#llx\n", (unsigned long long)walk->gpa,
                       1ull << walk->page_shift);
        break;
    case GUEST_PAGING_FAULT:
        console_printf("#PF error=%#x\n", walk->error_code);
        break;
    case GUEST_PAGING_NO_TABLE:
        console_printf("\"no memory\" entry=%#llx\n", (unsigned long long)walk->gpa);
        break;
    case GUEST_PAGING_NOT_CANONICAL:
        console_printf("\"not canonical\"\n");
        break;
    }
}

/* false: what follows it in the EPT is not known. */
static bool print_paging(struct vcpu *vcpu, uint64_t linear_address, uint64_t *guest_physical_address)
{
    struct guest_paging paging;
    struct guest_walk walk;

    if (!vcpu_report_paging(vcpu, &paging)) {
        console_printf("adept:   paging: unreadable: the VMCS does not say how\n");
        return false;
    }
    walk = guest_walk(&paging, linear_address, GUEST_ACCESS_READ);
    console_printf("adept:   paging: linear=%#llx mode=\"%s\" cr3=%#llx\n",
                   (unsigned long long)linear_address, guest_paging_mode_text(walk.mode),
                   (unsigned long long)paging.cr3);
    for (unsigned i = 0; i < walk.count; i++)
        print_paging_step(linear_address, &walk.steps[i]);
    print_paging_end(linear_address, &walk);
    *guest_physical_address = walk.gpa;
    return walk.status == GUEST_PAGING_OK || walk.status == GUEST_PAGING_NO_TABLE;
}

void vcpu_report_guest_walk(struct vcpu *vcpu, uint64_t linear_address)
{
    uint64_t gpa;

    if (print_paging(vcpu, linear_address, &gpa))
        vcpu_report_ept_walk(vcpu, gpa);
}

/* The EPT is walked for `gpa` first; the guest's paging may lead to another page. */
static void report_violation(struct vcpu *vcpu, uint64_t gpa)
{
    uint64_t qualification = vmcs_text(VMCS_EXIT_QUALIFICATION).value, other;
    struct vmcs_text linear = vmcs_text(VMCS_GUEST_LINEAR_ADDRESS);

    vcpu_report_ept_walk(vcpu, gpa);
    if (!(qualification & EPT_QUALIFICATION_LINEAR_VALID) || !linear.readable)
        return;
    if (print_paging(vcpu, linear.value, &other) && (other ^ gpa) > PAGE_OFFSET)
        vcpu_report_ept_walk(vcpu, other);
}

void vcpu_report_fault_walk(struct vcpu *vcpu)
{
    struct vmcs_text reason = vmcs_text(VMCS_EXIT_REASON), gpa = vmcs_text(VMCS_GUEST_PHYSICAL_ADDRESS);

    if (!reason.readable)
        return;
    switch (reason.value) {
    case EXIT_EPT_VIOLATION:
        if (gpa.readable)
            report_violation(vcpu, gpa.value);
        break;
    case EXIT_EPT_MISCONFIG:
        if (gpa.readable)
            vcpu_report_ept_walk(vcpu, gpa.value);
        break;
    case EXIT_TRIPLE_FAULT:
        vcpu_report_guest_walk(vcpu, vcpu_report_linear_rip());
        if (vmcs_text(VMCS_GUEST_CR0).value & CR0_PG)
            vcpu_report_guest_walk(vcpu, cr2_read());
        break;
    default:
        break;
    }
}
