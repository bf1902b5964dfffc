/* SPDX-License-Identifier: MIT */
/* One instruction with a memory operand. SDM vol. 2, "Instruction Set Reference". */
#include "vmm/emulate/emulate.h"
#include "vmm/emulate/alu.h"
#include "vmm/emulate/operand.h"

/* Whether the memory operand is read, where it is the destination. */
static bool reads_destination(unsigned operation)
{
    switch (operation) {
    case OPERATION_MOV:
    case OPERATION_MOVBE:
    case OPERATION_SET:
    case OPERATION_SLDT:
    case OPERATION_STR:
    case OPERATION_SMSW:
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
    case OPERATION_DIV:
    case OPERATION_IDIV:
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
static void move_by_bit_number(struct emulate_run *run)
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

static enum emulate_status locate_memory(struct emulate_run *run)
{
    const struct instruction *instruction = run->instruction;

    return operand_locate(run->processor, instruction, (enum segment_register)instruction->memory.segment,
                          run->offset, instruction->memory_size, writes_memory(instruction), &run->memory,
                          run->exception);
}

static enum emulate_status read_memory(struct emulate_run *run, uint64_t *value)
{
    *value = 0;
    return run->processor->read(run->processor->context, &run->memory, value);
}

enum emulate_status emulate_write_memory(struct emulate_run *run, uint64_t value)
{
    return run->processor->write(run->processor->context, &run->memory,
                                 value & alu_mask(run->instruction->memory_size));
}

/* A source that is not memory. */
static uint64_t source_value(const struct emulate_run *run, enum operand source)
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
static enum emulate_status load(struct emulate_run *run)
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
    case OPERATION_BSF:
    case OPERATION_BSR:
        if (!alu_scan(instruction->operation, size, value, &value, &processor->rflags))
            return EMULATE_DONE; /* of 0: the register stays */
        break;
    case OPERATION_TZCNT:
    case OPERATION_LZCNT:
    case OPERATION_POPCNT:
        value = alu_count(instruction->operation, size, value, &processor->rflags);
        break;
    case OPERATION_CRC32:
        value =
            alu_crc32((uint32_t)operand_register(processor, instruction), value, instruction->memory_size);
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

/* Memory <- memory and perhaps a second operand. */
static enum emulate_status modify(struct emulate_run *run)
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
    case OPERATION_CMPXCHG8B:
    case OPERATION_MUL:
    case OPERATION_IMUL:
    case OPERATION_DIV:
    case OPERATION_IDIV:
        return emulate_accumulator(run, old);
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
        status = emulate_write_memory(run, result);
    if (status != EMULATE_DONE)
        return status;
    processor->rflags = flags;
    if (operation == OPERATION_XCHG || operation == OPERATION_XADD)
        operand_write_register(processor, instruction, old);
    return EMULATE_DONE;
}

/* Memory <- value. */
static enum emulate_status store(struct emulate_run *run)
{
    const struct instruction *instruction = run->instruction;
    uint64_t value = source_value(run, (enum operand)instruction->source);

    if (instruction->operation == OPERATION_SET)
        value = alu_condition(instruction->condition, run->processor->rflags);
    else if (instruction->operation == OPERATION_MOVBE)
        value = alu_swap_bytes(value, instruction->operand_size);
    else if (operation_is_system_store(instruction->operation))
        value = emulate_system_value(run);
    return emulate_write_memory(run, value);
}

static enum emulate_status execute(struct emulate_run *run)
{
    unsigned operation = run->instruction->operation;
    enum emulate_status status = EMULATE_DONE;

    if (operation_is_system_store(operation))
        status = emulate_system_check(run);
    if (status == EMULATE_DONE)
        status = locate_memory(run);
    if (status != EMULATE_DONE)
        return status;
    if (operation == OPERATION_CMPXCHG16B)
        return emulate_compare_exchange_16(run);
    if (run->instruction->destination == OPERAND_REGISTER)
        return load(run);
    return reads_destination(operation) ? modify(run) : store(run);
}

enum emulate_status emulate_instruction(struct emulate_processor *processor,
                                        const struct instruction *instruction,
                                        struct emulate_exception *exception)
{
    struct emulate_run run;
    enum emulate_status status;

    if (operation_is_string(instruction->operation)) {
        status = emulate_string(processor, instruction, exception);
    } else if (operation_uses_stack(instruction->operation)) {
        status = emulate_stack(processor, instruction, exception);
    } else if (operation_moves_vector(instruction->operation)) {
        status = emulate_vector(processor, instruction, exception);
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
