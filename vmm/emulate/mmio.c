/* SPDX-License-Identifier: MIT */
/* From an EPT violation at a device to the instruction done. */
#include "vmm/emulate/mmio.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "drivers/format.h"
#include "ept/qualification.h"
#include "vmm/emulate/operand.h"
#include "vmm/emulate/mmio_code.h"
#include "vmm/emulate/mmio_memory.h"
#include "vmm/vcpu/code.h"
#include "vmm/emulate/vcpu.h"
#include "vmm/vcpu/vmcs.h"

/* Three characters a byte. */
#define BYTES_TEXT_SIZE (3 * INSTRUCTION_LENGTH_MAX + 1)

static enum exit_action ended(struct vcpu *vcpu)
{
    vcpu->result.code = RESULT_ENDED;
    return EXIT_ACTION_STOP;
}

/*
 * The bytes are none of an instruction that is emulated, or are in no RAM. Another vCPU may have written
 * them, or the tables that lead to them, behind the exit: then the processor is to try again what is there
 * now. What stays the same ends the guest, with the line that shows the instruction.
 */
static enum exit_action not_emulated(struct linear *linear, const struct mmio_bytes *code)
{
    struct vcpu *vcpu = linear->vcpu;
    char text[BYTES_TEXT_SIZE];
    size_t length = 0;

    if (!mmio_refuses(&vcpu->mmio_refusal, vcpu->exit_count, linear->guest_physical_address, code))
        return exit_again(vcpu);
    if (code->missing != UINT64_MAX) {
        vm_end(vcpu->vm, VM_FAILED, "device access by code that is in no RAM: gpa=%#llx",
               (unsigned long long)code->missing);
        return ended(vcpu);
    }
    for (unsigned i = 0; i < code->count; i++)
        length += format(text + length, sizeof(text) - length, " %02x", code->bytes[i]);
    text[length < sizeof(text) ? length : sizeof(text) - 1] = '\0';
    vm_end(vcpu->vm, VM_FAILED, "cannot decode bits=%u bytes=%s at a device gpa=%#llx", code->code_size * 8,
           text + 1, (unsigned long long)linear->guest_physical_address);
    return ended(vcpu);
}

/*
 * MOV within one page, most of what programs do to a device: the exit says where its one access is, and the
 * processor has checked segment, alignment and paging before it. At the start of a page it is not known
 * whether the access began there or in the page before.
 */
static inline bool is_within_page(const struct mmio_code *code, uint64_t guest_physical_address)
{
    unsigned offset = (unsigned)guest_physical_address & (PAGE_SIZE - 1);

    return offset != 0 && offset + code->instruction.memory_size <= PAGE_SIZE;
}

static inline void load_register(struct emulate_processor *processor, const struct instruction *instruction,
                                 uint64_t value)
{
    if (likely(instruction->operand_size >= 4)) /* as wide as the value, whose upper half is clear */
        processor->gpr[instruction->reg] = value;
    else
        operand_write_register(processor, instruction, value);
}

static inline __attribute__((always_inline)) enum exit_action
plain_move(struct vcpu *vcpu, const struct instruction *instruction, uint64_t guest_physical_address,
           uint64_t rip, uint64_t rflags)
{
    struct emulate_processor processor;
    enum emulate_status status;
    uint64_t value;

    processor.gpr = vcpu->registers.gpr;
    processor.rip = rip;
    if (instruction->destination == OPERAND_REGISTER) {
        status = mmio_device_read(vcpu, guest_physical_address, instruction->memory_size, &value);
        if (likely(status == EMULATE_DONE))
            load_register(&processor, instruction, value);
    } else {
        value = instruction->source == OPERAND_REGISTER ? operand_register(&processor, instruction)
                                                        : instruction->immediate;
        status = mmio_device_write(vcpu, guest_physical_address, instruction->memory_size, value);
    }
    if (unlikely(status != EMULATE_DONE))
        return ended(vcpu);
    vcpu->result.code = RESULT_DEVICE;
    /* A violation saves RF as 1, so that the instruction would not break again. Done, it has cleared RF. */
    if (rflags & RFLAGS_RF)
        vmcs_write(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF);
    if (unlikely(vm_has_ended(vcpu->vm))) /* by the device */
        return EXIT_ACTION_STOP;
    exit_advance_to(vcpu, operand_next_rip(&processor, instruction), rflags);
    return EXIT_ACTION_SETTLED;
}

