/* SPDX-License-Identifier: MIT */
/* Instructions of a memory operand and the accumulator: MUL, IMUL, DIV, IDIV, CMPXCHG and its wider forms. */
#include "vmm/emulate/alu.h"
#include "vmm/emulate/operand.h"

/* Memory is written even if the comparison fails, with what was in it. */
static enum emulate_status compare_exchange(struct emulate_run *run, uint64_t old)
{
    struct emulate_processor *processor = run->processor;
    unsigned size = run->instruction->operand_size;
    uint64_t accumulator = processor->gpr[REGISTER_RAX] & alu_mask(size), flags = processor->rflags;
    bool equal = accumulator == old;
    enum emulate_status status;

    (void)alu_compute(OPERATION_CMP, size, accumulator, old, &flags);
    status = emulate_write_memory(run, equal ? operand_register(processor, run->instruction) : old);
    if (status != EMULATE_DONE)
        return status;
    processor->rflags = flags;
    if (!equal)
        operand_set_register(processor, REGISTER_RAX, size, old);
    return EMULATE_DONE;
}

static enum emulate_status compare_exchange_8(struct emulate_run *run, uint64_t old)
{
    uint64_t *gpr = run->processor->gpr;
    bool equal = old == (gpr[REGISTER_RDX] << 32 | (uint32_t)gpr[REGISTER_RAX]);
    enum emulate_status status =
        emulate_write_memory(run, equal ? gpr[REGISTER_RCX] << 32 | (uint32_t)gpr[REGISTER_RBX] : old);

    if (status != EMULATE_DONE)
        return status;
    alu_set_flag(&run->processor->rflags, FLAG_ZF, equal);
    if (!equal) {
        gpr[REGISTER_RAX] = (uint32_t)old;
        gpr[REGISTER_RDX] = old >> 32;
    }
    return EMULATE_DONE;
}

enum emulate_status emulate_compare_exchange_16(struct emulate_run *run)
{
    struct emulate_processor *processor = run->processor;
    uint64_t *gpr = processor->gpr, old[2] = {0}, new[2] = {gpr[REGISTER_RBX], gpr[REGISTER_RCX]};
    enum emulate_status status = operand_read(processor, &run->memory, old);
    bool equal = old[0] == gpr[REGISTER_RAX] && old[1] == gpr[REGISTER_RDX];

    if (status == EMULATE_DONE)
        status = operand_write(processor, &run->memory, equal ? new : old);
    if (status != EMULATE_DONE)
        return status;
    alu_set_flag(&processor->rflags, FLAG_ZF, equal);
    if (!equal) {
        gpr[REGISTER_RAX] = old[0];
        gpr[REGISTER_RDX] = old[1];
    }
    return EMULATE_DONE;
}

/* What is above the accumulator: AH, DX, EDX, RDX. */
static uint64_t upper(const struct emulate_processor *processor, unsigned size)
{
    return size == 1 ? processor->gpr[REGISTER_RAX] >> 8 & 0xff : processor->gpr[REGISTER_RDX];
}

static void set_both(struct emulate_processor *processor, unsigned size, uint64_t high, uint64_t low)
{
    if (size == 1) {
        operand_set_register(processor, REGISTER_RAX, 2, high << 8 | low);
    } else {
        operand_set_register(processor, REGISTER_RAX, size, low);
        operand_set_register(processor, REGISTER_RDX, size, high);
    }
}

static enum emulate_status multiply(struct emulate_run *run, uint64_t value)
{
    struct emulate_processor *processor = run->processor;
    unsigned size = run->instruction->operand_size;
    uint64_t high, low = alu_multiply(run->instruction->operation == OPERATION_IMUL, size,
                                      processor->gpr[REGISTER_RAX], value, &high, &processor->rflags);

    set_both(processor, size, high, low);
    return EMULATE_DONE;
}

static enum emulate_status divide(struct emulate_run *run, uint64_t divisor)
{
    struct emulate_processor *processor = run->processor;
    unsigned size = run->instruction->operand_size;
    uint64_t quotient, remainder;

    if (!alu_divide(run->instruction->operation == OPERATION_IDIV, size, upper(processor, size),
                    processor->gpr[REGISTER_RAX], divisor, &quotient, &remainder))
        return operand_raise(run->exception, EMULATE_VECTOR_DE, 0);
    set_both(processor, size, remainder, quotient);
    return EMULATE_DONE;
}

enum emulate_status emulate_accumulator(struct emulate_run *run, uint64_t value)
{
    switch (run->instruction->operation) {
    case OPERATION_CMPXCHG:
        return compare_exchange(run, value);
    case OPERATION_CMPXCHG8B:
        return compare_exchange_8(run, value);
    case OPERATION_DIV:
    case OPERATION_IDIV:
        return divide(run, value);
    default:
        return multiply(run, value);
    }
}
