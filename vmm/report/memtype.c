/* SPDX-License-Identifier: MIT */
/* The derivation of a memory type, printed. What the processor does with the parts: ept/effective_type.h. */
#include "vmm/report/memtype.h"
#include "arch/x86/control_registers.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "ept/effective_type.h"
#include "ept/page_type.h"
#include "ept/qualification.h"
#include "ept/walk.h"
#include "vmm/trace/text.h"
#include "vmm/report/vcpu.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

#define LINE                   "adept: memtype: vm=%s gpa=%#llx step="
#define LINE_ARGUMENTS(report) (report)->vm->config.name, (unsigned long long)(report)->gpa

struct report {
    struct vcpu *vcpu;
    const struct vm *vm;
    uint64_t gpa;
    const struct ept_region *region; /* or NULL */
    struct ept_walk walk;
    struct ept_type_input input;
    uint8_t pat_index_from; /* PAT_INDEX_... */
};

enum { PAT_INDEX_NO_PAGING, PAT_INDEX_OF_PAGE, PAT_INDEX_ASSUMED };

static void print_region(const struct report *report)
{
    const struct ept_region *region = report->region;
    char rights[EPT_QUALIFICATION_WORD_SIZE];

    if (region == NULL) {
        console_printf(LINE "region kind=none why=a hole: nothing is there\n", LINE_ARGUMENTS(report));
        return;
    }
    ept_rights_text(region->rights, rights, sizeof(rights));
    console_printf(LINE "region kind=%s range=%#llx-%#llx hpa=%#llx rights=%s type=%s ipat=%u\n",
                   LINE_ARGUMENTS(report), ept_region_kind_name(region->kind),
                   (unsigned long long)region->gpa, (unsigned long long)(region->gpa + region->size - 1),
                   (unsigned long long)(region->hpa + (report->gpa - region->gpa)), rights,
                   region->type_from_mtrr ? "mtrr" : memory_type_name((enum memory_type)region->memory_type),
                   region->ignore_pat);
}

/* What the MTRRs say where the machine's memory is reached; where that ends to be so. */
static enum memory_type print_mtrr(const struct report *report, uint64_t hpa)
{
    struct memory_type_range range = mtrr_range_at(&report->vm->mtrr, hpa);
    char until[24] = "end", variable[16] = "";

    if (range.end != UINT64_MAX)
        format(until, sizeof(until), "%#llx", (unsigned long long)range.end);
    if (range.variable != 0)
        format(variable, sizeof(variable), " ranges=%#x", range.variable);
    console_printf(LINE "mtrr hpa=%#llx type=%s until=%s%s why=%s\n", LINE_ARGUMENTS(report),
                   (unsigned long long)hpa, memory_type_name(range.type), until, variable,
                   mtrr_source_text(range.source));
    return range.type;
}

/* What the guest's own MTRRs say, and what the two together make of the leaf. */
static enum memory_type print_guest_mtrr(const struct report *report, enum memory_type machine)
{
    struct memory_type_range range = mtrr_range_at(&report->vm->guest_mtrr, report->gpa);
    enum memory_type both = ept_combine_types(machine, range.type);
    char until[24] = "end";

    if (range.end != UINT64_MAX)
        format(until, sizeof(until), "%#llx", (unsigned long long)range.end);
    console_printf(LINE "guest-mtrr type=%s until=%s leaf=%s why=%s\n", LINE_ARGUMENTS(report),
                   memory_type_name(range.type), until, memory_type_name(both),
                   mtrr_source_text(range.source));
    return both;
}

static void print_leaf(const struct report *report)
{
    const struct ept_walk *walk = &report->walk;
    const char *type = memory_type_name((enum memory_type)report->input.memory_type);

    if (walk->end == EPT_WALK_MAPPED)
        console_printf(LINE "%s page=%s entry=%#llx raw=%#llx type=%s ipat=%u why=%s\n",
                       LINE_ARGUMENTS(report), ept_type_step_name(EPT_TYPE_LEAF),
                       trace_page_size(walk->level),
                       (unsigned long long)walk->steps[walk->count - 1].entry_hpa,
                       (unsigned long long)walk->steps[walk->count - 1].entry.raw, type, walk->ignore_pat,
                       ept_type_reason_text(EPT_TYPE_BY_LEAF));
    else
        console_printf(
            LINE "%s page=none type=%s ipat=%u why=not present: the next access will have it installed so\n",
            LINE_ARGUMENTS(report), ept_type_step_name(EPT_TYPE_LEAF), type, report->input.ignore_pat);
}

static void print_pat(const struct report *report, const struct ept_type_step *step)
{
    if (report->pat_index_from == PAT_INDEX_NO_PAGING) {
        console_printf(LINE "%s pat=%#llx type=%s why=%s\n", LINE_ARGUMENTS(report),
                       ept_type_step_name(EPT_TYPE_PAT), (unsigned long long)report->input.pat,
                       pat_type_name(step->type), ept_type_reason_text(step->reason));
        return;
    }
    console_printf(LINE "%s pat=%#llx entry=PA%u type=%s why=%s\n", LINE_ARGUMENTS(report),
                   ept_type_step_name(EPT_TYPE_PAT), (unsigned long long)report->input.pat,
                   report->input.pat_index, pat_type_name(step->type),
                   report->pat_index_from == PAT_INDEX_OF_PAGE
                       ? ept_type_reason_text(step->reason)
                       : "assumed: the guest's page at the linear address gpa is not mapped to gpa");
}

