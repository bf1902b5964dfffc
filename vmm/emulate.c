/* SPDX-License-Identifier: MIT */
/* One instruction with a memory operand. SDM vol. 2, "Instruction Set Reference". */
#include "vmm/emulate.h"
#include "vmm/emulate_alu.h"
#include "vmm/emulate_operand.h"

/* An instruction under way. */
struct run {
    struct emulate_processor *processor;
    const struct instruction *instruction;
    struct emulate_exception *exception;
    struct emulate_place memory; /* the explicit operand */
    uint64_t offset;             /* its offset in its segment */
};

/* Whether the memory operand is read, where it is the destination. */
static bool reads_destination(unsigned operation)
{
    switch (operation) {
    case OPERATION_MOV:
    case OPERATION_MOVBE:
    case OPERATION_SET:
        return false;
    default:
        return true;
    }
}

static bool writes_destination(unsigned operation)
{
    switch (operation) {
    case OPERATION_CMP:
    case OPERATION_TEST:
    case OPERATION_BT:
    case OPERATION_MUL:
    case OPERATION_IMUL:
        return false;
    default:
        return true;
    }
}

static bool writes_memory(const struct instruction *instruction)
{
    return instruction->destination == OPERAND_MEMORY && writes_destination(instruction->operation);
}

/*
 * A bit number in a register reaches beyond the operand, by as many operands as it counts; one in an
 * immediate does not. SDM vol. 1, "Bit String"; SDM vol. 2, "BT - Bit Test".
 */
static void move_by_bit_number(struct run *run)
{
    const struct instruction *instruction = run->instruction;
    unsigned size = instruction->operand_size, shift = size == 2 ? 4 : size == 4 ? 5 : 6;
    int64_t number;

    if (instruction->operation < OPERATION_BT || instruction->operation > OPERATION_BTC ||
        instruction->source != OPERAND_REGISTER)
        return;
    number = (int64_t)alu_sign_extend(operand_register(run->processor, instruction), size);
    run->offset += (uint64_t)((number >> shift) * (int64_t)size);
    run->offset &= alu_mask(instruction->address_size);
}

static enum emulate_status locate_memory(struct run *run)
{
    const struct instruction *instruction = run->instruction;

    return operand_locate(run->processor, instruction, (enum segment_register)instruction->memory.segment,
                          run->offset, instruction->memory_size, writes_memory(instruction), &run->memory,
                          run->exception);
}

static enum emulate_status read_memory(struct run *run, uint64_t *value)
{
    *value = 0;
    return run->processor->read(run->processor->context, &run->memory, value);
}

static enum emulate_status write_memory(struct run *run, uint64_t value)
{
    return run->processor->write(run->processor->context, &run->memory,
                                 value & alu_mask(run->instruction->memory_size));
}

/* A source that is not memory. */
static uint64_t source_value(const struct run *run, enum operand source)
{
    struct emulate_segment segment;

    switch (source) {
    case OPERAND_REGISTER:
        return operand_register(run->processor, run->instruction);
    case OPERAND_SEGMENT:
        run->processor->segment(run->processor->context, (enum segment_register)run->instruction->reg,
                                &segment);
        return segment.selector;
    case OPERAND_IMMEDIATE:
        return run->instruction->immediate;
    case OPERAND_CL:
        return run->processor->gpr[REGISTER_RCX] & 0xff;
    default:
        return 0;
    }
}

/* Register <- memory. */
static enum emulate_status load(struct run *run)
{
    struct emulate_processor *processor = run->processor;
    const struct instruction *instruction = run->instruction;
    unsigned size = instruction->operand_size;
    enum emulate_status status;
    uint64_t value, high;

    status = read_memory(run, &value);
    if (status != EMULATE_DONE)
        return status;
    switch (instruction->operation) {
    case OPERATION_MOV:
    case OPERATION_MOVZX:
        break;
    case OPERATION_MOVSX:
        value = alu_sign_extend(value, instruction->memory_size);
        break;
    case OPERATION_MOVBE:
        value = alu_swap_bytes(value, size);
        break;
    case OPERATION_CMOV: /* reads, and clears an upper half, whatever the condition */
        if (!alu_condition(instruction->condition, processor->rflags))
            value = operand_register(processor, instruction);
        break;
    case OPERATION_IMUL_TO:
        value =
            alu_multiply(true, size, value,
                         instruction->third == OPERAND_IMMEDIATE ? instruction->immediate
                                                                 : operand_register(processor, instruction),
                         &high, &processor->rflags);
        break;
    default:
        value = alu_compute(instruction->operation, size, operand_register(processor, instruction), value,
                            &processor->rflags);
        if (instruction->operation == OPERATION_CMP)
            return EMULATE_DONE;
    }
    operand_write_register(processor, instruction, value);
    return EMULATE_DONE;
}

/* Memory is written even if the comparison fails, with what was in it. */
static enum emulate_status compare_exchange(struct run *run, uint64_t old)
{
    struct emulate_processor *processor = run->processor;
    unsigned size = run->instruction->operand_size;
    uint64_t accumulator = processor->gpr[REGISTER_RAX] & alu_mask(size), flags = processor->rflags;
    bool equal = accumulator == old;
    enum emulate_status status;

