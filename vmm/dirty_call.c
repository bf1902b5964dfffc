/* SPDX-License-Identifier: MIT */
/* Hypercalls on the dirty log and on accessed flags. */
#include "vmm/dirty_call.h"
#include "arch/x86/memory.h"
#include "ept/harvest.h"
#include "vmm/dirty_log.h"
#include "vmm/frame.h"
#include "vmm/guest_memory.h"
#include "vmm/hypercall_abi.h"
#include "vmm/hypercall_status.h"
#include "vmm/vm.h"
#include "vmm/vm_flush.h"
#include "vmm/vm_pause.h"

_Static_assert(DIRTY_SOURCE_BEST == EPT_DIRTY_BEST, "the ABI's numbers are the engine's");
_Static_assert(DIRTY_SOURCE_PML == EPT_DIRTY_PML, "the ABI's numbers are the engine's");
_Static_assert(DIRTY_SOURCE_FLAGS == EPT_DIRTY_FLAGS, "the ABI's numbers are the engine's");
_Static_assert(DIRTY_SOURCE_WRITE_PROTECTION == EPT_DIRTY_WRITE_PROTECTION,
               "the ABI's numbers are the engine's");

static uint32_t start(struct vcpu *vcpu, uint32_t *ebx, uint32_t *ecx)
{
    enum ept_dirty_source used;
    enum ept_status status;

    if (*ebx >= EPT_DIRTY_SOURCE_COUNT || *ecx > DIRTY_GRANULARITY_2M)
        return HYPERCALL_BAD_ARGUMENT;
    status = vm_dirty_start(vcpu, (enum ept_dirty_source) * ebx,
                            *ecx == DIRTY_GRANULARITY_2M ? EPT_LEVEL_PD : EPT_LEVEL_PT, &used);
    if (status == EPT_OK) {
        *ebx = used;
        *ecx = (uint32_t)(ept_dirty_bitmap_words(vcpu->vm->dirty.pages) * sizeof(uint64_t));
    }
    return hypercall_status(status);
}

static uint32_t collect(struct vcpu *vcpu, uint32_t *ebx, uint32_t *ecx)
{
    const struct vm_dirty_log *dirty = &vcpu->vm->dirty;
    size_t bytes = ept_dirty_bitmap_words(dirty->pages) * sizeof(uint64_t);
    enum ept_status status;
    uint64_t pages;

    if (*ecx < bytes)
        return HYPERCALL_BAD_ARGUMENT;
    /* Looked at first: what is collected must not be lost. */
    if (!guest_memory_writable(vcpu->vm, *ebx, bytes))
        return HYPERCALL_BAD_ADDRESS;
    status = vm_dirty_collect(vcpu, &pages);
    if (status != EPT_OK)
        return hypercall_status(status);
    (void)guest_memory_write(vcpu->vm, *ebx, dirty->bitmap, bytes);
    *ebx = (uint32_t)pages;
    *ecx = (uint32_t)bytes;
    return HYPERCALL_OK;
}

static uint32_t stop(struct vcpu *vcpu, uint32_t *ebx)
{
    uint64_t merged = 0;
    enum ept_status status = vm_dirty_stop(vcpu, &merged);

    if (status == EPT_OK)
        *ebx = (uint32_t)merged;
    return hypercall_status(status);
}

static uint32_t harvest(struct vcpu *vcpu, uint32_t *ebx, uint32_t *ecx, uint32_t bitmap_address)
{
    size_t bytes = ((size_t)*ecx / FRAME_SIZE + 63) / 64 * sizeof(uint64_t);
    uint64_t frames = (bytes + FRAME_SIZE - 1) / FRAME_SIZE, memory;
    struct ept_harvest result;

    if (bytes == 0 || !guest_memory_writable(vcpu->vm, bitmap_address, bytes))
        return HYPERCALL_BAD_ADDRESS;
    memory = frame_alloc_run(FRAME_HOST, frames, 1);
    if (memory == FRAME_ALLOC_FAILED)
        return HYPERCALL_NO_MEMORY;
    result = ept_harvest_idle(&vcpu->vm->ept, *ebx, *ecx, phys_to_virt(memory));
    if (!vm_flush(vcpu->vm, result.flush))
        vm_end(vcpu->vm, VM_FAILED, "INVEPT fails after a harvest");
    if (result.status == EPT_OK) {
        (void)guest_memory_write(vcpu->vm, bitmap_address, phys_to_virt(memory), bytes);
        *ebx = (uint32_t)result.accessed;
        *ecx = (uint32_t)bytes;
    }
    frame_free_run(memory, frames, FRAME_HOST);
    return hypercall_status(result.status);
}

uint32_t dirty_call(struct vcpu *vcpu, uint32_t number, uint32_t *ebx, uint32_t *ecx, uint32_t edx)
{
    uint32_t status = HYPERCALL_UNKNOWN;

    if (number == HYPERCALL_HARVEST_ACCESSED)
        return harvest(vcpu, ebx, ecx, edx);
    vm_pause(vcpu->vm);
    if (number == HYPERCALL_DIRTY_START)
        status = start(vcpu, ebx, ecx);
    else if (number == HYPERCALL_DIRTY_COLLECT)
        status = collect(vcpu, ebx, ecx);
    else if (number == HYPERCALL_DIRTY_STOP)
        status = stop(vcpu, ebx);
    vm_unpause(vcpu->vm);
    return status;
}