/* What each entry of the guest's PAT would make of it. */
static void print_choices(const struct report *report)
{
    struct ept_type_input input = report->input;
    char text[8 * sizeof(" PA0=UC-:UC") + 1];
    size_t length = 0;

    input.cr0 |= CR0_PG;
    for (unsigned i = 0; i < 8; i++) {
        struct ept_effective_type type;

        input.pat_index = (uint8_t)i;
        type = ept_effective_type(&input);
        length +=
            format(text + length, sizeof(text) - length, " PA%u=%s:%s", i,
                   pat_type_name(pat_entry(input.pat, i)), type.valid ? memory_type_name(type.type) : "?");
    }
    console_printf(LINE "choices%s\n", LINE_ARGUMENTS(report), text);
}

/* The guest's page is looked for where guests usually have it: at the linear address that equals the
 * guest-physical one. false: the VMCS cannot be read. */
static bool find_pat_index(struct report *report)
{
    struct guest_paging paging;
    struct guest_walk walk;

    if (!vcpu_report_paging(report->vcpu, &paging))
        return false;
    walk = guest_walk(&paging, report->gpa, GUEST_ACCESS_READ);
    report->input.cr0 = (paging.cr0 & CR0_PG) | (cr0_read() & CR0_CD);
    report->input.pat = paging.pat;
    if (!(paging.cr0 & CR0_PG))
        report->pat_index_from = PAT_INDEX_NO_PAGING;
    else if (walk.status == GUEST_PAGING_OK && walk.gpa == report->gpa)
        report->pat_index_from = PAT_INDEX_OF_PAGE;
    else
        report->pat_index_from = PAT_INDEX_ASSUMED;
    report->input.pat_index = report->pat_index_from == PAT_INDEX_OF_PAGE ? walk.pat_index : 0;
    return true;
}

/* CD is the machine's: VM entry and VM exit leave it alone, and a guest that sets it is only shown so. */
static void print_cache_disable(const struct report *report)
{
    uint64_t mask = vmcs_read(VMCS_CR0_GUEST_HOST_MASK);
    uint64_t seen = (vmcs_read(VMCS_GUEST_CR0) & ~mask) | (vmcs_read(VMCS_CR0_READ_SHADOW) & mask);

    console_printf(
        LINE "cr0.cd cd=%u guest_sees=%u why=the processor's own CD counts, not what the guest is shown\n",
        LINE_ARGUMENTS(report), (report->input.cr0 & CR0_CD) != 0, (seen & CR0_CD) != 0);
}

static void print_derivation(struct report *report)
{
    struct ept_effective_type type;
    const struct ept_type_step *steps = type.steps;

    report->input.eptp = report->vm->eptp;
    if (!find_pat_index(report)) {
        console_printf(LINE "%s unreadable: no VMCS\n", LINE_ARGUMENTS(report),
                       ept_type_step_name(EPT_TYPE_PAT));
        return;
    }
    type = ept_effective_type(&report->input);
    print_leaf(report);
    print_pat(report, &steps[EPT_TYPE_PAT]);
    console_printf(LINE "%s type=%s why=%s\n", LINE_ARGUMENTS(report), ept_type_step_name(EPT_TYPE_COMBINED),
                   memory_type_name((enum memory_type)steps[EPT_TYPE_COMBINED].type),
                   ept_type_reason_text(steps[EPT_TYPE_COMBINED].reason));
    print_cache_disable(report);
    console_printf(LINE "%s type=%s why=%s\n", LINE_ARGUMENTS(report), ept_type_step_name(EPT_TYPE_EFFECTIVE),
                   type.valid ? memory_type_name(type.type) : "none",
                   ept_type_reason_text(steps[EPT_TYPE_EFFECTIVE].reason));
    console_printf(LINE "%s eptp=%#llx type=%s why=%s\n", LINE_ARGUMENTS(report),
                   ept_type_step_name(EPT_TYPE_STRUCTURES), (unsigned long long)report->input.eptp,
                   memory_type_name((enum memory_type)steps[EPT_TYPE_STRUCTURES].type),
                   ept_type_reason_text(steps[EPT_TYPE_STRUCTURES].reason));
    print_choices(report);
}

void memtype_report(struct vcpu *vcpu, uint64_t guest_physical_address)
{
    const struct vm *vm = vcpu->vm;
    struct report report = {.vcpu = vcpu,
                            .vm = vm,
                            .gpa = guest_physical_address,
                            .region = ept_region_find(&vm->regions, guest_physical_address),
                            .walk = ept_walk(&vm->ept, guest_physical_address)};

    print_region(&report);
    if (report.walk.end == EPT_WALK_MAPPED) {
        (void)print_guest_mtrr(&report, print_mtrr(&report, report.walk.hpa));
        report.input.memory_type = report.walk.memory_type;
        report.input.ignore_pat = report.walk.ignore_pat;
    } else if (report.walk.end == EPT_WALK_NOT_PRESENT && report.region != NULL &&
               report.region->rights != 0) {
        enum memory_type machine =
            print_mtrr(&report, report.region->hpa + (report.gpa - report.region->gpa));

        if (!report.region->type_from_mtrr)
            machine = (enum memory_type)report.region->memory_type;
        report.input.memory_type = (uint8_t)print_guest_mtrr(&report, machine);
        report.input.ignore_pat = report.region->ignore_pat;
    } else {
        console_printf(LINE "%s type=none why=no memory is reached: %s\n", LINE_ARGUMENTS(&report),
                       ept_type_step_name(EPT_TYPE_EFFECTIVE), ept_walk_end_text(report.walk.end));
        return;
    }
    print_derivation(&report);
}
