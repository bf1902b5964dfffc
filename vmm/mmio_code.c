/* SPDX-License-Identifier: MIT */
/* Fetch and decode. */
#include "vmm/mmio_code.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "vmm/mmio_memory.h"
#include "vmm/vm.h"

#define CPUID_1_ECX_MOVBE (1u << 22)

static uint64_t load(const void *from)
{
    return __atomic_load_n((const uint64_t *)from, __ATOMIC_RELAXED);
}

/* Eight bytes at any address. */
static uint64_t load_unaligned(const uint8_t *from)
{
    uint64_t value;

    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}

static bool still_valid(const struct mmio_code *code, const struct guest_paging *paging,
                        const struct mmio_bytes *wanted)
{
    if (code->view == NULL || code->linear_address != wanted->linear_address ||
        code->code_size != wanted->code_size || code->cr3 != paging->cr3 || code->cr0 != paging->cr0 ||
        code->cr4 != paging->cr4 || code->efer != paging->efer || code->user != paging->user)
        return false;
    for (unsigned i = 0; i < code->entry_count; i++) {
        uint64_t raw = code->entries[i].size == 8 ? load(code->entries[i].view)
                                                  : *(const uint32_t *)code->entries[i].view;

        if (raw != code->entries[i].raw)
            return false;
    }
    return load_unaligned(code->view) == code->bytes[0] &&
           load_unaligned(code->view + INSTRUCTION_LENGTH_MAX - 8) == code->bytes[1];
}

/* Fills an empty place if all that it stands on can be looked at again. */
static void remember(struct mmio *mmio, struct mmio_code *code, const struct mmio_bytes *bytes,
                     const struct guest_walk *walk)
{
    const struct guest_paging *paging = &mmio->paging;
    struct vm *vm = mmio->vcpu->vm;

    code->linear_address = bytes->linear_address;
    code->code_size = (uint8_t)bytes->code_size;
    code->cr0 = paging->cr0;
    code->cr3 = paging->cr3;
    code->cr4 = paging->cr4;
    code->efer = paging->efer;
    code->user = paging->user;
    code->entry_count = walk->count;
    /* The PDPTE registers are not looked at again, and a second page would have entries of its own. */
    if (walk->mode == GUEST_MODE_PAE ||
        (bytes->linear_address & (PAGE_SIZE - 1)) > PAGE_SIZE - INSTRUCTION_LENGTH_MAX)
        return;
    for (unsigned i = 0; i < walk->count; i++) {
        code->entries[i].view = guest_memory_view(vm, walk->steps[i].gpa, walk->steps[i].size);
        code->entries[i].raw = walk->steps[i].raw;
        code->entries[i].size = walk->steps[i].size;
        if (code->entries[i].view == NULL)
            return;
    }
    code->view = guest_memory_view(vm, walk->gpa, INSTRUCTION_LENGTH_MAX);
    code->bytes[0] = load_unaligned(bytes->bytes);
    code->bytes[1] = load_unaligned(bytes->bytes + INSTRUCTION_LENGTH_MAX - 8);
}

/* Copies bytes from a linear address on, up to 15 in all, not beyond its page. */
static enum emulate_status fetch(struct mmio *mmio, struct mmio_bytes *code, uint64_t linear_address,
                                 struct guest_walk *walk, struct emulate_exception *exception)
{
    unsigned room = PAGE_SIZE - (unsigned)(linear_address & (PAGE_SIZE - 1));
    unsigned length = INSTRUCTION_LENGTH_MAX - code->count;

    *walk = guest_walk(&mmio->paging, linear_address, GUEST_ACCESS_FETCH);
    if (walk->status != GUEST_PAGING_OK)
        return mmio_walk_failed(mmio, walk, linear_address, exception);
    if (length > room)
        length = room;
    if (guest_memory_read(mmio->vcpu->vm, walk->gpa, code->bytes + code->count, length) == length) {
        code->count += length;
        return EMULATE_DONE;
    }
    vm_end(mmio->vcpu->vm, VM_FAILED, "device access by code that is in no RAM: gpa=%#llx",
           (unsigned long long)walk->gpa);
    return EMULATE_REFUSED;
}

/* The second page is looked at only if the instruction goes on there. */
static __attribute__((noinline)) enum emulate_status
fetch_and_decode(struct mmio *mmio, struct mmio_bytes *code, struct mmio_code *place,
                 enum decode_status *decoded, struct emulate_exception *exception)
{
    struct guest_walk walk, second;
    enum emulate_status status;

    place->view = NULL;
    code->count = 0;
    status = fetch(mmio, code, code->linear_address, &walk, exception);
    if (status != EMULATE_DONE)
        return status;
    *decoded = decode_instruction(code->bytes, code->count, code->code_size, &place->instruction);
    if (*decoded == DECODE_MORE && code->count < INSTRUCTION_LENGTH_MAX) {
        uint64_t next = code->linear_address + code->count;

        status = fetch(mmio, code, code->code_size == 8 ? next : (uint32_t)next, &second, exception);
        if (status != EMULATE_DONE)
            return status;
        *decoded = decode_instruction(code->bytes, code->count, code->code_size, &place->instruction);
    }
    /* CPUID passes MOVBE on as the processor has it. */
    if (*decoded == DECODE_OK && place->instruction.operation == OPERATION_MOVBE &&
        !(cpuid(1, 0).ecx & CPUID_1_ECX_MOVBE))
        *decoded = DECODE_UNDEFINED;
    if (*decoded == DECODE_OK)
        remember(mmio, place, code, &walk);
    return EMULATE_DONE;
}

enum emulate_status mmio_decode(struct mmio *mmio, struct mmio_bytes *code,
                                const struct instruction **instruction, enum decode_status *decoded,
                                struct emulate_exception *exception)
{
    struct mmio_code *place = &mmio->vcpu->mmio_code[code->linear_address % MMIO_CODE_COUNT];

    *instruction = &place->instruction;
    *decoded = DECODE_OK;
    if (likely(still_valid(place, &mmio->paging, code)))
        return EMULATE_DONE;
    return fetch_and_decode(mmio, code, place, decoded, exception);
}
