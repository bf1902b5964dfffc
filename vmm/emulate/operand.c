/* SPDX-License-Identifier: MIT */
/* SDM vol. 3, "Limit Checking", "Type Checking"; SDM vol. 1, "Canonical Addressing". */
#include "vmm/emulate/operand.h"
#include "ept/guest_walk.h"
#include "vmm/emulate/alu.h"

#define PAGE_BYTES 4096u

enum emulate_status operand_raise(struct emulate_exception *exception, unsigned vector, uint32_t error_code)
{
    *exception = (struct emulate_exception){.vector = (uint8_t)vector, .error_code = error_code};
    return EMULATE_EXCEPTION;
}

void operand_set_register(struct emulate_processor *processor, unsigned reg, unsigned size, uint64_t value)
{
    uint64_t mask = alu_mask(size), *gpr = &processor->gpr[reg];

    *gpr = size == 4 ? value & mask : (*gpr & ~mask) | (value & mask);
}

uint64_t operand_register(const struct emulate_processor *processor, const struct instruction *instruction)
{
    uint64_t value = processor->gpr[instruction->reg];

    return (instruction->reg_high ? value >> 8 : value) & alu_mask(instruction->operand_size);
}

void operand_write_register(struct emulate_processor *processor, const struct instruction *instruction,
                            uint64_t value)
{
    uint64_t *gpr = &processor->gpr[instruction->reg];

    if (instruction->reg_high)
        *gpr = (*gpr & ~UINT64_C(0xff00)) | (value & 0xff) << 8;
    else
        operand_set_register(processor, instruction->reg, instruction->operand_size, value);
}

uint64_t operand_offset(const struct emulate_processor *processor, const struct instruction *instruction)
{
    const struct memory_operand *memory = &instruction->memory;
    uint64_t offset = (uint64_t)memory->displacement;

    if (memory->base == REGISTER_RIP)
        offset += processor->rip + instruction->length;
    else if (memory->base != REGISTER_NONE)
        offset += processor->gpr[memory->base];
    if (memory->index != REGISTER_NONE)
        offset += processor->gpr[memory->index] * memory->scale;
    return offset & alu_mask(instruction->address_size);
}

/* Whether [offset, offset + size) lies in the segment. Sums of 33 bits do not overflow here. */
static bool within_limit(const struct emulate_processor *processor, const struct emulate_segment *segment,
                         uint64_t offset, unsigned size)
{
    uint32_t type = segment->access_rights;
    uint64_t last = offset + size - 1;

    if (processor->protected_mode &&
        (type & (SEGMENT_TYPE_CODE | SEGMENT_TYPE_EXPAND_DOWN)) == SEGMENT_TYPE_EXPAND_DOWN)
        return offset > segment->limit && last <= (type & SEGMENT_DB ? UINT32_MAX : UINT16_MAX);
    return last <= segment->limit;
}

static bool type_allows(const struct emulate_segment *segment, bool write)
{
    uint32_t type = segment->access_rights;

    if (type & SEGMENT_UNUSABLE)
        return false;
    if (type & SEGMENT_TYPE_CODE)
        return !write && (type & SEGMENT_TYPE_WRITABLE);
    return !write || (type & SEGMENT_TYPE_WRITABLE);
}

static bool canonical(uint64_t linear, unsigned width)
{
    return (uint64_t)((int64_t)(linear << (64 - width)) >> (64 - width)) == linear;
}

/* A tag counts not, and what is below it must be canonical on its own. */
static bool data_canonical(const struct emulate_processor *processor, uint64_t linear)
{
    unsigned tag_from = processor->tag_from[linear >> 63];

    if (tag_from == 0)
        return canonical(linear, processor->linear_width);
    return canonical(guest_untag(linear, tag_from),
                     tag_from < processor->linear_width ? tag_from : processor->linear_width);
}

/* The linear address of segment:offset, in *linear; false if the segment or the address space does not allow
 * it. */
