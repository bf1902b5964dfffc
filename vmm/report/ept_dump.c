/* SPDX-License-Identifier: MIT */
/* Printing a VM's memory map and EPT. */
#include "vmm/report/ept_dump.h"
#include "drivers/console.h"
#include "ept/dump.h"
#include "ept/qualification.h"
#include "vmm/trace/text.h"
#include "vmm/vm/vm.h"

static void print_region(const char *name, const struct ept_region *region)
{
    char rights[EPT_QUALIFICATION_WORD_SIZE];

    ept_rights_text(region->rights, rights, sizeof(rights));
    console_printf("adept: map: vm=%s gpa=%#llx-%#llx hpa=%#llx kind=%s rights=%s type=%s\n", name,
                   (unsigned long long)region->gpa, (unsigned long long)(region->gpa + region->size - 1),
                   (unsigned long long)region->hpa, ept_region_kind_name(region->kind), rights,
                   region->type_from_mtrr ? "mtrr" : memory_type_name((enum memory_type)region->memory_type));
}

static void print_range(void *context, const struct ept_dump_range *range)
{
    const char *name = context;
    char rights[EPT_QUALIFICATION_WORD_SIZE];

    if (range->kind != EPT_DUMP_PAGES) {
        console_printf("adept: ept: vm=%s gpa=%#llx-%#llx level=%u entry=%#llx raw=%#llx %s\n", name,
                       (unsigned long long)range->gpa, (unsigned long long)(range->gpa + range->size - 1),
                       range->level, (unsigned long long)range->entry_hpa,
                       (unsigned long long)range->entry.raw, range->kind == EPT_DUMP_BAD ? "bad" : "planted");
        return;
    }
    ept_rights_text(range->rights, rights, sizeof(rights));
    console_printf(
        "adept: ept: vm=%s gpa=%#llx-%#llx hpa=%#llx pages=%llux%s rights=%s type=%s ipat=%u accessed=%u "
        "dirty=%u%s\n",
        name, (unsigned long long)range->gpa, (unsigned long long)(range->gpa + range->size - 1),
        (unsigned long long)range->hpa, (unsigned long long)(range->size / ept_level_size(range->level)),
        trace_page_size(range->level), rights, memory_type_name((enum memory_type)range->memory_type),
        range->ignore_pat, range->accessed, range->dirty, range->temporary ? " temporary" : "");
}

void ept_dump_print(const struct vm *vm)
{
    console_printf("adept: ept: vm=%s eptp=%#llx tables=%llu\n", vm->config.name,
                   (unsigned long long)vm->eptp, (unsigned long long)vm->tables.in_use);
    for (unsigned i = 0; i < vm->regions.count; i++)
        print_region(vm->config.name, &vm->regions.regions[i]);
    /* The callback takes the name as it is: it does not change it. */
    ept_dump(&vm->ept, print_range, (void *)(uintptr_t)vm->config.name);
}
