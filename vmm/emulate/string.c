/* SPDX-License-Identifier: MIT */
/* String instructions, element by element. SDM vol. 1, "String Operations". */
#include "vmm/emulate/alu.h"
#include "vmm/emulate/operand.h"

#define PAGE_BYTES 4096u

/* One element's memory operands, both translated before either is touched. */
struct element {
    struct emulate_place source, destination;
};

static bool uses_source(unsigned operation)
{
    return operation == OPERATION_MOVS || operation == OPERATION_CMPS || operation == OPERATION_LODS ||
           operation == OPERATION_OUTS;
}

static bool uses_destination(unsigned operation)
{
    return operation != OPERATION_LODS && operation != OPERATION_OUTS;
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
                                operation == OPERATION_MOVS || operation == OPERATION_STOS ||
                                    operation == OPERATION_INS,
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

/*
 * How many elements of INS or OUTS may be moved at once, `most` being left: those that follow upwards in the
 * page of the first, which is located, without a fault before the last of them.
 */
static unsigned run_length(struct emulate_processor *processor, const struct instruction *instruction,
                           const struct emulate_place *place, unsigned most)
{
    bool in = instruction->operation == OPERATION_INS;
    enum segment_register segment = in ? SEGMENT_ES : (enum segment_register)instruction->memory.segment;
    unsigned size = instruction->memory_size;
    uint64_t mask = alu_mask(instruction->address_size);
    uint64_t offset = processor->gpr[in ? REGISTER_RDI : REGISTER_RSI] & mask;
    unsigned count = (PAGE_BYTES - (unsigned)(place->linear[0] & (PAGE_BYTES - 1))) / size;

    if (count > most)
        count = most;
    if (place->size[1] != 0 || (processor->rflags & FLAG_DF) || count <= 1 ||
        mask - offset < (uint64_t)count * size - 1 ||
        !operand_reaches(processor, instruction, segment, offset, count * size, in))
        return 1;
    return count;
}

/* INS and OUTS, of which at most `most` elements are left. *moved: how many are done. */
static enum emulate_status transfer(struct emulate_processor *processor,
                                    const struct instruction *instruction, const struct element *element,
                                    unsigned most, unsigned *moved)
{
    bool in = instruction->operation == OPERATION_INS;
    const struct emulate_place *place = in ? &element->destination : &element->source;

    return processor->transfer(processor->context, (uint16_t)processor->gpr[REGISTER_RDX], in, place,
                               run_length(processor, instruction, place, most), moved);
}

/* The index registers go on by `count` elements. */
static void step(struct emulate_processor *processor, const struct instruction *instruction, unsigned count)
{
    uint64_t bytes = (uint64_t)count * instruction->memory_size;
    uint64_t by = processor->rflags & FLAG_DF ? -bytes : bytes;

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

/* How many elements this call may still do. */
static unsigned elements_left(const struct emulate_processor *processor,
                              const struct instruction *instruction, unsigned done)
{
    uint64_t counter = processor->gpr[REGISTER_RCX] & alu_mask(instruction->address_size);
    unsigned left = processor->elements_max - done;

    if (instruction->repeat == REPEAT_NONE)
        return 1;
    return counter < left ? (unsigned)counter : left;
}

enum emulate_status emulate_string(struct emulate_processor *processor, const struct instruction *instruction,
                                   struct emulate_exception *exception)
{
    uint64_t mask = alu_mask(instruction->address_size), *counter = &processor->gpr[REGISTER_RCX];
    struct element element;
    unsigned moved;

    for (unsigned done = 0; done < processor->elements_max; done += moved) {
        enum emulate_status status;

        if (instruction->repeat != REPEAT_NONE && (*counter & mask) == 0)
            return EMULATE_DONE;
        moved = 1;
        status = locate(processor, instruction, &element, exception);
        if (status == EMULATE_DONE)
            status = operation_is_port_string(instruction->operation)
                         ? transfer(processor, instruction, &element,
                                    elements_left(processor, instruction, done), &moved)
                         : access(processor, instruction, &element);
        if (status != EMULATE_DONE)
            return status;
        step(processor, instruction, moved);
        if (instruction->repeat == REPEAT_NONE)
            return EMULATE_DONE;
        operand_set_register(processor, REGISTER_RCX, instruction->address_size, *counter - moved);
        if (ends_by_flag(processor, instruction))
            return EMULATE_DONE;
        if (processor->enough != NULL && processor->enough(processor->context))
            break;
    }
    return (*counter & mask) == 0 ? EMULATE_DONE : EMULATE_AGAIN;
}