static bool linear_address(struct emulate_processor *processor, const struct instruction *instruction,
                           enum segment_register which, uint64_t offset, unsigned size, bool write,
                           uint64_t *linear)
{
    struct emulate_segment segment = {0};

    if (instruction->code_size == 8) {
        if (which == SEGMENT_FS || which == SEGMENT_GS)
            processor->segment(processor->context, which, &segment);
        *linear = segment.base + offset;
        return data_canonical(processor, *linear) && data_canonical(processor, *linear + size - 1);
    }
    processor->segment(processor->context, which, &segment);
    *linear = (uint32_t)(segment.base + offset);
    return within_limit(processor, &segment, offset, size) &&
           (!processor->protected_mode || type_allows(&segment, write));
}

bool operand_reaches(struct emulate_processor *processor, const struct instruction *instruction,
                     enum segment_register segment, uint64_t offset, unsigned length, bool write)
{
    uint64_t linear;

    return linear_address(processor, instruction, segment, offset, length, write, &linear);
}

enum emulate_status operand_locate(struct emulate_processor *processor, const struct instruction *instruction,
                                   enum segment_register segment, uint64_t offset, unsigned size, bool write,
                                   struct emulate_place *place, struct emulate_exception *exception)
{
    uint64_t linear;
    unsigned first;

    if (!linear_address(processor, instruction, segment, offset, size, write, &linear))
        return operand_raise(exception, segment == SEGMENT_SS ? EMULATE_VECTOR_SS : EMULATE_VECTOR_GP, 0);
    if (instruction->aligned && (linear & (size - 1)) != 0)
        return operand_raise(exception, EMULATE_VECTOR_GP, 0);
    /* Of wider operands it is the processor's affair whether they are checked. SDM vol. 2, "MOVUPS". */
    if (processor->check_alignment && size <= 8 && (linear & (size - 1)) != 0)
        return operand_raise(exception, EMULATE_VECTOR_AC, 0);
    first = PAGE_BYTES - (unsigned)(linear & (PAGE_BYTES - 1));
    if (first > size)
        first = size;
    place->linear[0] = linear;
    place->size[0] = (uint16_t)first;
    place->size[1] = (uint16_t)(size - first);
    place->linear[1] = instruction->code_size == 8 ? linear + first : (uint32_t)(linear + first);
    return processor->translate(processor->context, place, write, exception);
}

/* Bytes [at, at + size) of a place. */
static struct emulate_place part_of(const struct emulate_place *place, unsigned at, unsigned size)
{
    struct emulate_place part = {0};
    unsigned page = at >= place->size[0], offset = page ? at - place->size[0] : at;
    unsigned room = place->size[page] - offset;

    part.linear[0] = place->linear[page] + offset;
    part.guest_physical[0] = place->guest_physical[page] + offset;
    part.size[0] = (uint16_t)(size < room ? size : room);
    if (size > room) {
        part.linear[1] = place->linear[1];
        part.guest_physical[1] = place->guest_physical[1];
        part.size[1] = (uint16_t)(size - room);
    }
    return part;
}

enum emulate_status operand_read(struct emulate_processor *processor, const struct emulate_place *place,
                                 void *bytes)
{
    unsigned size = place->size[0] + (unsigned)place->size[1], length;

    for (unsigned at = 0; at < size; at += length) {
        struct emulate_place part;
        enum emulate_status status;
        uint64_t value = 0;

        length = size - at < 8 ? size - at : 8;
        part = part_of(place, at, length);
        status = processor->read(processor->context, &part, &value);
        if (status != EMULATE_DONE)
            return status;
        __builtin_memcpy((uint8_t *)bytes + at, &value, length);
    }
    return EMULATE_DONE;
}

enum emulate_status operand_write(struct emulate_processor *processor, const struct emulate_place *place,
                                  const void *bytes)
{
    unsigned size = place->size[0] + (unsigned)place->size[1], length;

    for (unsigned at = 0; at < size; at += length) {
        struct emulate_place part;
        enum emulate_status status;
        uint64_t value = 0;

        length = size - at < 8 ? size - at : 8;
        part = part_of(place, at, length);
        __builtin_memcpy(&value, (const uint8_t *)bytes + at, length);
        status = processor->write(processor->context, &part, value);
        if (status != EMULATE_DONE)
            return status;
    }
    return EMULATE_DONE;
}
