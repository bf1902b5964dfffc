/* SPDX-License-Identifier: MIT */
/* Prefixes, opcode, and which instruction it is. SDM vol. 2, "Instruction Format". */
#include "vmm/emulate/decode.h"
#include "vmm/emulate/decode_operand.h"

#define NO_SEGMENT 0xffu

/* Takes the prefixes and gives the byte after them, the opcode's first. A REX counts only right before it. */
static uint8_t prefixes(struct decoder *d, struct instruction *instruction)
{
    for (;;) {
        uint8_t byte = decode_next(d);

        switch (byte) {
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
            if (d->code_size != 8) /* these four mean nothing in 64-bit code */
                d->segment = (byte >> 3) & 3;
            break;
        case 0x64:
        case 0x65:
            d->segment = byte & 7;
            break;
        case 0x66:
            d->operand_prefix = true;
            break;
        case 0x67:
            d->address_prefix = true;
            break;
        case 0xf0:
            instruction->lock = true;
            break;
        case 0xf2:
        case 0xf3:
            d->repeat = byte;
            break;
        default:
            if (d->code_size != 8 || (byte & 0xf0) != 0x40)
                return byte;
            d->rex = byte & 15;
            d->has_rex = true;
            continue; /* a prefix behind it takes it away */
        }
        if (d->status != DECODE_OK)
            return 0;
        d->rex = 0;
        d->has_rex = false;
    }
}

static unsigned operand_size(const struct decoder *d)
{
    if (d->rex & REX_W)
        return 8;
    return (d->code_size == 2) == d->operand_prefix ? 4 : 2;
}

static unsigned address_size(const struct decoder *d)
{
    if (d->code_size == 8)
        return d->address_prefix ? 4 : 8;
    return (d->code_size == 2) == d->address_prefix ? 4 : 2;
}

/* SDM vol. 2, "LOCK - Assert LOCK# Signal Prefix": only with these, writing memory. */
static bool lockable(const struct instruction *instruction)
{
    if (instruction->destination != OPERAND_MEMORY)
        return false;
    switch (instruction->operation) {
    case OPERATION_ADD:
    case OPERATION_OR:
    case OPERATION_ADC:
    case OPERATION_SBB:
    case OPERATION_AND:
    case OPERATION_SUB:
    case OPERATION_XOR:
    case OPERATION_BTS:
    case OPERATION_BTR:
    case OPERATION_BTC:
    case OPERATION_INC:
    case OPERATION_DEC:
    case OPERATION_NOT:
    case OPERATION_NEG:
    case OPERATION_XCHG:
    case OPERATION_XADD:
    case OPERATION_CMPXCHG:
    case OPERATION_CMPXCHG8B:
    case OPERATION_CMPXCHG16B:
        return true;
    default:
        return false;
    }
}

/* What an opcode means in this code, with these prefixes, beyond what the table says. */
static enum decode_status special(const struct decoder *d, uint8_t opcode, bool two_byte, unsigned form)
{
    bool mandatory = d->operand_prefix || d->repeat != 0;

    if (!two_byte && opcode == 0x82 && d->code_size == 8)
        return DECODE_UNDEFINED;
    if (form == FORM_G_ED && d->code_size != 8) /* ARPL */
        return DECODE_UNKNOWN;
    if (form == FORM_E_G_WIDE && mandatory)
        return DECODE_UNKNOWN;
    return DECODE_OK;
}

static enum decode_status with_modrm(struct decoder *d, struct instruction *instruction, struct opcode opcode,
                                     uint8_t byte, bool two_byte)
{
    bool byte_sized = opcode.byte;
    enum decode_status status;

    d->modrm = decode_next(d);
    if (opcode.form == FORM_GROUP) {
        struct opcode member = opcode_groups[opcode.operation][d->modrm >> 3 & 7];

        if (member.form == FORM_GROUP)
            member.form = opcode.immediate;
        opcode = member;
    }
    status = d->status != DECODE_OK ? d->status : special(d, byte, two_byte, opcode.form);
    if (status != DECODE_OK || opcode.form == FORM_UNKNOWN)
        return status != DECODE_OK ? status : DECODE_UNKNOWN;
    if (opcode.form == FORM_UNDEFINED)
        return DECODE_UNDEFINED;
    if (d->modrm >> 6 == 3) /* no memory operand; LOCK wants one */
        return instruction->lock ? DECODE_UNDEFINED : DECODE_UNKNOWN;
    instruction->operation = opcode.operation;
    if (opcode.form == FORM_E_G_WIDE && instruction->operand_size == 2)
        instruction->operand_size = 4; /* MOVNTI in 16-bit code */
    if (byte_sized)
        instruction->operand_size = 1;
    instruction->memory_size = instruction->operand_size;
    decode_register(d, instruction, instruction->operand_size);
    decode_memory(d, &instruction->memory, instruction->address_size);
    decode_operands(d, instruction, (enum opcode_form)opcode.form);
    return d->status;
}

