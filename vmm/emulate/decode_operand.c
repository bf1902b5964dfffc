/* SPDX-License-Identifier: MIT */
/* ModRM, SIB, displacement, immediate. SDM vol. 2, "Instruction Format". */
#include "vmm/emulate/decode_operand.h"

uint8_t decode_next(struct decoder *d)
{
    if (d->at >= INSTRUCTION_LENGTH_MAX) {
        d->status = DECODE_TOO_LONG;
        return 0;
    }
    if (d->at >= d->count) {
        if (d->status == DECODE_OK)
            d->status = DECODE_MORE;
        return 0;
    }
    return d->bytes[d->at++];
}

uint64_t decode_number(struct decoder *d, unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)decode_next(d) << (8 * i);
    switch (size) {
    case 1:
        return (uint64_t)(int8_t)value;
    case 2:
        return (uint64_t)(int16_t)value;
    case 4:
        return (uint64_t)(int32_t)value;
    default:
        return value;
    }
}

/* SDM vol. 2, "16-Bit Addressing Forms with the ModR/M Byte". */
static void memory_16(struct decoder *d, struct memory_operand *memory)
{
    static const uint8_t bases[8] = {REGISTER_RBX, REGISTER_RBX, REGISTER_RBP, REGISTER_RBP,
                                     REGISTER_RSI, REGISTER_RDI, REGISTER_RBP, REGISTER_RBX};
    static const uint8_t indices[8] = {REGISTER_RSI,  REGISTER_RDI,  REGISTER_RSI,  REGISTER_RDI,
                                       REGISTER_NONE, REGISTER_NONE, REGISTER_NONE, REGISTER_NONE};
    unsigned mod = d->modrm >> 6, rm = d->modrm & 7;

    memory->base = bases[rm];
    memory->index = indices[rm];
    if (mod == 0 && rm == 6) {
        memory->base = REGISTER_NONE;
        memory->displacement = (int64_t)decode_number(d, 2);
    } else if (mod != 0) {
        memory->displacement = (int64_t)decode_number(d, mod);
    }
    if (memory->base == REGISTER_RBP)
        memory->segment = SEGMENT_SS;
}

/* SDM vol. 2, "32-Bit Addressing Forms with the ModR/M Byte" and "... the SIB Byte", with REX. */
static void memory_32(struct decoder *d, struct memory_operand *memory)
{
    unsigned mod = d->modrm >> 6, rm = d->modrm & 7;

    if (rm == 4) {
        uint8_t sib = decode_next(d), index = (uint8_t)((sib >> 3 & 7) | (d->rex & REX_X ? 8 : 0));

        rm = sib & 7;
        memory->scale = (uint8_t)(1u << (sib >> 6));
        if (index != REGISTER_RSP)
            memory->index = index;
        memory->base = (uint8_t)(rm | (d->rex & REX_B ? 8 : 0));
        if (rm == 5 && mod == 0)
            memory->base = REGISTER_NONE;
    } else if (rm == 5 && mod == 0) {
        memory->base = d->code_size == 8 ? REGISTER_RIP : REGISTER_NONE;
    } else {
        memory->base = (uint8_t)(rm | (d->rex & REX_B ? 8 : 0));
    }
    if (mod == 1)
        memory->displacement = (int64_t)decode_number(d, 1);
    else if (mod == 2 || (mod == 0 && rm == 5))
        memory->displacement = (int64_t)decode_number(d, 4);
    if (memory->base == REGISTER_RSP || memory->base == REGISTER_RBP)
        memory->segment = SEGMENT_SS;
}

void decode_memory(struct decoder *d, struct memory_operand *memory, unsigned address_size)
{
    if (address_size == 2)
        memory_16(d, memory);
    else
        memory_32(d, memory);
}

void decode_register(const struct decoder *d, struct instruction *instruction, unsigned size)
{
    unsigned reg = (d->modrm >> 3 & 7) | (d->rex & REX_R ? 8 : 0);

    instruction->reg_high = size == 1 && !d->has_rex && reg >= 4;
    instruction->reg = (uint8_t)(instruction->reg_high ? reg - 4 : reg);
}

void decode_operands(struct decoder *d, struct instruction *instruction, enum opcode_form form)
{
    unsigned size = instruction->operand_size, immediate = size < 4 ? size : 4;

    switch (form) {
    case FORM_E_IZ:
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_IMMEDIATE, OPERAND_NONE);
        instruction->immediate = decode_number(d, immediate);
        break;
    case FORM_E_IB:
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_IMMEDIATE, OPERAND_NONE);
        instruction->immediate = decode_number(d, 1);
        break;
    case FORM_E_1:
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_IMMEDIATE, OPERAND_NONE);
        instruction->immediate = 1;
        break;
    case FORM_E_CL:
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_CL, OPERAND_NONE);
        break;
    case FORM_E_NEAR: /* in 64-bit code always 8 bytes */
    case FORM_E_STACK:
        if (d->code_size == 8 && (form == FORM_E_NEAR || size == 4))
            instruction->operand_size = instruction->memory_size = 8;
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_NONE, OPERAND_NONE);
        break;
    case FORM_E_QUAD:
        instruction->memory_size = 8;
        if (d->rex & REX_W) {
            instruction->operation = OPERATION_CMPXCHG16B;
            instruction->memory_size = 16;
            instruction->aligned = true;
        }
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_NONE, OPERAND_NONE);
        break;
    case FORM_E_WORD:
        instruction->operand_size = instruction->memory_size = 2;
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_NONE, OPERAND_NONE);
        break;
    case FORM_E_SEGMENT:
        instruction->operand_size = instruction->memory_size = 2;
        instruction->reg = d->modrm >> 3 & 7;
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_SEGMENT, OPERAND_NONE);
        if (instruction->reg >= SEGMENT_COUNT)
            d->status = DECODE_UNDEFINED;
        break;
    case FORM_E_G_IB:
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_REGISTER, OPERAND_IMMEDIATE);
        instruction->immediate = decode_number(d, 1);
        break;
    case FORM_E_G_CL:
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_REGISTER, OPERAND_CL);
        break;
    case FORM_G_E_IZ:
    case FORM_G_E_IB:
        decode_set_operands(instruction, OPERAND_REGISTER, OPERAND_MEMORY, OPERAND_IMMEDIATE);
        instruction->immediate = decode_number(d, form == FORM_G_E_IB ? 1 : immediate);
        break;
    case FORM_G_EB:
    case FORM_G_EW:
    case FORM_G_ED:
        instruction->memory_size = (uint8_t)(form == FORM_G_EB ? 1 : form == FORM_G_EW ? 2 : immediate);
        decode_set_operands(instruction, OPERAND_REGISTER, OPERAND_MEMORY, OPERAND_NONE);
        break;
    case FORM_G_E_LONG:
        instruction->operand_size = d->rex & REX_W ? 8 : 4;
        decode_register(d, instruction, instruction->operand_size);
        decode_set_operands(instruction, OPERAND_REGISTER, OPERAND_MEMORY, OPERAND_NONE);
        break;
    case FORM_G_E:
        decode_set_operands(instruction, OPERAND_REGISTER, OPERAND_MEMORY, OPERAND_NONE);
        break;
    case FORM_E_G:
    case FORM_E_G_WIDE:
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_REGISTER, OPERAND_NONE);
        break;
    default:
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_NONE, OPERAND_NONE);
    }
}
