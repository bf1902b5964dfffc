/* SPDX-License-Identifier: MIT */
/*
 * The decoder of instructions that access memory, for devices whose registers are memory: bytes in, one
 * instruction out, in 16-, 32- and 64-bit code. SDM vol. 2, "Instruction Format". Pure; it knows no guest.
 *
 * It knows what programs do to device registers: moves, string moves, INS, OUTS, arithmetic and logic,
 * shifts, bit tests, exchanges, PUSH, POP, near CALL and JMP with a memory operand. An instruction without an
 * explicit memory operand, a far pointer, DIV, a load of a segment register, x87, SSE and AVX are
 * DECODE_UNKNOWN.
 */
#ifndef VMM_DECODE_H
#define VMM_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SDM vol. 2, "Instruction Format": a longer one raises #GP. */
#define INSTRUCTION_LENGTH_MAX 15u

enum operation {
    OPERATION_NONE,
    /* In the order of the opcodes' bits 5:3, and of ModRM.reg. */
    OPERATION_ADD,
    OPERATION_OR,
    OPERATION_ADC,
    OPERATION_SBB,
    OPERATION_AND,
    OPERATION_SUB,
    OPERATION_XOR,
    OPERATION_CMP,
    OPERATION_ROL,
    OPERATION_ROR,
    OPERATION_RCL,
    OPERATION_RCR,
    OPERATION_SHL,
    OPERATION_SHR,
    OPERATION_SAR,
    OPERATION_SHLD,
    OPERATION_SHRD,
    OPERATION_BT,
    OPERATION_BTS,
    OPERATION_BTR,
    OPERATION_BTC,
    OPERATION_INC,
    OPERATION_DEC,
    OPERATION_NOT,
    OPERATION_NEG,
    OPERATION_TEST,
    OPERATION_MUL,     /* of the accumulator */
    OPERATION_IMUL,    /* of the accumulator */
    OPERATION_IMUL_TO, /* two and three operands */
    OPERATION_MOV,     /* MOVNTI too */
    OPERATION_MOVZX,
    OPERATION_MOVSX, /* MOVSXD too */
    OPERATION_MOVBE,
    OPERATION_CMOV,
    OPERATION_SET,
    OPERATION_XCHG,
    OPERATION_XADD,
    OPERATION_CMPXCHG,
    OPERATION_CMPXCHG8B,
    OPERATION_PUSH,
    OPERATION_POP,
    OPERATION_CALL,
    OPERATION_JMP,
    OPERATION_MOVS,
    OPERATION_CMPS,
    OPERATION_STOS,
    OPERATION_LODS,
    OPERATION_SCAS,
    OPERATION_INS,
    OPERATION_OUTS,
    OPERATION_COUNT,
};

/* In the order of their encoding. */
enum segment_register {
    SEGMENT_ES,
    SEGMENT_CS,
    SEGMENT_SS,
    SEGMENT_DS,
    SEGMENT_FS,
    SEGMENT_GS,
    SEGMENT_COUNT
};

enum operand {
    OPERAND_NONE,
    OPERAND_MEMORY,
    OPERAND_REGISTER,  /* general-purpose: instruction.reg */
    OPERAND_SEGMENT,   /* segment register: instruction.reg */
    OPERAND_IMMEDIATE, /* instruction.immediate */
    OPERAND_CL,        /* a shift's count */
};

enum repeat { REPEAT_NONE, REPEAT_EQUAL /* F3: REP, REPE */, REPEAT_NOT_EQUAL /* F2 */ };

/* Numbers of general-purpose registers are those of their encoding, 0 RAX to 15 R15. */
#define REGISTER_RAX  0u
#define REGISTER_RCX  1u
#define REGISTER_RDX  2u
#define REGISTER_RBX  3u
#define REGISTER_RSP  4u
#define REGISTER_RBP  5u
#define REGISTER_RSI  6u
#define REGISTER_RDI  7u
#define REGISTER_NONE 16u
#define REGISTER_RIP  17u /* as a base: of the next instruction */

/* The explicit memory operand. Not for string instructions, but for `segment`: that of RSI. */
struct memory_operand {
    uint8_t segment; /* enum segment_register; in 64-bit code an override with any but FS and GS counts not */
    uint8_t base;    /* register, REGISTER_NONE or REGISTER_RIP */
    uint8_t index;   /* register or REGISTER_NONE */
    uint8_t scale;   /* 1, 2, 4, 8 */
    int64_t displacement; /* for MOV of the accumulator: the whole offset */
};

struct instruction {
    uint8_t operation;                  /* enum operation */
    uint8_t length;                     /* 1..15 bytes, with prefixes */
    uint8_t code_size;                  /* 2, 4, 8: as it was decoded */
    uint8_t operand_size;               /* 1, 2, 4, 8: of the operation, and of a register */
    uint8_t memory_size;                /* 1, 2, 4, 8: of the memory operand, of a string's element */
    uint8_t address_size;               /* 2, 4, 8 */
    uint8_t destination, source, third; /* enum operand */
    uint8_t reg;                        /* register that an operand is */
    bool reg_high;                      /* it is AH, CH, DH or BH: bits 15:8 of reg */
    uint8_t condition;                  /* of CMOV and SET: opcode bits 3:0 */
    uint8_t repeat;                     /* enum repeat; string instructions alone have one */
    bool lock;
    uint64_t immediate; /* sign-extended to 64 bits */
    struct memory_operand memory;
};

enum decode_status {
    DECODE_OK,
    DECODE_MORE,      /* the bytes end within the instruction */
    DECODE_TOO_LONG,  /* over 15 bytes: #GP(0) */
    DECODE_UNDEFINED, /* #UD: no such opcode, or LOCK with what it does not go with */
    DECODE_UNKNOWN,   /* nothing that this decoder knows */
};

/*
 * Decodes the instruction at `bytes`, of which there are `count` (15 suffice always). code_size: 2, 4, 8 for
 * 16-, 32-, 64-bit code. *instruction means something only with DECODE_OK. Whether the processor has MOVBE is
 * for the caller to say.
 */
enum decode_status decode_instruction(const uint8_t *bytes, size_t count, unsigned code_size,
                                      struct instruction *instruction);

/* "ADD", "MOV"...; "?" for another number. */
const char *operation_name(unsigned operation);

/* True if the instruction reads or writes RSP as a register, base or stack pointer. */
bool instruction_uses_rsp(const struct instruction *instruction);

/* PUSH, POP, CALL, JMP. */
static inline bool operation_uses_stack(unsigned operation)
{
    return operation >= OPERATION_PUSH && operation <= OPERATION_JMP;
}

/* INS, OUTS: a string instruction between memory and the port in DX. */
static inline bool operation_is_port_string(unsigned operation)
{
    return operation == OPERATION_INS || operation == OPERATION_OUTS;
}

/* String instructions: memory at RSI or RDI or both, and `repeat`. */
static inline bool operation_is_string(unsigned operation)
{
    return operation >= OPERATION_MOVS && operation <= OPERATION_OUTS;
}

#endif
