/* SPDX-License-Identifier: MIT */
/* An instruction being decoded: what vmm/emulate/decode.c and vmm/emulate/decode_operand.c share. Pure. */
#ifndef VMM_EMULATE_DECODE_OPERAND_H
#define VMM_EMULATE_DECODE_OPERAND_H

#include "vmm/emulate/decode.h"
#include "vmm/emulate/opcode.h"

#define REX_B 1u
#define REX_X 2u
#define REX_R 4u
#define REX_W 8u

struct decoder {
    const uint8_t *bytes;
    size_t count;
    unsigned at;
    unsigned code_size;
    bool operand_prefix, address_prefix;
    uint8_t segment; /* override, or 0xff */
    uint8_t repeat;  /* F2 or F3, the last of them; 0 */
    uint8_t rex;     /* its low four bits */
    bool has_rex;
    uint8_t modrm;
    enum decode_status status;
};

/* The next byte; 0 when there is none, and then status says why. */
uint8_t decode_next(struct decoder *decoder);

/* A little-endian number of 1, 2, 4 or 8 bytes, sign-extended. */
uint64_t decode_number(struct decoder *decoder, unsigned size);

/* The register of ModRM.reg; `size` 1 and no REX make it AH, CH, DH or BH. */
void decode_register(const struct decoder *decoder, struct instruction *instruction, unsigned size);

/* The memory operand of ModRM, with SIB and displacement. */
void decode_memory(struct decoder *decoder, struct memory_operand *memory, unsigned address_size);

/* Operands, their sizes and the immediate, of the forms after FORM_GROUP that have a ModRM. */
void decode_operands(struct decoder *decoder, struct instruction *instruction, enum opcode_form form);

/*
 * vmm/emulate/decode_vector.c: a move of a vector register by its map, opcode and mandatory prefix, ModRM
 * next. UNKNOWN: it is none.
 */
enum decode_status decode_vector(struct decoder *decoder, struct instruction *instruction, unsigned map,
                                 uint8_t byte, enum opcode_prefix prefix);

/* vmm/emulate/decode_vector.c: what C5, or C4 (three), begins: an instruction with a VEX prefix, or LDS or
 * LES. */
enum decode_status decode_vex(struct decoder *decoder, struct instruction *instruction, bool three);

static inline void decode_set_operands(struct instruction *instruction, enum operand destination,
                                       enum operand source, enum operand third)
{
    instruction->destination = (uint8_t)destination;
    instruction->source = (uint8_t)source;
    instruction->third = (uint8_t)third;
}

#endif
