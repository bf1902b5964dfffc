/* SPDX-License-Identifier: MIT */
/* A VM's dirty log: its memory, the page-modification log, and the flushes. */
#include "vmm/vm/dirty_log.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "ept/leaves.h"
#include "vmm/host/frame.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/flush.h"
#include "vmm/vm/tables.h"
#include "vmm/vcpu/vmcs.h"

#define PML_INDEX_START (EPT_PML_ENTRIES - 1) /* the processor fills the page from its end downwards */
#define WORD_BYTES      sizeof(uint64_t)
/* Blocks of 512 pages that are collected between two looks at the clock. */
#define TAKEN_AT_ONCE 4

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

    if (dirty->pages != 0)
        return EPT_BUSY;
    if (status != EPT_OK)
        return status;
    if (!take_memory(dirty, writable_end(vm) / FRAME_SIZE, *used == EPT_DIRTY_PML ? vm->vcpu_count : 0))
        return EPT_NO_FRAME_LEFT;
    status = ept_dirty_begin(&vm->ept, &dirty->log, *used, granularity, dirty->pages * FRAME_SIZE,
                             phys_to_virt(dirty->memory));
    if (status != EPT_OK) {
        give_memory_back(dirty, vm->vcpu_count);
        return status;
    }
    dirty->complete = true;
    vm_dirty_join(vcpu);
    return EPT_OK;
}

must_check bool vm_dirty_prepare(struct vcpu *vcpu, uint64_t *at, uint64_t until)
{
    struct vm *vm = vcpu->vm;
    uint64_t end = vm->dirty.pages * FRAME_SIZE;
    enum ept_flush due = EPT_FLUSH_NONE;

    while (*at < end) {
        uint64_t next = ept_portion(&vm->ept, *at, end, EPT_PORTION_PAGES);

        due = ept_flush_both(due, ept_dirty_prepare(&vm->ept, *at, next));
        *at = next;
        if (tsc_read() >= until)
            break;
    }
    flush(vm, due);
    return *at >= end;
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

/* The dirty flags of a log that is made from them; of the others there is nothing to gather. */
static bool gather(struct vm *vm, uint64_t *at, uint64_t until)
{
    uint64_t end = vm->dirty.log.source == EPT_DIRTY_FLAGS ? vm->dirty.pages * FRAME_SIZE : 0;

    while (*at < end) {
        uint64_t next = ept_portion(&vm->ept, *at, end, EPT_PORTION_PAGES);

        ept_dirty_gather(&vm->ept, *at, next);
        *at = next;
        if (tsc_read() >= until)
            return *at >= end;
    }
    return true;
}

must_check enum ept_status vm_dirty_collect(struct vcpu *vcpu, uint64_t *at, uint64_t until, bool *done)
{
    struct vm *vm = vcpu->vm;
    struct vm_dirty_log *dirty = &vm->dirty;
    struct ept_dirty_collected taken = {.more = true};
    enum ept_flush due = EPT_FLUSH_NONE;

    *done = false;
    if (dirty->pages == 0)
        return EPT_BUSY;
    vm_dirty_leave(vcpu); /* the others have, when they parked */
    if (dirty->complete) {
        memset(dirty->bitmap, 0, ept_dirty_bitmap_words(dirty->pages) * WORD_BYTES);
        dirty->collected = 0;
        dirty->complete = false;
    }
    if (gather(vm, at, until)) {
        do {
            taken = ept_dirty_take(&vm->ept, dirty->bitmap, TAKEN_AT_ONCE);
            due = ept_flush_both(due, taken.flush);
            dirty->collected += taken.pages;
        } while (taken.more && tsc_read() < until);
    } else {
        due = EPT_FLUSH_CONTEXT; /* flags may have been cleared that a processor has cached */
    }
    flush(vm, due);
    *done = dirty->complete = !taken.more;
    return EPT_OK;
}

must_check enum ept_status vm_dirty_stop(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    enum ept_status status = ept_dirty_end(&vm->ept);

    if (status != EPT_OK)
        return status;
    give_memory_back(&vm->dirty, vm->vcpu_count);
    vm_dirty_join(vcpu);
    return EPT_OK;
}

must_check bool vm_dirty_restore(struct vcpu *vcpu, uint64_t *at, uint64_t until, uint64_t *merged)
{
    struct vm *vm = vcpu->vm;
    uint64_t end = writable_end(vm);

    *merged = 0;
    while (*at < end) {
        uint64_t next = ept_portion(&vm->ept, *at, end, EPT_PORTION_PAGES), count;

        ept_dirty_restore(&vm->ept, *at, next);
        if (!vm_merge(vm, *at, next - *at, &count))
            vm_end(vm, VM_FAILED, "INVEPT fails after the dirty log");
        *merged += count;
        *at = next;
        if (tsc_read() >= until)
            break;
    }
    return *at >= end;
}

void vm_dirty_release(struct vm *vm)
{
    if (vm->dirty.pages == 0)
        return;
    vm->ept.dirty = NULL; /* the EPT goes too: nothing in it needs to be put right */
    give_memory_back(&vm->dirty, vm->vcpu_count);
}