    (void)alu_compute(OPERATION_CMP, size, accumulator, old, &flags);
    status = write_memory(run, equal ? operand_register(processor, run->instruction) : old);
    if (status != EMULATE_DONE)
        return status;
    processor->rflags = flags;
    if (!equal)
        operand_set_register(processor, REGISTER_RAX, size, old);
    return EMULATE_DONE;
}

static enum emulate_status compare_exchange_8_bytes(struct run *run, uint64_t old)
{
    uint64_t *gpr = run->processor->gpr;
    bool equal = old == (gpr[REGISTER_RDX] << 32 | (uint32_t)gpr[REGISTER_RAX]);
    enum emulate_status status =
        write_memory(run, equal ? gpr[REGISTER_RCX] << 32 | (uint32_t)gpr[REGISTER_RBX] : old);

    if (status != EMULATE_DONE)
        return status;
    if (equal) {
        run->processor->rflags |= FLAG_ZF;
        return EMULATE_DONE;
    }
    run->processor->rflags &= ~FLAG_ZF;
    gpr[REGISTER_RAX] = (uint32_t)old;
    gpr[REGISTER_RDX] = old >> 32;
    return EMULATE_DONE;
}

/* MUL and IMUL of the accumulator: AX, DX:AX, EDX:EAX, RDX:RAX. */
static enum emulate_status multiply(struct run *run, uint64_t value)
{
    struct emulate_processor *processor = run->processor;
    unsigned size = run->instruction->operand_size;
    uint64_t high, low = alu_multiply(run->instruction->operation == OPERATION_IMUL, size,
                                      processor->gpr[REGISTER_RAX], value, &high, &processor->rflags);

    if (size == 1) {
        operand_set_register(processor, REGISTER_RAX, 2, high << 8 | low);
    } else {
        operand_set_register(processor, REGISTER_RAX, size, low);
        operand_set_register(processor, REGISTER_RDX, size, high);
    }
    return EMULATE_DONE;
}

/* Memory <- memory and perhaps a second operand. */
static enum emulate_status modify(struct run *run)
{
    struct emulate_processor *processor = run->processor;
    const struct instruction *instruction = run->instruction;
    unsigned operation = instruction->operation, size = instruction->operand_size;
    uint64_t old, result, flags = processor->rflags, source;
    enum emulate_status status = read_memory(run, &old);

    if (status != EMULATE_DONE)
        return status;
    source = source_value(run, (enum operand)instruction->source);
    switch (operation) {
    case OPERATION_CMPXCHG:
        return compare_exchange(run, old);
    case OPERATION_CMPXCHG8B:
        return compare_exchange_8_bytes(run, old);
    case OPERATION_MUL:
    case OPERATION_IMUL:
        return multiply(run, old);
    case OPERATION_XCHG:
        result = source;
        break;
    case OPERATION_XADD:
        result = alu_compute(OPERATION_ADD, size, old, source, &flags);
        break;
    case OPERATION_SHLD:
    case OPERATION_SHRD:
        result = alu_shift(operation, size, old, source,
                           (unsigned)source_value(run, (enum operand)instruction->third), &flags);
        break;
    default:
        result = operation >= OPERATION_ROL && operation <= OPERATION_SAR
                     ? alu_shift(operation, size, old, 0, (unsigned)source, &flags)
                     : alu_compute(operation, size, old, source, &flags);
    }
    if (writes_destination(operation))
        status = write_memory(run, result);
    if (status != EMULATE_DONE)
        return status;
    processor->rflags = flags;
    if (operation == OPERATION_XCHG || operation == OPERATION_XADD)
        operand_write_register(processor, instruction, old);
    return EMULATE_DONE;
}

/* Memory <- value. */
static enum emulate_status store(struct run *run)
{
    const struct instruction *instruction = run->instruction;
    uint64_t value = source_value(run, (enum operand)instruction->source);

    if (instruction->operation == OPERATION_SET)
        value = alu_condition(instruction->condition, run->processor->rflags);
    else if (instruction->operation == OPERATION_MOVBE)
        value = alu_swap_bytes(value, instruction->operand_size);
    return write_memory(run, value);
}

static enum emulate_status execute(struct run *run)
{
    enum emulate_status status;

    status = locate_memory(run);
    if (status != EMULATE_DONE)
        return status;
    if (run->instruction->destination == OPERAND_REGISTER)
        return load(run);
    return reads_destination(run->instruction->operation) ? modify(run) : store(run);
}

enum emulate_status emulate_instruction(struct emulate_processor *processor,
                                        const struct instruction *instruction,
                                        struct emulate_exception *exception)
{
    struct run run;
    enum emulate_status status;

    if (operation_is_string(instruction->operation)) {
        status = emulate_string(processor, instruction, exception);
    } else if (operation_uses_stack(instruction->operation)) {
        status = emulate_stack(processor, instruction, exception);
    } else {
        run.processor = processor;
        run.instruction = instruction;
        run.exception = exception;
        run.offset = operand_offset(processor, instruction);
        move_by_bit_number(&run);
        status = execute(&run);
    }
    if (status == EMULATE_DONE && instruction->operation != OPERATION_JMP &&
        instruction->operation != OPERATION_CALL)
        processor->rip = operand_next_rip(processor, instruction);
    return status;
}
