/* SPDX-License-Identifier: MIT */
/*
 * A guest may move its local APIC's page over memory (IA32_APIC_BASE). Registers hide the memory, for every
 * access: so the page leaves the memory map, where a device is never beside a region. SDM vol. 3, "Relocating
 * the Local APIC Registers".
 */
#include "vmm/vm/apic_page.h"
#include "arch/x86/memory.h"
#include "vmm/host/frame.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/flush.h"
#include "vmm/vm/tables.h"
#include "vmm/devices/pc.h"
#include "vmm/debug/watch.h"

/* What comes back is mapped at once, so that a large page that was split for it becomes one again. */
static bool give_back(struct vm *vm)
{
    uint64_t gpa = vm->apic_page.under.gpa, merged;

    if (!vm->apic_page.takes)
        return true;
    if (ept_uncover(&vm->ept, &vm->apic_page) != EPT_OK)
        return false;
    watch_page_returns(vm, gpa);
    return vm_flush(vm, ept_fault(&vm->ept, gpa, 0).flush) && vm_merge(vm, gpa, PAGE_SIZE, &merged);
}

static bool take(struct vm *vm, uint64_t gpa)
{
    struct ept_change change = ept_cover(&vm->ept, &vm->apic_page, gpa);

    return vm_flush(vm, change.flush) && change.status == EPT_OK;
}

void vm_apic_moved(struct vm *vm)
{
    struct device_memory page = lapic_memory(&vm->pc->lapic);

    if (vm->apic_page.takes && page.size != 0 && page.gpa == vm->apic_page.under.gpa)
        return;
    if (!give_back(vm) || (page.size != 0 && !take(vm, page.gpa)))
        vm_end(vm, VM_FAILED, "the local APIC cannot move to gpa=%#llx: its memory map is full",
               (unsigned long long)page.gpa);
}

void vm_apic_forget(struct vm *vm)
{
    const struct ept_region *under = &vm->apic_page.under;

    if (vm->apic_page.takes && under->kind == EPT_REGION_IDENTITY) /* other memory goes back in one run */
        frame_free_run(under->hpa, under->size / FRAME_SIZE, FRAME_GUEST(vm->id));
    vm->apic_page.takes = false;
}
