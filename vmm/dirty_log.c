/* SPDX-License-Identifier: MIT */
/* A VM's dirty log: its memory, the page-modification log, and the flushes. */
#include "vmm/dirty_log.h"
#include "arch/x86/memory.h"
#include "vmm/frame.h"
#include "vmm/vm.h"
#include "vmm/vm_flush.h"
#include "vmm/vm_tables.h"
#include "vmm/vmcs.h"

#define PML_INDEX_START (EPT_PML_ENTRIES - 1) /* the processor fills the page from its end downwards */
#define WORD_BYTES      sizeof(uint64_t)

static void flush(struct vm *vm, enum ept_flush what)
{
    if (!vm_flush(vm, what))
        vm_end(vm, VM_FAILED, "INVEPT fails for the dirty log");
}

/* Behind the last page that the memory map lets the guest write. */
static uint64_t writable_end(const struct vm *vm)
{
    for (unsigned i = vm->regions.count; i > 0; i--) {
        const struct ept_region *region = &vm->regions.regions[i - 1];

        if (region->rights & EPT_WRITE)
            return region->gpa + region->size;
    }
    return 0;
}

static bool take_memory(struct vm_dirty_log *dirty, uint64_t pages, unsigned pml_pages)
{
    uint64_t words = ept_dirty_log_words(pages), bytes = (words + ept_dirty_bitmap_words(pages)) * WORD_BYTES;

    dirty->frames = (bytes + FRAME_SIZE - 1) / FRAME_SIZE;
    dirty->memory = frame_alloc_run(FRAME_HOST, dirty->frames, 1);
    if (dirty->memory == FRAME_ALLOC_FAILED)
        return false;
    dirty->pml_pages = 0;
    if (pml_pages != 0) {
        dirty->pml_pages = frame_alloc_run(FRAME_HOST, pml_pages, 1);
        if (dirty->pml_pages == FRAME_ALLOC_FAILED) {
            frame_free_run(dirty->memory, dirty->frames, FRAME_HOST);
            return false;
        }
    }
    dirty->pages = pages;
    dirty->bitmap = (uint64_t *)phys_to_virt(dirty->memory) + words;
    return true;
}

static void give_memory_back(struct vm_dirty_log *dirty, unsigned pml_pages)
{
    frame_free_run(dirty->memory, dirty->frames, FRAME_HOST);
    if (dirty->pml_pages != 0)
        frame_free_run(dirty->pml_pages, pml_pages, FRAME_HOST);
    memset(dirty, 0, sizeof(*dirty));
}

void vm_dirty_leave(struct vcpu *vcpu)
{
    if (vcpu->pml_page != 0)
        vm_dirty_drain(vcpu);
}

void vm_dirty_join(struct vcpu *vcpu)
{
    uint64_t pages = vcpu->vm->dirty.pml_pages;
    uint64_t wanted = pages != 0 ? pages + vcpu->index * FRAME_SIZE : 0, controls;

    if (wanted == vcpu->pml_page)
        return;
    vcpu->pml_page = wanted;
    controls = vmcs_read(VMCS_SECONDARY_CONTROLS);
    if (wanted != 0) {
        vmcs_write(VMCS_PML_ADDRESS, wanted);
        vmcs_write(VMCS_PML_INDEX, PML_INDEX_START);
    }
    vmcs_write(VMCS_SECONDARY_CONTROLS,
               wanted != 0 ? controls | VMX_ENABLE_PML : controls & ~(uint64_t)VMX_ENABLE_PML);
}

must_check enum ept_status vm_dirty_start(struct vcpu *vcpu, enum ept_dirty_source wanted,
                                          unsigned granularity, enum ept_dirty_source *used)
{
    struct vm *vm = vcpu->vm;
    struct vm_dirty_log *dirty = &vm->dirty;
    enum ept_status status = ept_dirty_pick(&vm->ept.caps, wanted, used);
    struct ept_change change;

    if (dirty->pages != 0)
        return EPT_BUSY;
    if (status != EPT_OK)
        return status;
    if (!take_memory(dirty, writable_end(vm) / FRAME_SIZE, *used == EPT_DIRTY_PML ? vm->vcpu_count : 0))
        return EPT_NO_FRAME_LEFT;
    change = ept_dirty_start(&vm->ept, &dirty->log, *used, granularity, dirty->pages * FRAME_SIZE,
                             phys_to_virt(dirty->memory));
    if (change.status != EPT_OK) {
        give_memory_back(dirty, vm->vcpu_count);
        return change.status;
    }
    vm_dirty_join(vcpu);
    flush(vm, change.flush);
    return EPT_OK;
}

void vm_dirty_drain(struct vcpu *vcpu)
{
    const uint64_t *log = phys_to_virt(vcpu->pml_page);
    /* The index of the next entry to fill: 0xffff when the last one, 0, is full. */
    unsigned first = (uint16_t)(vmcs_read(VMCS_PML_INDEX) + 1);

    if (first >= EPT_PML_ENTRIES)
        return;
    ept_dirty_drain(&vcpu->vm->ept, log + first, EPT_PML_ENTRIES - first);
    vmcs_write(VMCS_PML_INDEX, PML_INDEX_START);
}

must_check enum ept_status vm_dirty_collect(struct vcpu *vcpu, uint64_t *pages)
{
    struct vm *vm = vcpu->vm;
    struct ept_dirty_collected collected;

    if (vm->dirty.pages == 0)
        return EPT_BUSY;
    vm_dirty_leave(vcpu); /* the others have, when they parked */
    memset(vm->dirty.bitmap, 0, ept_dirty_bitmap_words(vm->dirty.pages) * WORD_BYTES);
    collected = ept_dirty_collect(&vm->ept, vm->dirty.bitmap);
    flush(vm, collected.flush);
    *pages = collected.pages;
    return EPT_OK;
}

must_check enum ept_status vm_dirty_stop(struct vcpu *vcpu, uint64_t *merged)
{
    struct vm *vm = vcpu->vm;
    uint64_t end = vm->dirty.pages * FRAME_SIZE;
    struct ept_change change = ept_dirty_stop(&vm->ept);

    if (change.status != EPT_OK)
        return change.status;
    flush(vm, change.flush);
    give_memory_back(&vm->dirty, vm->vcpu_count);
    vm_dirty_join(vcpu);
    if (!vm_merge(vm, 0, end, merged))
        vm_end(vm, VM_FAILED, "INVEPT fails after the dirty log");
    return EPT_OK;
}

void vm_dirty_release(struct vm *vm)
{
    if (vm->dirty.pages == 0)
        return;
    vm->ept.dirty = NULL; /* the EPT goes too: nothing in it needs to be put right */
    give_memory_back(&vm->dirty, vm->vcpu_count);
}
