/* SPDX-License-Identifier: MIT */
/* Moves between memory and vector registers, as SSE and as AVX encode them. SDM vol. 2, "Intel Advanced
 * Vector Extensions (Intel AVX)", for the VEX prefix. */
#include "vmm/emulate/decode_operand.h"

/* Bits of a VEX prefix: R, X and B, which are inverted, and the map in its first byte behind C4; the others
 * in its last. */
#define VEX_R      0x80u
#define VEX_X      0x40u
#define VEX_B      0x20u
#define VEX_MAP    0x1fu
#define VEX_W      0x80u
#define VEX_L      0x04u
#define VEX_PREFIX 0x03u

/* The parts of a VEX prefix that decode_vector() has no other place for. */
struct vex {
    bool present;
    bool wide;       /* L */
    uint8_t operand; /* vvvv */
};

static const struct opcode_vector *find(unsigned map, uint8_t byte, enum opcode_prefix prefix)
{
    for (unsigned i = 0; i < opcodes_vector_count; i++)
        if (opcodes_vector[i].map == map && opcodes_vector[i].byte == byte &&
            opcodes_vector[i].prefix == prefix)
            return &opcodes_vector[i];
    return NULL;
}

static void set_operation(const struct decoder *d, struct instruction *instruction,
                          const struct opcode_vector *opcode, const struct vex *vex)
{
    bool w = d->rex & REX_W;

    instruction->operation = opcode->operation;
    instruction->operand_size = vex->wide && opcode->memory == 0 ? 32 : 16; /* of a scalar L counts not */
    instruction->memory_size = opcode->memory == 0 ? instruction->operand_size : opcode->memory;
    if (opcode->memory == VECTOR_BY_W) {
        instruction->memory_size = w ? 8 : 4;
        instruction->operation = w ? OPERATION_MOVQ : OPERATION_MOVD;
    }
    instruction->vex = vex->present;
    instruction->aligned = opcode->flags & VECTOR_ALIGNED;
}

static void set_operands(struct instruction *instruction, const struct opcode_vector *opcode,
                         const struct vex *vex)
{
    instruction->vector =
        vex->present ? vex->operand & (instruction->code_size == 8 ? 15 : 7) : instruction->reg;
    if (opcode->flags & VECTOR_STORE)
        decode_set_operands(instruction, OPERAND_MEMORY, OPERAND_VECTOR, OPERAND_NONE);
    else if (vex->present && (opcode->flags & VECTOR_MERGES))
        decode_set_operands(instruction, OPERAND_VECTOR, OPERAND_VECTOR_2, OPERAND_MEMORY);
    else
        decode_set_operands(instruction, OPERAND_VECTOR, OPERAND_MEMORY, OPERAND_NONE);
}

/* VEX.vvvv must name no register where none is asked for, and VEX.L no vector that the instruction has not.
 */
static bool vex_allowed(const struct opcode_vector *opcode, const struct vex *vex)
{
    bool second = (opcode->flags & VECTOR_MERGES) && !(opcode->flags & VECTOR_STORE);

    return !vex->present || ((second || vex->operand == 0) && !((opcode->flags & VECTOR_128) && vex->wide));
}

static enum decode_status with_modrm(struct decoder *d, struct instruction *instruction, unsigned map,
                                     uint8_t byte, enum opcode_prefix prefix, const struct vex *vex)
{
    const struct opcode_vector *opcode = find(map, byte, prefix);

    if (opcode == NULL)
        return DECODE_UNKNOWN;
    d->modrm = decode_next(d);
    if (d->status != DECODE_OK)
        return d->status;
    if (!vex_allowed(opcode, vex))
        return DECODE_UNDEFINED;
    if (d->modrm >> 6 == 3) /* of registers alone; LOCK goes with none */
        return instruction->lock ? DECODE_UNDEFINED : DECODE_UNKNOWN;
    set_operation(d, instruction, opcode, vex);
    decode_register(d, instruction, instruction->operand_size);
    decode_memory(d, &instruction->memory, instruction->address_size);
    set_operands(instruction, opcode, vex);
    return d->status;
}

enum decode_status decode_vector(struct decoder *d, struct instruction *instruction, unsigned map,
                                 uint8_t byte, enum opcode_prefix prefix)
{
    const struct vex none = {0};

    return with_modrm(d, instruction, map, byte, prefix, &none);
}

enum decode_status decode_vex(struct decoder *d, struct instruction *instruction, bool three)
{
    bool prefixed = d->operand_prefix || d->repeat != 0 || d->has_rex || instruction->lock;
    unsigned first = decode_next(d), last, map = 1;
    struct vex vex = {.present = true};
    uint8_t byte;

    if (d->status != DECODE_OK)
        return d->status;
    if (d->code_size != 8 && first >> 6 != 3) /* LES, LDS: a far pointer */
        return instruction->lock ? DECODE_UNDEFINED : DECODE_UNKNOWN;
    last = first;
    if (three) {
        map = first & VEX_MAP;
        last = decode_next(d);
    }
    byte = decode_next(d);
    if (d->status != DECODE_OK)
        return d->status;
    if (prefixed)
        return DECODE_UNDEFINED;
    vex.wide = last & VEX_L;
    vex.operand = (uint8_t)(~last >> 3 & 15);
    if (d->code_size == 8) {
        d->rex = first & VEX_R ? 0 : REX_R;
        if (three)
            d->rex |= (uint8_t)((first & VEX_X ? 0 : REX_X) | (first & VEX_B ? 0 : REX_B) |
                                (last & VEX_W ? REX_W : 0));
    }
    return with_modrm(d, instruction, map, byte, (enum opcode_prefix)(last & VEX_PREFIX), &vex);
}
