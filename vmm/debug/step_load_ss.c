/* SPDX-License-Identifier: MIT */
/* A load of SS in the guest's stead: the operand, the descriptor, the registers. */
#include "vmm/debug/step_load_ss.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/emulate/operand.h"
#include "vmm/exit/exit.h"
#include "vmm/vcpu/inject.h"
#include "vmm/emulate/linear.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/devices/pc.h"

#define OPCODE_MOV_LOAD 0x8b

/* A selector. */
#define SELECTOR_RPL   3u
#define SELECTOR_LDT   4u
#define SELECTOR_INDEX 0xfff8u

/* A descriptor. SDM vol. 3, "Segment Descriptors". */
#define DESCRIPTOR_ACCESSED (UINT64_C(1) << 40)
#define DESCRIPTOR_RIGHTS   UINT64_C(0xf0ff) /* of its bits 55:40, as a VMCS has them */
#define RIGHTS_DATA_MASK    0x9au            /* P, S, code, writable */
#define RIGHTS_DATA         0x92u
#define RIGHTS_DPL(rights)  (((rights) >> 5) & 3u)
#define RIGHTS_GRANULARITY  (1u << 15)
#define RIGHTS_UNUSABLE     (1u << 16)

struct load {
    struct vcpu *vcpu;
    const struct vcpu_code *code;
    struct linear linear, system; /* the instruction's accesses; the processor's to descriptors */
    bool real_mode;               /* or virtual-8086: a segment is its selector */
    uint16_t selector;
    uint64_t length, rsp; /* of the instruction; RSP behind it */
};

/* What a device gives is for the processor's own attempt. */
static enum emulate_status read(void *context, const struct emulate_place *place, uint64_t *value)
{
    struct linear *linear = context;

    for (unsigned i = 0; i < array_count(place->linear) && place->size[i] != 0; i++)
        if (bus_has_memory(&linear->vcpu->vm->pc->bus, place->guest_physical[i]))
            return EMULATE_REFUSED;
    return linear_read_place(linear, place, value);
}

static struct emulate_processor processor_of(struct load *load, uint64_t *gpr)
{
    struct emulate_processor processor;

    memcpy(gpr, load->vcpu->registers.gpr, sizeof(load->vcpu->registers.gpr));
    gpr[GPR_RSP] = load->rsp;
    linear_processor(&load->linear, load->code->rip, vmcs_read(VMCS_GUEST_RFLAGS), &processor);
    processor.gpr = gpr;
    processor.read = read;
    return processor;
}

static bool pop(struct load *load, const struct step_plan *plan)
{
    const struct instruction instruction = {
        .code_size = (uint8_t)load->code->code_size, .operand_size = 2, .memory_size = 2};
    bool wide = vmcs_read(VMCS_GUEST_SS_ACCESS_RIGHTS) & SEGMENT_DB;
    uint64_t mask = wide ? UINT32_MAX : UINT16_MAX, gpr[GPR_COUNT], value;
    struct emulate_processor processor = processor_of(load, gpr);
    struct emulate_exception exception;
    struct emulate_place place;

    if (operand_locate(&processor, &instruction, SEGMENT_SS, load->rsp & mask, plan->operand_size, false,
                       &place, &exception) != EMULATE_DONE ||
        read(&load->linear, &place, &value) != EMULATE_DONE)
        return false;
    load->selector = (uint16_t)value;
    load->rsp = (load->rsp & ~mask) | ((load->rsp + plan->operand_size) & mask);
    load->length = plan->length;
    return true;
}

/* Its operand is that of a MOV to a general-purpose register with the same bytes behind the opcode. */
static bool move_from_memory(struct load *load, const struct step_plan *plan)
{
    uint8_t bytes[INSTRUCTION_LENGTH_MAX];
    struct emulate_exception exception;
    struct instruction instruction;
    struct emulate_processor processor;
    uint64_t gpr[GPR_COUNT];

    memcpy(bytes, load->code->bytes, sizeof(bytes));
    bytes[plan->opcode_at] = OPCODE_MOV_LOAD;
    if (decode_instruction(bytes, load->code->count, load->code->code_size, &instruction) != DECODE_OK ||
        instruction.operation != OPERATION_MOV || instruction.destination != OPERAND_REGISTER)
        return false;
    instruction.operand_size = instruction.memory_size = 2;
    processor = processor_of(load, gpr);
    if (emulate_instruction(&processor, &instruction, &exception) != EMULATE_DONE)
        return false;
    load->selector = (uint16_t)gpr[instruction.reg];
    load->length = instruction.length;
    return true;
}

