/* SPDX-License-Identifier: MIT */
/* Hypercalls on the dirty log and on accessed flags. */
#include "vmm/exit/dirty_call.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "ept/harvest.h"
#include "ept/leaves.h"
#include "vmm/vm/dirty_log.h"
#include "vmm/exit/exit.h"
#include "vmm/host/frame.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/exit/hypercall.h"
#include "vmm/exit/hypercall_status.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/flush.h"
#include "vmm/vm/pause.h"

_Static_assert(DIRTY_SOURCE_BEST == EPT_DIRTY_BEST, "the ABI's numbers are the engine's");
_Static_assert(DIRTY_SOURCE_PML == EPT_DIRTY_PML, "the ABI's numbers are the engine's");
_Static_assert(DIRTY_SOURCE_FLAGS == EPT_DIRTY_FLAGS, "the ABI's numbers are the engine's");
_Static_assert(DIRTY_SOURCE_WRITE_PROTECTION == EPT_DIRTY_WRITE_PROTECTION,
               "the ABI's numbers are the engine's");

/* Where START, COLLECT and STOP are: a part ends at a multiple of this, or is the last one. */
#define PROGRESS_UNIT (EPT_PORTION_PAGES * FRAME_SIZE)

static uint64_t address_of(const struct hypercall *call)
{
    return call->progress * PROGRESS_UNIT;
}

static uint32_t goes_on_at(struct hypercall *call, uint64_t at)
{
    return hypercall_goes_on(call, (at + PROGRESS_UNIT - 1) / PROGRESS_UNIT);
}

static uint32_t answer(struct hypercall *call, uint64_t ebx, uint64_t ecx)
{
    call->ebx = (uint32_t)ebx;
    call->ecx = (uint32_t)ecx;
    call->set_ebx = call->set_ecx = true;
    return HYPERCALL_OK;
}

static size_t bitmap_bytes(const struct vcpu *vcpu)
{
    return ept_dirty_bitmap_words(vcpu->vm->dirty.pages) * sizeof(uint64_t);
}

static uint32_t start(struct vcpu *vcpu, struct hypercall *call)
{
    const struct vm_dirty_log *dirty = &vcpu->vm->dirty;
    uint64_t at = address_of(call);
    enum ept_dirty_source used;
    enum ept_status status = EPT_OK;

    if (call->ebx >= EPT_DIRTY_SOURCE_COUNT || call->ecx > DIRTY_GRANULARITY_2M)
        return HYPERCALL_BAD_ARGUMENT;
    if (!call->begun)
        status = vm_dirty_start(vcpu, (enum ept_dirty_source)call->ebx,
                                call->ecx == DIRTY_GRANULARITY_2M ? EPT_LEVEL_PD : EPT_LEVEL_PT, &used);
    if (status != EPT_OK)
        return hypercall_status(status);
    if (dirty->pages == 0) /* another vCPU has stopped it in between */
        return HYPERCALL_BAD_ARGUMENT;
    if (!vm_dirty_prepare(vcpu, &at, exit_piece_end(vcpu)))
        return goes_on_at(call, at);
    return answer(call, dirty->log.source, bitmap_bytes(vcpu));
}

static uint32_t collect(struct vcpu *vcpu, struct hypercall *call)
{
    const struct vm_dirty_log *dirty = &vcpu->vm->dirty;
    size_t bytes = bitmap_bytes(vcpu);
    uint64_t at = address_of(call);
    enum ept_status status;
    bool done;

    if (call->ecx < bytes)
        return HYPERCALL_BAD_ARGUMENT;
    /* Looked at first: what is collected must not be lost. */
    if (!guest_memory_writable(vcpu->vm, call->ebx, bytes))
        return HYPERCALL_BAD_ADDRESS;
    status = vm_dirty_collect(vcpu, &at, exit_piece_end(vcpu), &done);
    if (status != EPT_OK)
        return hypercall_status(status);
    if (!done)
        return goes_on_at(call, at);
    (void)guest_memory_write(vcpu->vm, call->ebx, dirty->bitmap, bytes);
    return answer(call, dirty->collected, bytes);
}

/* EBX has the large pages so far. */
static uint32_t stop(struct vcpu *vcpu, struct hypercall *call)
{
    uint64_t at = address_of(call), merged;
    bool done;

    if (!call->begun) {
        enum ept_status status = vm_dirty_stop(vcpu);

        if (status != EPT_OK)
            return hypercall_status(status);
        call->ebx = 0;
    }
    call->set_ebx = true;
    if (vcpu->vm->dirty.pages != 0) /* another vCPU has started one in between: nothing is to be given back */
        return HYPERCALL_OK;
    done = vm_dirty_restore(vcpu, &at, exit_piece_end(vcpu), &merged);
    call->ebx += (uint32_t)merged;
    return done ? HYPERCALL_OK : goes_on_at(call, at);
}

/* Of HARVEST's progress: the harvest itself goes by pages; then a call of several exits counts what it has
 * found, by COUNTED_BYTES of the bitmap. */
#define COUNTS        (UINT32_C(1) << 27)
#define COUNTED_SHIFT 20
#define COUNTED_PAGES ((UINT32_C(1) << COUNTED_SHIFT) - 1)
#define COUNTED_BYTES 1024

