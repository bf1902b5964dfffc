/* SPDX-License-Identifier: MIT */
/* The opcode map as data, for vmm/emulate/decode.c. SDM vol. 2, appendix "Opcode Map". */
#ifndef VMM_EMULATE_OPCODE_H
#define VMM_EMULATE_OPCODE_H

#include <stdint.h>

/*
 * What follows an opcode and what its operands are. E: the ModRM operand, which must be memory; G: the
 * register of ModRM.reg.
 */
enum opcode_form {
    FORM_UNKNOWN,
    FORM_UNDEFINED, /* #UD */
    FORM_GROUP,     /* ModRM.reg selects from a group */
    FORM_E_G,       /* E <- G */
    FORM_G_E,       /* G <- E */
    FORM_E_IZ,      /* E <- immediate of up to 4 bytes */
    FORM_E_IB,      /* E <- immediate byte, sign-extended */
    FORM_E_1,       /* E <- 1 */
    FORM_E_CL,      /* E <- CL */
    FORM_E,         /* E alone */
    FORM_E_BYTE,    /* E of one byte alone, by condition */
    FORM_E_WORD,    /* E of two bytes alone */
    FORM_E_STACK,   /* E and the stack */
    FORM_E_NEAR,    /* E is a near pointer */
    FORM_E_QUAD,    /* E of 8 bytes */
    FORM_E_SEGMENT, /* E of 2 bytes <- segment register */
    FORM_E_G_IB,    /* E <- G, count in a byte */
    FORM_E_G_CL,    /* E <- G, count in CL */
    FORM_E_G_WIDE,  /* E <- G of 4 or 8 bytes, no prefix */
    FORM_G_E_IZ,    /* G <- E, immediate */
    FORM_G_E_IB,    /* G <- E, immediate byte */
    FORM_G_EB,      /* G <- E of one byte */
    FORM_G_EW,      /* G <- E of two bytes */
    FORM_G_ED,      /* G <- E of up to four bytes, in 64-bit code */
    FORM_G_E_LONG,  /* G of 4 or 8 bytes <- E */
    FORM_A_O,       /* accumulator <- offset */
    FORM_O_A,       /* offset <- accumulator */
    FORM_STRING,
};

enum opcode_group {
    GROUP_1,    /* 80-83 */
    GROUP_1A,   /* 8f */
    GROUP_2_IB, /* c0, c1 */
    GROUP_2_1,  /* d0, d1 */
    GROUP_2_CL, /* d2, d3 */
    GROUP_3,    /* f6, f7 */
    GROUP_4,    /* fe */
    GROUP_5,    /* ff */
    GROUP_6,    /* 0f 00 */
    GROUP_7,    /* 0f 01 */
    GROUP_8,    /* 0f ba */
    GROUP_9,    /* 0f c7 */
    GROUP_11,   /* c6, c7 */
    GROUP_COUNT,
};

struct opcode {
    uint8_t operation; /* enum operation; with FORM_GROUP: enum opcode_group */
    uint8_t form;      /* enum opcode_form */
    uint8_t byte;      /* 1: operands of one byte */
    uint8_t immediate; /* of a group: the form of the immediate its members have, FORM_E_IZ or FORM_E_IB */
};

extern const struct opcode opcodes_one_byte[256];
extern const struct opcode opcodes_two_byte[256]; /* after 0f */
extern const struct opcode opcode_groups[GROUP_COUNT][8];

/* A mandatory prefix, in the order of VEX.pp. */
enum opcode_prefix { PREFIX_NONE, PREFIX_66, PREFIX_F3, PREFIX_F2 };

/* Opcodes that a mandatory prefix changes: after 0f, and after 0f 38. */
struct opcode opcode_two_byte(uint8_t byte, enum opcode_prefix prefix);
struct opcode opcode_three_byte(uint8_t byte, enum opcode_prefix prefix);

/* A move between memory and a vector register, with and without VEX. */
struct opcode_vector {
    uint8_t map; /* 1: after 0f, 2: after 0f 38, as VEX.mmmmm counts */
    uint8_t byte;
    uint8_t prefix;    /* enum opcode_prefix */
    uint8_t operation; /* enum operation */
    uint8_t memory;    /* bytes of the memory operand; 0: all of the register; VECTOR_BY_W */
    uint8_t flags;     /* VECTOR_... */
};

#define VECTOR_BY_W 1u /* bytes: 4, with W 8 and then the operation is MOVQ */

#define VECTOR_STORE   1u
#define VECTOR_ALIGNED 2u
#define VECTOR_MERGES  4u /* a load keeps the other half, of the second source with VEX */
#define VECTOR_128     8u /* VEX.L must be 0 */

extern const struct opcode_vector opcodes_vector[];
extern const unsigned opcodes_vector_count;

#endif
