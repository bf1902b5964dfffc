/* SPDX-License-Identifier: MIT */
/* A VM's watches, and the pages of its memory map that have rights withheld for them. */
#include "arch/x86/memory.h"
#include "ept/protect.h"
#include "ept/zap.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/flush.h"
#include "vmm/debug/watch.h"
#include "ept/table.h"

static bool is_memory(const struct ept_region *region)
{
    return region != NULL && (region->kind == EPT_REGION_RAM || region->kind == EPT_REGION_IDENTITY ||
                              region->kind == EPT_REGION_ROM);
}

/* What the watches want withheld on a page. */
static unsigned withheld_on(const struct vm *vm, uint64_t page)
{
    unsigned withheld = 0;

    for (unsigned i = 0; i < WATCH_MAX; i++) {
        const struct watch *watch = &vm->watches->watches[i];

        if (watch->used && (watch->start & ~PAGE_MASK) <= page && watch->last >= page)
            withheld |= watch->rights;
    }
    return withheld;
}

/* Rights that an entry can have: no W without R, and X alone only where the processor has that. */
static unsigned possible(const struct vm *vm, unsigned rights)
{
    if (!(rights & EPT_READ))
        rights &= ~(unsigned)EPT_WRITE;
    return rights == EPT_EXECUTE && !vm->regions.execute_only ? 0 : rights;
}

/* Makes the list's page what the watches want; `rights` are the guest's. false: no room; then all is as it
 * was. */
static bool set_page(struct vm *vm, uint64_t page, unsigned rights)
{
    const struct ept_region *old = ept_region_find(&vm->regions, page);
    unsigned withheld = withheld_on(vm, page);
    struct ept_region region;

    if (vm->regions.count + 2 > vm->regions.capacity)
        return false;
    region = *old;
    region.hpa += page - old->gpa;
    region.gpa = page;
    region.size = PAGE_SIZE;
    region.policy = withheld != 0 ? (uint8_t)(WATCH_POLICY | rights) : 0;
    region.rights = (uint8_t)possible(vm, rights & ~withheld);
    if (withheld == 0)
        region.rights = (uint8_t)rights;
    ept_shape_changes(&vm->ept); /* the list is changed behind the engine's back */
    return ept_region_remove(&vm->regions, page, PAGE_SIZE) == EPT_OK &&
           ept_region_add(&vm->regions, &region) == EPT_OK;
}

static bool set_pages(struct vm *vm, uint64_t start, uint64_t last)
{
    bool good = true;

    start &= ~PAGE_MASK;
    for (uint64_t page = start; page <= last && good; page += PAGE_SIZE) {
        const struct ept_region *region = ept_region_find(&vm->regions, page);

        if (region != NULL) /* else a device lies over it: watch_page_returns() */
            good = set_page(vm, page, watch_rights(region));
    }
    if (!vm_flush(vm, ept_zap(&vm->ept, start, (last | PAGE_MASK) + 1 - start)))
        vm_end(vm, VM_FAILED, "INVEPT fails after a change of watched memory");
    return good;
}

must_check unsigned watch_add(struct vm *vm, const struct watch *watch, const char **why)
{
    unsigned free = 0;

    for (uint64_t page = watch->start & ~PAGE_MASK; page <= watch->last; page += PAGE_SIZE) {
        if (is_memory(ept_region_find(&vm->regions, page)))
            continue;
        *why = "RAM or ROM of the guest's (ept dump shows it)";
        return 0;
    }
    while (free < WATCH_MAX && vm->watches->watches[free].used)
        free++;
    *why = "fewer watches and breakpoints: the list is full";
    if (free == WATCH_MAX)
        return 0;
    vm->watches->watches[free] = *watch;
    vm->watches->watches[free].used = true;
    if (set_pages(vm, watch->start, watch->last))
        return free + 1;
    (void)!watch_delete(vm, free + 1);
    *why = "fewer pages: the memory map is full";
    return 0;
}

must_check bool watch_delete(struct vm *vm, unsigned number)
{
    bool found = false;

    for (unsigned i = 0; i < WATCH_MAX; i++) {
        struct watch *watch = &vm->watches->watches[i];

        if (!watch->used || (number != 0 && number != i + 1))
            continue;
        watch->used = false;
        found = true;
        (void)set_pages(vm, watch->start,
                        watch->last); /* a page that stays a region of its own does no harm */
    }
    return found;
}

void watch_page_returns(struct vm *vm, uint64_t page)
{
    const struct ept_region *region = ept_region_find(&vm->regions, page);

    if ((withheld_on(vm, page) != 0 || (region->policy & WATCH_POLICY) != 0) &&
        !set_page(vm, page, watch_rights(region)))
        vm_end(vm, VM_FAILED, "watched memory cannot come back: the memory map is full");
}

void watch_rights_changed(struct vm *vm, uint64_t gpa, uint64_t size, unsigned rights)
{
    const struct ept_region *region = ept_region_find(&vm->regions, gpa);
    uint64_t end = gpa + size;

    while (region != NULL && gpa < end) {
        uint64_t next = region->gpa + region->size;

        if (region->policy & WATCH_POLICY) {
            next = gpa + PAGE_SIZE;
            if (!set_page(vm, gpa, rights) || !vm_flush(vm, ept_zap(&vm->ept, gpa, PAGE_SIZE)))
                vm_end(vm, VM_FAILED, "watched memory cannot follow a change of rights");
        }
        gpa = next;
        region = ept_region_find(&vm->regions, gpa);
    }
}
