/* SPDX-License-Identifier: MIT */
/* PUSH, POP, CALL and JMP with a memory operand. SDM vol. 1, "Procedure Stack". */
#include "vmm/emulate/alu.h"
#include "vmm/emulate/operand.h"

/* The bits of RSP that count: all in 64-bit code, else as SS.B says. */
static uint64_t stack_mask(struct emulate_processor *processor, const struct instruction *instruction)
{
    struct emulate_segment stack;

    if (instruction->code_size == 8)
        return UINT64_MAX;
    processor->segment(processor->context, SEGMENT_SS, &stack);
    return stack.access_rights & SEGMENT_DB ? UINT32_MAX : UINT16_MAX;
}

/* Finds the operand on the stack; *top becomes the stack pointer after the instruction. */
static enum emulate_status locate_stack(struct emulate_processor *processor,
                                        const struct instruction *instruction, bool push,
                                        struct emulate_place *place, uint64_t *top,
                                        struct emulate_exception *exception)
{
    unsigned size = instruction->operand_size;
    uint64_t mask = stack_mask(processor, instruction);
    uint64_t old = processor->gpr[REGISTER_RSP], changed = push ? old - size : old + size;

    *top = mask == UINT32_MAX ? changed & mask : (old & ~mask) | (changed & mask);
    return operand_locate(processor, instruction, SEGMENT_SS, (push ? changed : old) & mask, size, push,
                          place, exception);
}

static enum emulate_status locate_memory(struct emulate_processor *processor,
                                         const struct instruction *instruction, struct emulate_place *place,
                                         struct emulate_exception *exception)
{
    return operand_locate(processor, instruction, (enum segment_register)instruction->memory.segment,
                          operand_offset(processor, instruction), instruction->memory_size,
                          instruction->operation == OPERATION_POP, place, exception);
}

static enum emulate_status push(struct emulate_processor *processor, const struct instruction *instruction,
                                struct emulate_exception *exception)
{
    struct emulate_place memory, stack;
    uint64_t value, top;
    enum emulate_status status = locate_memory(processor, instruction, &memory, exception);

    if (status == EMULATE_DONE)
        status = locate_stack(processor, instruction, true, &stack, &top, exception);
    if (status == EMULATE_DONE)
        status = processor->read(processor->context, &memory, &value);
    if (status == EMULATE_DONE)
        status = processor->write(processor->context, &stack, value);
    if (status == EMULATE_DONE)
        processor->gpr[REGISTER_RSP] = top;
    return status;
}

/* An operand addressed by RSP is addressed with the stack pointer already moved. SDM vol. 2, "POP". */
static enum emulate_status pop(struct emulate_processor *processor, const struct instruction *instruction,
                               struct emulate_exception *exception)
{
    struct emulate_place memory, stack;
    uint64_t value, top, old = processor->gpr[REGISTER_RSP];
    enum emulate_status status = locate_stack(processor, instruction, false, &stack, &top, exception);

    if (status != EMULATE_DONE)
        return status;
    processor->gpr[REGISTER_RSP] = top;
    status = locate_memory(processor, instruction, &memory, exception);
    if (status == EMULATE_DONE)
        status = processor->read(processor->context, &stack, &value);
    if (status == EMULATE_DONE)
        status = processor->write(processor->context, &memory, value);
    if (status != EMULATE_DONE)
        processor->gpr[REGISTER_RSP] = old;
    return status;
}

/* Whether code may go on at `target`. SDM vol. 2, "CALL" and "JMP", exceptions. */
static bool target_allowed(struct emulate_processor *processor, const struct instruction *instruction,
                           uint64_t target)
{
    struct emulate_segment code;
    unsigned unused = 64u - processor->linear_width;

    if (instruction->code_size == 8)
        return (uint64_t)((int64_t)(target << unused) >> unused) == target;
    processor->segment(processor->context, SEGMENT_CS, &code);
    return target <= code.limit;
}

/* The pointer must be read to be checked. */
static enum emulate_status branch(struct emulate_processor *processor, const struct instruction *instruction,
                                  struct emulate_exception *exception)
{
    bool call = instruction->operation == OPERATION_CALL;
    uint64_t target, top = 0, back = operand_next_rip(processor, instruction);
    struct emulate_place memory, stack;
    enum emulate_status status = locate_memory(processor, instruction, &memory, exception);

    if (status == EMULATE_DONE && call)
        status = locate_stack(processor, instruction, true, &stack, &top, exception);
    if (status == EMULATE_DONE)
        status = processor->read(processor->context, &memory, &target);
    if (status != EMULATE_DONE)
        return status;
    if (!target_allowed(processor, instruction, target))
        return operand_raise(exception, EMULATE_VECTOR_GP, 0);
    if (call) {
        status = processor->write(processor->context, &stack, back & alu_mask(instruction->operand_size));
        if (status != EMULATE_DONE)
            return status;
        processor->gpr[REGISTER_RSP] = top;
    }
    processor->rip = target;
    return EMULATE_DONE;
}

enum emulate_status emulate_stack(struct emulate_processor *processor, const struct instruction *instruction,
                                  struct emulate_exception *exception)
{
    switch (instruction->operation) {
    case OPERATION_PUSH:
        return push(processor, instruction, exception);
    case OPERATION_POP:
        return pop(processor, instruction, exception);
    default:
        return branch(processor, instruction, exception);
    }
}
