/* SPDX-License-Identifier: MIT */
/* String instructions, element by element. SDM vol. 1, "String Operations". */
#include "vmm/emulate_alu.h"
#include "vmm/emulate_operand.h"

/* One element's memory operands, both translated before either is touched. */
struct element {
    struct emulate_place source, destination;
};

static bool uses_source(unsigned operation)
{
    return operation == OPERATION_MOVS || operation == OPERATION_CMPS || operation == OPERATION_LODS;
}

static bool uses_destination(unsigned operation)
{
    return operation != OPERATION_LODS;
}

static enum emulate_status locate(struct emulate_processor *processor, const struct instruction *instruction,
                                  struct element *element, struct emulate_exception *exception)
{
    unsigned operation = instruction->operation, size = instruction->memory_size;
    uint64_t mask = alu_mask(instruction->address_size);
    enum emulate_status status = EMULATE_DONE;

    if (uses_source(operation))
        status =
            operand_locate(processor, instruction, (enum segment_register)instruction->memory.segment,
                           processor->gpr[REGISTER_RSI] & mask, size, false, &element->source, exception);
    if (status == EMULATE_DONE && uses_destination(operation))
        status = operand_locate(processor, instruction, SEGMENT_ES, processor->gpr[REGISTER_RDI] & mask, size,
                                operation == OPERATION_MOVS || operation == OPERATION_STOS,
                                &element->destination, exception);
    return status;
}

/* Moves or compares; the registers' turn comes after it. */
static enum emulate_status access(struct emulate_processor *processor, const struct instruction *instruction,
                                  const struct element *element)
{
    unsigned operation = instruction->operation, size = instruction->memory_size;
    uint64_t value = processor->gpr[REGISTER_RAX], other = 0;
    enum emulate_status status = EMULATE_DONE;

    if (uses_source(operation))
        status = processor->read(processor->context, &element->source, &value);
    if (status != EMULATE_DONE)
        return status;
    switch (operation) {
    case OPERATION_MOVS:
    case OPERATION_STOS:
        return processor->write(processor->context, &element->destination, value);
    case OPERATION_LODS:
        operand_set_register(processor, REGISTER_RAX, size, value);
        return EMULATE_DONE;
    default: /* CMPS: source - destination; SCAS: accumulator - destination */
        status = processor->read(processor->context, &element->destination, &other);
        if (status == EMULATE_DONE)
            (void)alu_compute(OPERATION_CMP, size, value, other, &processor->rflags);
        return status;
    }
}

static void step(struct emulate_processor *processor, const struct instruction *instruction)
{
    uint64_t by =
        processor->rflags & FLAG_DF ? -(uint64_t)instruction->memory_size : instruction->memory_size;

    if (uses_source(instruction->operation))
        operand_set_register(processor, REGISTER_RSI, instruction->address_size,
                             processor->gpr[REGISTER_RSI] + by);
    if (uses_destination(instruction->operation))
        operand_set_register(processor, REGISTER_RDI, instruction->address_size,
                             processor->gpr[REGISTER_RDI] + by);
}

/* After an element of CMPS or SCAS: does ZF end the repetition? */
static bool ends_by_flag(const struct emulate_processor *processor, const struct instruction *instruction)
{
    bool equal = processor->rflags & FLAG_ZF;

    if (instruction->operation != OPERATION_CMPS && instruction->operation != OPERATION_SCAS)
        return false;
    return instruction->repeat == REPEAT_EQUAL ? !equal : equal;
}

enum emulate_status emulate_string(struct emulate_processor *processor, const struct instruction *instruction,
                                   struct emulate_exception *exception)
{
    uint64_t mask = alu_mask(instruction->address_size), *counter = &processor->gpr[REGISTER_RCX];
    struct element element;

    for (unsigned done = 0; done < processor->elements_max; done++) {
        enum emulate_status status;

        if (instruction->repeat != REPEAT_NONE && (*counter & mask) == 0)
            return EMULATE_DONE;
        status = locate(processor, instruction, &element, exception);
        if (status == EMULATE_DONE)
            status = access(processor, instruction, &element);
        if (status != EMULATE_DONE)
            return status;
        step(processor, instruction);
        if (instruction->repeat == REPEAT_NONE)
            return EMULATE_DONE;
        operand_set_register(processor, REGISTER_RCX, instruction->address_size, *counter - 1);
        if (ends_by_flag(processor, instruction))
            return EMULATE_DONE;
    }
    return (*counter & mask) == 0 ? EMULATE_DONE : EMULATE_AGAIN;
}