static size_t idle_map_bytes(const struct hypercall *call)
{
    return ((size_t)call->ecx / FRAME_SIZE + 63) / 64 * sizeof(uint64_t);
}

static unsigned zeros(uint64_t word)
{
    unsigned count = 64;

    for (; word != 0; word &= word - 1)
        count--;
    return count;
}

/* The bits of the map that are 0, but for those behind the range in the last word. */
static uint32_t count_accessed(struct vcpu *vcpu, struct hypercall *call)
{
    size_t bytes = idle_map_bytes(call), at;
    uint32_t accessed = call->progress & COUNTED_PAGES, pages = call->ecx / FRAME_SIZE;
    uint64_t words[COUNTED_BYTES / sizeof(uint64_t)];

    at = (size_t)(call->progress & ~COUNTS) >> COUNTED_SHIFT;
    for (at *= COUNTED_BYTES; at < bytes; at += sizeof(words)) {
        size_t size = bytes - at < sizeof(words) ? bytes - at : sizeof(words);

        if (tsc_read() >= exit_piece_end(vcpu))
            return hypercall_goes_on(call,
                                     COUNTS | (uint32_t)(at / COUNTED_BYTES) << COUNTED_SHIFT | accessed);
        if (guest_memory_read(vcpu->vm, (uint64_t)call->edx + at, words, size) != size)
            return HYPERCALL_BAD_ADDRESS;
        for (size_t n = 0; n < size / sizeof(words[0]); n++)
            accessed += zeros(words[n]);
    }
    return answer(call, pages % 64 != 0 ? accessed - (64 - pages % 64) : accessed, bytes);
}

/* From *page on; leaves where it is. `bitmap` is of the whole range, of which what is new goes to the guest.
 */
static struct ept_harvest harvest_until(struct vcpu *vcpu, const struct hypercall *call, uint64_t *bitmap,
                                        uint64_t *page, uint64_t until)
{
    struct vm *vm = vcpu->vm;
    uint64_t base = call->ebx, end = base + call->ecx, at = base + *page * FRAME_SIZE;
    uint64_t first = *page / 64;
    struct ept_harvest sum = {.status = EPT_OK, .flush = EPT_FLUSH_NONE};

    if (*page % 64 != 0)
        (void)guest_memory_read(vm, call->edx + first * sizeof(uint64_t), &bitmap[first], sizeof(uint64_t));
    do {
        uint64_t next = ept_portion(&vm->ept, at, end, EPT_PORTION_PAGES);
        struct ept_harvest part = ept_harvest_idle_part(&vm->ept, base, at, next - at, bitmap);

        sum.status = part.status;
        sum.flush = ept_flush_both(sum.flush, part.flush);
        sum.accessed += part.accessed;
        at = next;
    } while (sum.status == EPT_OK && at < end && tsc_read() < until);
    *page = (at - base) / FRAME_SIZE;
    if (sum.status == EPT_OK)
        (void)guest_memory_write(vm, call->edx + first * sizeof(uint64_t), &bitmap[first],
                                 ((*page + 63) / 64 - first) * sizeof(uint64_t));
    return sum;
}

static uint32_t harvest(struct vcpu *vcpu, struct hypercall *call)
{
    size_t bytes = idle_map_bytes(call);
    uint64_t frames = (bytes + FRAME_SIZE - 1) / FRAME_SIZE, memory, page = call->progress;
    struct ept_harvest part;

    if (bytes == 0 || !guest_memory_writable(vcpu->vm, call->edx, bytes))
        return HYPERCALL_BAD_ADDRESS;
    if (page >= call->ecx / FRAME_SIZE) /* a number that is none of ours would be as good */
        return count_accessed(vcpu, call);
    if (((call->ebx | call->ecx) & (FRAME_SIZE - 1)) != 0)
        return HYPERCALL_BAD_ADDRESS;
    memory = frame_alloc_run(FRAME_HOST, frames, 1);
    if (memory == FRAME_ALLOC_FAILED)
        return HYPERCALL_NO_MEMORY;
    part = harvest_until(vcpu, call, phys_to_virt(memory), &page, exit_piece_end(vcpu));
    frame_free_run(memory, frames, FRAME_HOST);
    if (!vm_flush(vcpu->vm, part.flush))
        vm_end(vcpu->vm, VM_FAILED, "INVEPT fails after a harvest");
    if (part.status != EPT_OK)
        return hypercall_status(part.status);
    if (page < call->ecx / FRAME_SIZE)
        return hypercall_goes_on(call, page);
    return call->begun ? hypercall_goes_on(call, COUNTS) : answer(call, part.accessed, bytes);
}

uint32_t dirty_call(struct vcpu *vcpu, uint32_t number, struct hypercall *call)
{
    uint32_t status = HYPERCALL_UNKNOWN;

    if (number == HYPERCALL_HARVEST_ACCESSED)
        return harvest(vcpu, call);
    vm_pause(vcpu->vm);
    if (number == HYPERCALL_DIRTY_START)
        status = start(vcpu, call);
    else if (number == HYPERCALL_DIRTY_COLLECT)
        status = collect(vcpu, call);
    else if (number == HYPERCALL_DIRTY_STOP)
        status = stop(vcpu, call);
    vm_unpause(vcpu->vm);
    return status;
}
