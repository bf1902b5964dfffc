/* SPDX-License-Identifier: MIT */
/* Fetch and decode. */
#include "vmm/emulate/mmio_code.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/emulate/linear.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

#define CODE_SEGMENT_DB (1u << 14)

_Static_assert(((CR4_PSE | CR4_PAE | CR4_LA57) & (MMIO_MODE_PAGED | MMIO_MODE_LONG)) == 0,
               "one word for both");

/* Eight bytes at any address. */
static uint64_t load_unaligned(const uint8_t *from)
{
    uint64_t value;

    __builtin_memcpy(&value, from, sizeof(value));
    return value;
}

/* As few fields as tell it: in 64-bit code there is paging, and CS has no base. */
static inline struct mmio_key key_of(const struct vcpu *vcpu, uint64_t rip, uint32_t code_rights)
{
    struct mmio_key key;

    if ((code_rights & CODE_SEGMENT_L) && (vmcs_read(VMCS_GUEST_IA32_EFER) & EFER_LMA)) {
        key.linear_address = rip;
        key.code_size = 8;
        key.cr3 = vmcs_read(VMCS_GUEST_CR3);
        key.mode = MMIO_MODE_PAGED | MMIO_MODE_LONG;
        if (unlikely(vcpu->cr4_allowed & CR4_LA57))
            key.mode |= vmcs_read(VMCS_GUEST_CR4) & CR4_LA57;
        return key;
    }
    key.linear_address = (uint32_t)(rip + vmcs_read(VMCS_GUEST_CS_BASE));
    key.code_size = code_rights & CODE_SEGMENT_DB ? 4 : 2;
    key.cr3 = key.mode = 0;
    if (vmcs_read(VMCS_GUEST_CR0) & CR0_PG) {
        key.cr3 = vmcs_read(VMCS_GUEST_CR3);
        key.mode = MMIO_MODE_PAGED | (vmcs_read(VMCS_GUEST_IA32_EFER) & EFER_LMA ? MMIO_MODE_LONG : 0) |
                   (vmcs_read(VMCS_GUEST_CR4) & (CR4_PSE | CR4_PAE | CR4_LA57));
    }
    return key;
}

static inline struct mmio_code *place_of(const struct vcpu *vcpu, const struct mmio_key *key)
{
    /* What is remembered is none of the vCPU's state. */
    struct mmio_code *place = (struct mmio_code *)(uintptr_t)vcpu->mmio_code;

    place += key->linear_address % MMIO_CODE_COUNT;
    __asm__("" : "+r"(place)); /* made once, not for each member */
    return place;
}

/* Those of a walk have one size: 8 bytes in long mode, else 4, since PAE paging is not remembered. */
static inline bool entries_are_same(const struct mmio_code *code)
{
    const struct mmio_code_entry *end = &code->entries[code->entry_count];

    if (code->key.mode & MMIO_MODE_LONG) {
        for (const struct mmio_code_entry *entry = code->entries; entry != end; entry++)
            if (unlikely(__atomic_load_n((const uint64_t *)entry->view, __ATOMIC_RELAXED) != entry->raw))
                return false;
    } else {
        for (const struct mmio_code_entry *entry = code->entries; entry != end; entry++)
            if (unlikely(__atomic_load_n((const uint32_t *)entry->view, __ATOMIC_RELAXED) != entry->raw))
                return false;
    }
    return true;
}

const struct mmio_code *mmio_remembered(const struct vcpu *vcpu, uint64_t rip, uint32_t code_rights,
                                        struct mmio_key *key)
{
    const struct mmio_key now = key_of(vcpu, rip, code_rights);
    const struct mmio_code *code = place_of(vcpu, &now);

    if (likely(code->key.linear_address == now.linear_address && code->key.cr3 == now.cr3 &&
               code->key.mode == now.mode && code->key.code_size == now.code_size && entries_are_same(code) &&
               load_unaligned(code->view) == code->bytes[0] &&
               load_unaligned(code->view + INSTRUCTION_LENGTH_MAX - 8) == code->bytes[1]))
        return code;
    *key = now;
    return NULL;
}

void mmio_forget(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < MMIO_CODE_COUNT; i++)
        vcpu->mmio_code[i].key.code_size = 0;
}

/* Fills a place if all that it stands on can be looked at again. Its key comes last: until then it is empty.
 */