/* Whether the exit can be of this MOV, and not of what another vCPU has meanwhile replaced by it. */
static bool fits(struct vcpu *vcpu, const struct ept_violation *violation,
                 const struct instruction *instruction, uint64_t rip)
{
    const struct vcpu_code code = {.rip = rip, .code_size = instruction->code_size};
    bool write = violation->qualification & EPT_QUALIFICATION_WRITE;
    uint64_t linear;

    return write == (instruction->destination == OPERAND_MEMORY) &&
           vcpu_operand_linear(vcpu, &code, instruction, &linear) &&
           linear == vmcs_read(VMCS_GUEST_LINEAR_ADDRESS);
}

static inline bool is_fitting_move(struct vcpu *vcpu, const struct ept_violation *violation,
                                   const struct mmio_code *code, uint64_t rip)
{
    return code->move && is_within_page(code, violation->guest_physical_address) &&
           (code->plain || fits(vcpu, violation, &code->instruction, rip));
}

/* What is not remembered, or no plain MOV. */
static __attribute__((noinline)) enum exit_action
decode_and_emulate(struct vcpu *vcpu, const struct ept_violation *violation, const struct mmio_key *key,
                   const struct mmio_code *code, uint64_t rip, uint64_t rflags)
{
    struct emulate_exception exception;
    enum decode_status decoded = DECODE_OK;
    struct mmio_bytes bytes;
    struct linear linear;

    if (code != NULL && is_fitting_move(vcpu, violation, code, rip))
        return plain_move(vcpu, &code->instruction, violation->guest_physical_address, rip, rflags);
    linear_begin(&linear, vcpu);
    linear.translated = true;
    linear.translated_write = violation->qualification & EPT_QUALIFICATION_WRITE;
    linear.linear_address = vmcs_read(VMCS_GUEST_LINEAR_ADDRESS);
    linear.guest_physical_address = violation->guest_physical_address;
    if (code == NULL) {
        switch (mmio_decode(&linear, key, &bytes, &code, &decoded, &exception)) {
        case EMULATE_DONE:
            break;
        case EMULATE_EXCEPTION:
            return vcpu_emulate_raise(vcpu, &exception);
        case EMULATE_RESTART:
            return exit_again(vcpu);
        default:
            return ended(vcpu);
        }
    }
    switch (decoded) {
    case DECODE_OK:
        if (is_fitting_move(vcpu, violation, code, rip))
            return plain_move(vcpu, &code->instruction, violation->guest_physical_address, rip, rflags);
        vcpu->result.code = RESULT_DEVICE;
        return vcpu_emulate(&linear, &code->instruction, rip, rflags);
    case DECODE_UNDEFINED:
        return exit_inject_ud(vcpu);
    case DECODE_TOO_LONG:
        return exit_inject_gp(vcpu);
    default:
        return not_emulated(&linear, &bytes);
    }
}

static __attribute__((noinline)) enum exit_action in_the_way(struct vcpu *vcpu,
                                                             const struct ept_violation *violation)
{
    vm_end(vcpu->vm, VM_FAILED, "a device at gpa=%#llx is in the way of an event's delivery: vector=%u",
           (unsigned long long)violation->guest_physical_address, EVENT_VECTOR(violation->vectoring));
    return ended(vcpu);
}

enum exit_action exit_mmio(struct vcpu *vcpu, const struct ept_violation *violation)
{
    const struct mmio_code *code;
    uint64_t rip, rflags, rights;
    struct mmio_key key;

    if (unlikely(violation->vectoring & EVENT_VALID))
        return in_the_way(vcpu, violation);
    if (unlikely(vcpu->step.active)) /* a hole was met before by the same instruction, or the monitor steps:
                                        all of it is emulated now */
        step_finish(vcpu);
    vmcs_read_three(VMCS_GUEST_RIP, &rip, VMCS_GUEST_RFLAGS, &rflags, VMCS_GUEST_CS_ACCESS_RIGHTS, &rights);
    code = mmio_remembered(vcpu, rip, (uint32_t)rights, &key);
    if (likely(code != NULL && code->plain && is_within_page(code, violation->guest_physical_address)))
        return plain_move(vcpu, &code->instruction, violation->guest_physical_address, rip, rflags);
    return decode_and_emulate(vcpu, violation, &key, code, rip, rflags);
}
