/* SPDX-License-Identifier: MIT */
/* From an EPT violation at a device to the instruction done. */
#include "vmm/mmio.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "drivers/format.h"
#include "ept/qualification.h"
#include "vmm/emulate.h"
#include "vmm/emulate_operand.h"
#include "vmm/mmio_memory.h"
#include "vmm/vmcs.h"

#define RFLAGS_AC (UINT64_C(1) << 18)
/* Three characters a byte. */
#define BYTES_TEXT_SIZE (3 * INSTRUCTION_LENGTH_MAX + 1)

static enum exit_action ended(struct vcpu *vcpu)
{
    vcpu->result.code = RESULT_ENDED;
    return EXIT_ACTION_STOP;
}

/* Ends the guest with the line that shows the instruction. */
static enum exit_action not_emulated(struct mmio *mmio, const struct mmio_bytes *code)
{
    char text[BYTES_TEXT_SIZE];
    size_t length = 0;

    for (unsigned i = 0; i < code->count; i++)
        length += format(text + length, sizeof(text) - length, " %02x", code->bytes[i]);
    text[length < sizeof(text) ? length : sizeof(text) - 1] = '\0';
    vm_end(mmio->vcpu->vm, VM_FAILED, "cannot decode bits=%u bytes=%s at a device gpa=%#llx",
           code->code_size * 8, text + 1, (unsigned long long)mmio->guest_physical_address);
    return ended(mmio->vcpu);
}

static enum exit_action raise(struct vcpu *vcpu, const struct emulate_exception *exception)
{
    if (exception->vector == VECTOR_PF)
        inject_page_fault(vcpu, exception->address, exception->error_code);
    else
        inject_exception(vcpu, exception->vector, exception->error_code);
    return EXIT_ACTION_RESUME;
}

/*
 * MOV within one page, most of what programs do to a device: the exit says where its one access is, and the
 * processor has checked segment, alignment and paging before it. At the start of a page it is not known
 * whether the access began there or in the page before.
 */
static inline bool is_plain_move(const struct mmio_code *code, uint64_t guest_physical_address)
{
    unsigned offset = (unsigned)guest_physical_address & (PAGE_SIZE - 1);

    return code->plain && offset != 0 && offset + code->instruction.memory_size <= PAGE_SIZE;
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

/* Puts the registers back that no exit handler has in its hands, and goes on. */
static enum exit_action finish(struct mmio *mmio, const struct emulate_processor *processor,
                               const struct instruction *instruction, enum emulate_status status,
                               uint64_t old_rflags)
{
    struct vcpu *vcpu = mmio->vcpu;
    uint64_t rflags = processor->rflags;

    if (status == EMULATE_REFUSED)
        return ended(vcpu);
    if (status == EMULATE_DONE)
        rflags &= ~RFLAGS_RF;
    if (rflags != old_rflags)
        vmcs_write(VMCS_GUEST_RFLAGS, rflags);
    if (instruction_uses_rsp(instruction))
        vmcs_write(VMCS_GUEST_RSP, processor->gpr[REGISTER_RSP]);
    vcpu->result.code = RESULT_DEVICE;
    if (vm_has_ended(vcpu->vm))
        return EXIT_ACTION_STOP;
    /* Between two elements of a string a guest that single-steps has its trap, too. */
    if (status == EMULATE_DONE || (status == EMULATE_AGAIN && (rflags & RFLAGS_TF)))
        exit_advance_to(vcpu, processor->rip, rflags);
    return EXIT_ACTION_SETTLED;
}

static enum exit_action emulate(struct mmio *mmio, const struct instruction *instruction, uint64_t rip,
                                uint64_t rflags)
{
    struct vcpu *vcpu = mmio->vcpu;
    const struct guest_paging *paging = &mmio->paging;
    struct emulate_exception exception;
    struct emulate_processor processor = {
        .gpr = vcpu->registers.gpr,
        .rip = rip,
        .rflags = rflags,
        .protected_mode = (paging->cr0 & CR0_PE) && !(rflags & RFLAGS_VM),
        .check_alignment = paging->user && (paging->cr0 & CR0_AM) && (rflags & RFLAGS_AC),
        .linear_width = paging->cr4 & CR4_LA57 ? 57 : 48,
        .elements_max = rflags & RFLAGS_TF ? 1 : EMULATE_ELEMENTS_MAX,
        .context = mmio,
        .segment = mmio_segment,
        .translate = mmio_translate,
        .read = mmio_read,
        .write = mmio_write,
    };
    enum emulate_status status;
    enum exit_action action;

    if (instruction_uses_rsp(instruction))
        vcpu->registers.gpr[GPR_RSP] = vmcs_read(VMCS_GUEST_RSP);
    status = emulate_instruction(&processor, instruction, &exception);
    action = finish(mmio, &processor, instruction, status, rflags);
    if (status == EMULATE_EXCEPTION && action != EXIT_ACTION_STOP)
        return raise(vcpu, &exception);
    return action;
}

/* What is not remembered, or no plain MOV. */
static __attribute__((noinline)) enum exit_action
decode_and_emulate(struct vcpu *vcpu, const struct ept_violation *violation, const struct mmio_key *key,
                   const struct mmio_code *code, uint64_t rip, uint64_t rflags)
{
    struct emulate_exception exception;
    enum decode_status decoded = DECODE_OK;
    struct mmio_bytes bytes;
    struct mmio mmio = {.vcpu = vcpu,
                        .linear_address = vmcs_read(VMCS_GUEST_LINEAR_ADDRESS),
                        .guest_physical_address = violation->guest_physical_address,
                        .write = violation->qualification & EPT_QUALIFICATION_WRITE};

    guest_paging_state(vcpu, &mmio.paging);
    if (code == NULL) {
        switch (mmio_decode(&mmio, key, &bytes, &code, &decoded, &exception)) {
        case EMULATE_DONE:
            break;
        case EMULATE_EXCEPTION:
            return raise(vcpu, &exception);
        default:
            return ended(vcpu);
        }
    }
    switch (decoded) {
    case DECODE_OK:
        if (is_plain_move(code, mmio.guest_physical_address))
            return plain_move(vcpu, &code->instruction, mmio.guest_physical_address, rip, rflags);
        return emulate(&mmio, &code->instruction, rip, rflags);
    case DECODE_UNDEFINED:
        return exit_inject_ud(vcpu);
    case DECODE_TOO_LONG:
        return exit_inject_gp(vcpu);
    default:
        return not_emulated(&mmio, &bytes);
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
        step_finish(vcpu, false);
    vmcs_read_three(VMCS_GUEST_RIP, &rip, VMCS_GUEST_RFLAGS, &rflags, VMCS_GUEST_CS_ACCESS_RIGHTS, &rights);
    code = mmio_remembered(vcpu, rip, (uint32_t)rights, &key);
    if (likely(code != NULL && is_plain_move(code, violation->guest_physical_address)))
        return plain_move(vcpu, &code->instruction, violation->guest_physical_address, rip, rflags);
    return decode_and_emulate(vcpu, violation, &key, code, rip, rflags);
}