static void remember(struct linear *linear, struct mmio_code *code, const struct mmio_key *key,
                     const struct mmio_bytes *bytes, const struct guest_walk *walk)
{
    struct vm *vm = linear->vcpu->vm;

    /* The PDPTE registers are not looked at again, and a second page would have entries of its own. */
    if (walk->mode == GUEST_MODE_PAE ||
        (bytes->linear_address & (PAGE_SIZE - 1)) > PAGE_SIZE - INSTRUCTION_LENGTH_MAX)
        return;
    code->entry_count = walk->count;
    for (unsigned i = 0; i < walk->count; i++) {
        code->entries[i].view = guest_memory_view(vm, walk->steps[i].gpa, walk->steps[i].size);
        code->entries[i].raw = walk->steps[i].raw;
        if (code->entries[i].view == NULL)
            return;
    }
    code->view = guest_memory_view(vm, walk->gpa, INSTRUCTION_LENGTH_MAX);
    if (code->view == NULL)
        return;
    code->bytes[0] = load_unaligned(bytes->bytes);
    code->bytes[1] = load_unaligned(bytes->bytes + INSTRUCTION_LENGTH_MAX - 8);
    code->key = *key;
}

/* Copies bytes from a linear address on, up to 15 in all, not beyond its page. */
static enum emulate_status fetch(struct linear *linear, struct mmio_bytes *code, uint64_t linear_address,
                                 struct guest_walk *walk, struct emulate_exception *exception)
{
    unsigned room = PAGE_SIZE - (unsigned)(linear_address & (PAGE_SIZE - 1));
    unsigned length = INSTRUCTION_LENGTH_MAX - code->count;

    enum emulate_status status = linear_walk(linear, linear_address, GUEST_ACCESS_FETCH, walk, exception);

    if (status != EMULATE_DONE)
        return status;
    if (length > room)
        length = room;
    if (guest_memory_read(linear->vcpu->vm, walk->gpa, code->bytes + code->count, length) == length) {
        code->count += length;
        return EMULATE_DONE;
    }
    code->missing = walk->gpa;
    return EMULATE_DONE;
}

/* Two readings that agree are no mixture of what another vCPU has found there and what it has written. */
static bool has_changed(struct linear *linear, const struct guest_walk *walk, const struct mmio_bytes *bytes)
{
    unsigned here = PAGE_SIZE - (unsigned)(bytes->linear_address & (PAGE_SIZE - 1));
    unsigned length = bytes->count < here ? bytes->count : here;
    uint8_t again[INSTRUCTION_LENGTH_MAX];

    return guest_memory_read(linear->vcpu->vm, walk->gpa, again, length) != length ||
           memcmp(again, bytes->bytes, length) != 0;
}

static bool is_plain(const struct instruction *instruction)
{
    return instruction->operation == OPERATION_MOV && instruction->source != OPERAND_SEGMENT &&
           !instruction_uses_rsp(instruction);
}

/* Makes of the bytes what it can. The second page is looked at only if the instruction goes on there. */
static enum emulate_status fetch_and_decode(struct linear *linear, struct mmio_bytes *bytes,
                                            struct guest_walk *walk, struct instruction *instruction,
                                            enum decode_status *decoded, struct emulate_exception *exception)
{
    enum emulate_status status = fetch(linear, bytes, bytes->linear_address, walk, exception);
    struct guest_walk second;

    if (status != EMULATE_DONE)
        return status;
    *decoded = decode_instruction(bytes->bytes, bytes->count, bytes->code_size, instruction);
    if (*decoded == DECODE_MORE && bytes->count < INSTRUCTION_LENGTH_MAX && bytes->missing == UINT64_MAX) {
        uint64_t next = bytes->linear_address + bytes->count;

        status = fetch(linear, bytes, bytes->code_size == 8 ? next : (uint32_t)next, &second, exception);
        if (status != EMULATE_DONE)
            return status;
        *decoded = decode_instruction(bytes->bytes, bytes->count, bytes->code_size, instruction);
    }
    return EMULATE_DONE;
}

enum emulate_status mmio_decode(struct linear *linear, const struct mmio_key *key, struct mmio_bytes *bytes,
                                const struct mmio_code **code, enum decode_status *decoded,
                                struct emulate_exception *exception)
{
    struct mmio_code *place = place_of(linear->vcpu, key);
    struct instruction *instruction = &place->instruction;
    bool several = linear->vcpu->vm->vcpu_count > 1;
    struct guest_walk walk;
    enum emulate_status status;

    *code = place;
    place->key.code_size = 0;
    *bytes = (struct mmio_bytes){
        .linear_address = key->linear_address, .code_size = key->code_size, .missing = UINT64_MAX};
    status = fetch_and_decode(linear, bytes, &walk, instruction, decoded, exception);
    if (status != EMULATE_DONE)
        return status;
    if (several && has_changed(linear, &walk, bytes))
        return EMULATE_RESTART;
    if (*decoded == DECODE_OK)
        *decoded = decode_for_features(instruction, linear->vcpu->decode_features);
    if (*decoded != DECODE_OK)
        return EMULATE_DONE;
    place->move = is_plain(instruction) && !boundary_has_breakpoints(linear->vcpu);
    place->plain = place->move && !several;
    remember(linear, place, key, bytes, &walk);
    return EMULATE_DONE;
}
