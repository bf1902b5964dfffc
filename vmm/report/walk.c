/* SPDX-License-Identifier: MIT */
/* One line a reference: `adept: walk: vm=NAME #N guest|ept|register level= gpa= hpa= entry= rights= type=
 * leaf sets=`. */
#include "vmm/report/walk.h"
#include "drivers/console.h"
#include "ept/memtype.h"
#include "ept/misconfig.h"
#include "ept/qualification.h"
#include "vmm/host/machine.h"
#include "vmm/report/vcpu.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vm_walk.h"
#include "vmm/plug.h"
#include "vmm/vcpu/vcpu.h"

#define PAT_UC_MINUS 7

static const char *type_name(unsigned type)
{
    return type == PAT_UC_MINUS ? "UC-" : memory_type_name((enum memory_type)type);
}

/* number: of the memory reference; a register has none. */
static void print_reference(const char *name, const struct walk2d_reference *reference, unsigned number)
{
    static const char *const kinds[] = {"ept", "guest", "register"};
    bool ept = reference->kind == WALK2D_EPT_ENTRY;
    char rights[EPT_QUALIFICATION_WORD_SIZE];

    ept_rights_text(reference->rights, rights, sizeof(rights));
    console_printf(
        "adept: walk: vm=%s #%u %s level=%u gpa=%#llx hpa=%#llx entry=%#llx rights=%s%s type=%s%s%s%s\n",
        name, number, kinds[reference->kind], reference->level, (unsigned long long)reference->gpa,
        (unsigned long long)reference->hpa, (unsigned long long)reference->raw, rights,
        ept               ? ""
        : reference->user ? "/user"
                          : "/supervisor",
        type_name(reference->memory_type), reference->ignore_pat ? " ignore-pat" : "",
        reference->leaf ? " leaf" : "",
        reference->sets_dirty      ? " sets=AD"
        : reference->sets_accessed ? " sets=A"
                                   : "");
}

static void print_end(const char *name, const struct walk2d *walk)
{
    char text[EPT_QUALIFICATION_TEXT_SIZE];
    struct ept_qualification qualification;

    console_printf("adept: walk: vm=%s end=%s references=%u", name, walk2d_end_text(walk->end),
                   walk->memory_references);
    switch (walk->end) {
    case WALK2D_DONE:
        console_printf(" gpa=%#llx hpa=%#llx page=%#llx pat=%s", (unsigned long long)walk->gpa,
                       (unsigned long long)walk->hpa, 1ull << walk->guest_page_shift,
                       type_name(walk->pat_type));
        break;
    case WALK2D_PAGE_FAULT:
        console_printf(" error=%#x", walk->error_code);
        break;
    case WALK2D_VIOLATION:
        qualification = ept_qualification_decode(walk->qualification, false);
        (void)ept_qualification_text(&qualification, text, sizeof(text));
        console_printf(" gpa=%#llx qual=%#llx (%s)", (unsigned long long)walk->gpa,
                       (unsigned long long)walk->qualification, text);
        break;
    case WALK2D_MISCONFIG:
        console_printf(" gpa=%#llx", (unsigned long long)walk->gpa);
        for (unsigned n = 0; n < EPT_REASON_COUNT; n++)
            if (walk->reasons & 1u << n)
                console_printf(" reason=\"%s\"", ept_misconfig_reason_text(1u << n));
        break;
    case WALK2D_NO_MEMORY:
        console_printf(" gpa=%#llx hpa=%#llx", (unsigned long long)walk->gpa, (unsigned long long)walk->hpa);
        break;
    case WALK2D_NOT_CANONICAL:
        break;
    }
    console_printf("\n");
}

void walk_report_address(struct vcpu *vcpu, uint64_t linear_address)
{
    const char *name = vcpu->vm->config.name;
    struct walk2d walk;
    struct guest_paging paging;
    unsigned number = 0;

    if (!vcpu_report_paging(vcpu, &paging)) {
        console_printf("adept: walk: vm=%s gva=%#llx unreadable: no VMCS\n", name,
                       (unsigned long long)linear_address);
        return;
    }
    vm_walk(&walk, vcpu, &paging, linear_address, GUEST_ACCESS_READ);
    console_printf("adept: walk: vm=%s gva=%#llx access=R mode=%s cr3=%#llx eptp=%#llx\n", name,
                   (unsigned long long)linear_address, guest_paging_mode_text(walk.mode),
                   (unsigned long long)paging.cr3, (unsigned long long)vcpu->vm->eptp);
    for (unsigned i = 0; i < walk.count; i++) {
        number += walk.references[i].kind != WALK2D_PDPTE_REGISTER;
        print_reference(name, &walk.references[i],
                        walk.references[i].kind == WALK2D_PDPTE_REGISTER ? 0 : number);
    }
    print_end(name, &walk);
}

void walk_report(struct vcpu *vcpu)
{
    const struct cmdline_options *options = machine_options();

    if (options->walk_given)
        walk_report_address(vcpu, options->walk);
    walk_check_report(vcpu->vm);
}