/* MOV between the accumulator and an offset as wide as an address, and string instructions. */
static enum decode_status without_modrm(struct decoder *d, struct instruction *instruction,
                                        struct opcode opcode)
{
    instruction->operation = opcode.operation;
    if (opcode.byte)
        instruction->operand_size = 1;
    else if (instruction->operand_size == 8 && operation_is_port_string(opcode.operation))
        instruction->operand_size = 4; /* a port has at most 32 bits: REX.W counts not */
    instruction->memory_size = instruction->operand_size;
    if (opcode.form == FORM_STRING) {
        instruction->repeat = (uint8_t)(d->repeat == 0      ? REPEAT_NONE
                                        : d->repeat == 0xf3 ? REPEAT_EQUAL
                                                            : REPEAT_NOT_EQUAL);
        return DECODE_OK;
    }
    instruction->reg = REGISTER_RAX;
    instruction->memory.displacement = (int64_t)decode_number(d, instruction->address_size);
    if (opcode.form == FORM_A_O)
        decode_set_operands(instruction, OPERAND_REGISTER, OPERAND_MEMORY, OPERAND_NONE);
    else
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_REGISTER, OPERAND_NONE);
    return d->status;
}

/* F2 and F3 go before 66. */
static enum opcode_prefix mandatory_prefix(const struct decoder *d)
{
    if (d->repeat != 0)
        return d->repeat == 0xf3 ? PREFIX_F3 : PREFIX_F2;
    return d->operand_prefix ? PREFIX_66 : PREFIX_NONE;
}

/* The opcode after the prefixes, of one to three bytes. */
static enum decode_status opcode_and_rest(struct decoder *d, struct instruction *instruction, uint8_t byte)
{
    struct opcode opcode = opcodes_one_byte[byte];
    bool two_byte = byte == 0x0f;
    unsigned map = 0;

    if (byte == 0xc4 || byte == 0xc5)
        return decode_vex(d, instruction, byte == 0xc4);
    if (two_byte) {
        map = 1;
        byte = decode_next(d);
        opcode = opcode_two_byte(byte, mandatory_prefix(d));
        instruction->condition = byte & 15;
        if (byte == 0x38) {
            map = 2;
            byte = decode_next(d);
            opcode = opcode_three_byte(byte, mandatory_prefix(d));
        }
    }
    if (d->status != DECODE_OK)
        return d->status;
    switch (opcode.form) {
    case FORM_UNKNOWN:
        return decode_vector(d, instruction, map, byte, mandatory_prefix(d));
    case FORM_UNDEFINED:
        return DECODE_UNDEFINED;
    case FORM_STRING:
    case FORM_A_O:
    case FORM_O_A:
        return without_modrm(d, instruction, opcode);
    default:
        return with_modrm(d, instruction, opcode, byte, two_byte);
    }
}

enum decode_status decode_instruction(const uint8_t *bytes, size_t count, unsigned code_size,
                                      struct instruction *instruction)
{
    struct decoder d = {.bytes = bytes, .count = count, .code_size = code_size, .segment = NO_SEGMENT};
    enum decode_status status;
    uint8_t byte;

    *instruction = (struct instruction){.code_size = (uint8_t)code_size};
    instruction->memory = (struct memory_operand){
        .segment = SEGMENT_DS, .base = REGISTER_NONE, .index = REGISTER_NONE, .scale = 1};
    byte = prefixes(&d, instruction);
    if (d.status != DECODE_OK)
        return d.status;
    instruction->operand_size = (uint8_t)operand_size(&d);
    instruction->address_size = (uint8_t)address_size(&d);
    status = opcode_and_rest(&d, instruction, byte);
    if (status != DECODE_OK)
        return status;
    if (d.segment != NO_SEGMENT)
        instruction->memory.segment = d.segment;
    if (instruction->lock && !lockable(instruction))
        return DECODE_UNDEFINED;
    instruction->length = (uint8_t)d.at;
    return DECODE_OK;
}