static bool operand(struct load *load, const struct step_plan *plan)
{
    if (plan->ss_register == STEP_SS_POPPED)
        return pop(load, plan);
    if (plan->ss_register >= GPR_COUNT)
        return move_from_memory(load, plan);
    load->selector =
        (uint16_t)(plan->ss_register == GPR_RSP ? load->rsp : load->vcpu->registers.gpr[plan->ss_register]);
    load->length = plan->length;
    return true;
}

static bool read_descriptor(struct load *load, uint64_t *linear, uint64_t *descriptor)
{
    bool local = load->selector & SELECTOR_LDT;
    uint64_t index = load->selector & SELECTOR_INDEX;
    uint64_t base = vmcs_read(local ? VMCS_GUEST_LDTR_BASE : VMCS_GUEST_GDTR_BASE);
    uint64_t limit = vmcs_read(local ? VMCS_GUEST_LDTR_LIMIT : VMCS_GUEST_GDTR_LIMIT);
    struct emulate_exception exception;

    if ((local && (vmcs_read(VMCS_GUEST_LDTR_ACCESS_RIGHTS) & RIGHTS_UNUSABLE)) ||
        index + sizeof(*descriptor) - 1 > limit)
        return false;
    *linear = base + index;
    return linear_read(&load->system, *linear, descriptor, sizeof(*descriptor), &exception) == EMULATE_DONE;
}

/* In protected mode; false: #GP, #SS, or a page fault. */
static bool load_segment(struct load *load)
{
    unsigned cpl = RIGHTS_DPL((unsigned)vmcs_read(VMCS_GUEST_SS_ACCESS_RIGHTS));
    struct emulate_exception exception;
    uint64_t linear, descriptor, limit;
    uint32_t rights;

    if ((load->selector & SELECTOR_RPL) != cpl)
        return false;
    if ((load->selector & ~SELECTOR_RPL) == 0) { /* a null selector */
        if (load->code->code_size != 8 || cpl == 3)
            return false;
        vmcs_write(VMCS_GUEST_SS_ACCESS_RIGHTS, RIGHTS_UNUSABLE | cpl << 5);
        return true;
    }
    if (!read_descriptor(load, &linear, &descriptor))
        return false;
    rights = (uint32_t)(descriptor >> 40 & DESCRIPTOR_RIGHTS);
    if ((rights & RIGHTS_DATA_MASK) != RIGHTS_DATA || RIGHTS_DPL(rights) != cpl)
        return false;
    if (!(descriptor & DESCRIPTOR_ACCESSED) &&
        linear_compare_exchange(&load->system, linear, sizeof(descriptor), descriptor,
                                descriptor | DESCRIPTOR_ACCESSED, &exception) != EMULATE_DONE)
        return false;
    limit = (descriptor & 0xffff) | (descriptor >> 32 & 0xf0000);
    vmcs_write(VMCS_GUEST_SS_BASE, (descriptor >> 16 & 0xffffff) | (descriptor >> 32 & 0xff000000));
    vmcs_write(VMCS_GUEST_SS_LIMIT, rights & RIGHTS_GRANULARITY ? limit << 12 | 0xfff : limit);
    vmcs_write(VMCS_GUEST_SS_ACCESS_RIGHTS, rights | (1u << 0));
    return true;
}

static void finish(struct load *load)
{
    uint64_t rip = load->code->rip + load->length, rflags = vmcs_read(VMCS_GUEST_RFLAGS) & ~RFLAGS_RF;

    vmcs_write(VMCS_GUEST_RSP, load->rsp);
    vmcs_write(VMCS_GUEST_RFLAGS, rflags);
    exit_advance_to(load->vcpu, load->code->code_size == 8 ? rip : (uint32_t)rip, rflags);
    boundary_block_by_mov_ss(load->vcpu);
}

must_check bool step_load_ss(struct vcpu *vcpu, const struct vcpu_code *code, const struct step_plan *plan)
{
    struct load load = {.vcpu = vcpu, .code = code, .rsp = vmcs_read(VMCS_GUEST_RSP)};

    linear_begin(&load.linear, vcpu);
    linear_begin_system(&load.system, vcpu);
    load.real_mode = !(vmcs_read(VMCS_GUEST_CR0) & CR0_PE) || (vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_VM);
    if (!operand(&load, plan))
        return false;
    if (load.real_mode)
        vmcs_write(VMCS_GUEST_SS_BASE, (uint64_t)load.selector << 4);
    else if (!load_segment(&load))
        return false;
    vmcs_write(VMCS_GUEST_SS_SELECTOR, load.selector);
    finish(&load);
    return true;
}
