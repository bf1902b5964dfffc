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

#define CODE_SEGMENT_L   (1u << 13)
#define CODE_SEGMENT_DB  (1u << 14)
#define PENDING_DEBUG_BS (UINT64_C(1) << 14)
#define RFLAGS_AC        (UINT64_C(1) << 18)
/* Three characters a byte. */
#define BYTES_TEXT_SIZE (3 * INSTRUCTION_LENGTH_MAX + 1)

bool mmio_at_device(const struct vm *vm, uint64_t guest_physical_address, uint64_t qualification)
{
    const uint64_t translated = EPT_QUALIFICATION_LINEAR_VALID | EPT_QUALIFICATION_TRANSLATED;

    return (qualification & translated) == translated && !(qualification & EPT_QUALIFICATION_EXECUTE) &&
           bus_has_memory(&vm->pc.bus, guest_physical_address);
}

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

static unsigned code_size(const struct mmio *mmio, uint32_t rights)
{
    if ((rights & CODE_SEGMENT_L) && (mmio->paging.efer & EFER_LMA))
        return 8;
    return rights & CODE_SEGMENT_DB ? 4 : 2;
}

static enum exit_action raise(struct vcpu *vcpu, const struct emulate_exception *exception)
{
    if (exception->vector == VECTOR_PF)
        inject_page_fault(vcpu, exception->address, exception->error_code);
    else
        inject_exception(vcpu, exception->vector, exception->error_code);
    return EXIT_ACTION_RESUME;
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
    /* A violation saves RF as 1, so that the instruction would not break again. Done, it has cleared RF. */
    if (status == EMULATE_DONE)
        rflags &= ~RFLAGS_RF;
    if (rflags != old_rflags)
        vmcs_write(VMCS_GUEST_RFLAGS, rflags);
    if (instruction_uses_rsp(instruction))
        vmcs_write(VMCS_GUEST_RSP, processor->gpr[REGISTER_RSP]);
    vcpu->result.code = RESULT_DEVICE;
    if (vcpu->vm->end.verdict != VM_RUNNING) /* the device has ended the guest */
        return EXIT_ACTION_STOP;
    /* Between two elements of a string a guest that single-steps has its trap, too. */
    if (status == EMULATE_DONE || (status == EMULATE_AGAIN && (rflags & RFLAGS_TF)))
        exit_advance_to(vcpu, processor->rip);
    return EXIT_ACTION_RESUME;
}

/*
 * MOV within one page, most of what programs do to a device: the exit says where its one access is, and the
 * processor has checked segment, alignment and paging before it. At the start of a page it is not known
 * whether the access began there or in the page before.
 */
static bool is_plain_move(const struct mmio *mmio, const struct instruction *instruction)
{
    unsigned offset = (unsigned)mmio->linear_address & (PAGE_SIZE - 1);

    return instruction->operation == OPERATION_MOV && instruction->source != OPERAND_SEGMENT && offset != 0 &&
           offset + instruction->memory_size <= PAGE_SIZE && !instruction_uses_rsp(instruction);
}

static enum exit_action plain_move(struct mmio *mmio, const struct instruction *instruction, uint64_t rip,
                                   uint64_t rflags)
{
    struct emulate_processor processor;
    struct emulate_place place;
    enum emulate_status status;
    uint64_t value;

    processor.gpr = mmio->vcpu->registers.gpr;
    processor.rip = rip;
    processor.rflags = rflags;
    place.guest_physical[0] = mmio->guest_physical_address;
    place.size[0] = instruction->memory_size;
    place.size[1] = 0;
    if (instruction->destination == OPERAND_REGISTER) {
        status = mmio_read(mmio, &place, &value);
        if (status == EMULATE_DONE)
            operand_write_register(&processor, instruction, value);
    } else {
        value = instruction->source == OPERAND_REGISTER ? operand_register(&processor, instruction)
                                                        : instruction->immediate;
        status = mmio_write(mmio, &place, value);
    }
    processor.rip = operand_next_rip(&processor, instruction);
    return finish(mmio, &processor, instruction, status, rflags);
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
    if (status == EMULATE_EXCEPTION && action == EXIT_ACTION_RESUME)
        return raise(vcpu, &exception);
    return action;
}

enum exit_action exit_mmio(struct vcpu *vcpu, uint64_t guest_physical_address, uint64_t qualification)
{
    uint32_t vectoring = (uint32_t)vmcs_read(VMCS_IDT_VECTORING_INFORMATION);
    const struct instruction *instruction;
    struct emulate_exception exception;
    enum decode_status decoded;
    enum emulate_status status;
    struct mmio_bytes code;
    struct mmio mmio;
    uint64_t rip, rflags;

    if (vectoring & EVENT_VALID) {
        vm_end(vcpu->vm, VM_FAILED, "a device at gpa=%#llx is in the way of an event's delivery: vector=%u",
               (unsigned long long)guest_physical_address, EVENT_VECTOR(vectoring));
        return ended(vcpu);
    }
    if (vcpu->step.active) /* a hole was met before by the same instruction, or the monitor steps: all of it
                              is emulated now */
        step_finish(vcpu, false);
    rip = vmcs_read(VMCS_GUEST_RIP);
    rflags = vmcs_read(VMCS_GUEST_RFLAGS);
    mmio.vcpu = vcpu;
    mmio.linear_address = vmcs_read(VMCS_GUEST_LINEAR_ADDRESS);
    mmio.guest_physical_address = guest_physical_address;
    mmio.write = qualification & EPT_QUALIFICATION_WRITE;
    guest_paging_state(vcpu, &mmio.paging);
    code.code_size = code_size(&mmio, (uint32_t)vmcs_read(VMCS_GUEST_CS_ACCESS_RIGHTS));
    code.linear_address = code.code_size == 8 ? rip : (uint32_t)(rip + vmcs_read(VMCS_GUEST_CS_BASE));
    status = mmio_decode(&mmio, &code, &instruction, &decoded, &exception);
    if (status == EMULATE_EXCEPTION)
        return raise(vcpu, &exception);
    if (status == EMULATE_REFUSED)
        return ended(vcpu);
    switch (decoded) {
    case DECODE_OK:
        if (likely(is_plain_move(&mmio, instruction)))
            return plain_move(&mmio, instruction, rip, rflags);
        return emulate(&mmio, instruction, rip, rflags);
    case DECODE_UNDEFINED:
        return exit_inject_ud(vcpu);
    case DECODE_TOO_LONG:
        return exit_inject_gp(vcpu);
    default:
        return not_emulated(&mmio, &code);
    }
}
