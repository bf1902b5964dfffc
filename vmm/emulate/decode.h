/* SPDX-License-Identifier: MIT */
/*
 * The decoder of instructions that access memory, for devices whose registers are memory: bytes in, one
 * instruction out, in 16-, 32- and 64-bit code. SDM vol. 2, "Instruction Format". Pure; it knows no guest.
 *
 * It knows what programs do to device registers: moves, string moves, INS, OUTS, arithmetic and logic,
 * shifts, bit tests and scans, exchanges, PUSH, POP, near CALL and JMP with a memory operand, and the plain
 * moves of SSE and AVX. An instruction without an explicit memory operand, a far pointer, a load of a segment
 * or descriptor table register, x87, MMX, AVX-512 and vector arithmetic are DECODE_UNKNOWN.
 */
#ifndef VMM_EMULATE_DECODE_H
#define VMM_EMULATE_DECODE_H

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
    OPERATION_MUL,  /* of the accumulator */
    OPERATION_IMUL, /* of the accumulator */
    OPERATION_DIV,
    OPERATION_IDIV,
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
    OPERATION_CMPXCHG16B,
    OPERATION_BSF,
    OPERATION_BSR,
    OPERATION_TZCNT,
    OPERATION_LZCNT,
    OPERATION_POPCNT,
    OPERATION_CRC32,
    OPERATION_SLDT,
    OPERATION_STR,
    OPERATION_SMSW,
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
    /* Moves of vector registers. First those that change or store a half of the low 16 bytes. */
    OPERATION_MOVLPS,
    OPERATION_MOVLPD,
    OPERATION_MOVHPS,
    OPERATION_MOVHPD,
    OPERATION_MOVUPS,
    OPERATION_MOVUPD,
    OPERATION_MOVSS,
    OPERATION_MOVSD,
    OPERATION_MOVAPS,
    OPERATION_MOVAPD,
    OPERATION_MOVNTPS,
    OPERATION_MOVNTPD,
    OPERATION_MOVD,
    OPERATION_MOVQ,
    OPERATION_MOVDQA,
    OPERATION_MOVDQU,
    OPERATION_MOVNTDQ,
    OPERATION_MOVNTDQA,
    OPERATION_LDDQU,
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
    SEGMENT_COUNT, /* of those that instructions address memory by */
    SEGMENT_LDTR = SEGMENT_COUNT,
    SEGMENT_TR,
};

enum operand {
    OPERAND_NONE,
    OPERAND_MEMORY,
    OPERAND_REGISTER,  /* general-purpose: instruction.reg */
    OPERAND_SEGMENT,   /* segment register: instruction.reg */
    OPERAND_IMMEDIATE, /* instruction.immediate */
    OPERAND_CL,        /* a shift's count */
    OPERAND_VECTOR,    /* vector register: instruction.reg */
    OPERAND_VECTOR_2,  /* vector register: instruction.vector */
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
    uint8_t operand_size;               /* 1, 2, 4, 8: of the operation, and of a register; vectors: 16, 32 */
    uint8_t memory_size;                /* 1, 2, 4, 8, 16, 32: of the memory operand, of a string's element */
    uint8_t address_size;               /* 2, 4, 8 */
    uint8_t destination, source, third; /* enum operand */
    uint8_t reg;                        /* register that an operand is */
    bool reg_high;                      /* it is AH, CH, DH or BH: bits 15:8 of reg */
    uint8_t condition;                  /* of CMOV and SET: opcode bits 3:0 */
    uint8_t repeat;                     /* enum repeat; string instructions alone have one */
    bool lock;
    bool vex;           /* encoded with a VEX prefix: an instruction of AVX */
    bool aligned;       /* the memory operand must be aligned to its size: #GP */
    uint8_t vector;     /* the second source of MOVLPS and its like; without VEX it is reg */
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

/* What not every processor has. */
#define DECODE_FEATURE_MOVBE      (1u << 0)
#define DECODE_FEATURE_POPCNT     (1u << 1)
#define DECODE_FEATURE_CRC32      (1u << 2)
#define DECODE_FEATURE_CMPXCHG16B (1u << 3)
#define DECODE_FEATURE_TZCNT      (1u << 4) /* without it the same bytes are BSF */
#define DECODE_FEATURE_LZCNT      (1u << 5) /* without it the same bytes are BSR */
#define DECODE_FEATURE_AVX        (1u << 6)
#define DECODE_FEATURE_ALL        0x7fu

/*
 * Decodes the instruction at `bytes`, of which there are `count` (15 suffice always), for a processor that
 * has everything. code_size: 2, 4, 8 for 16-, 32-, 64-bit code. *instruction means something only with
 * DECODE_OK.
 */
enum decode_status decode_instruction(const uint8_t *bytes, size_t count, unsigned code_size,
                                      struct instruction *instruction);

/*
 * What a decoded instruction is to a processor with these features, DECODE_FEATURE_...: DECODE_OK, the
 * instruction perhaps changed to the one that the processor takes it for; or DECODE_UNDEFINED.
 */
enum decode_status decode_for_features(struct instruction *instruction, uint32_t features);

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

/* SLDT, STR, SMSW: memory <- a system register. */
static inline bool operation_is_system_store(unsigned operation)
{
    return operation >= OPERATION_SLDT && operation <= OPERATION_SMSW;
}

/* Between memory and a vector register. */
static inline bool operation_moves_vector(unsigned operation)
{
    return operation >= OPERATION_MOVLPS && operation < OPERATION_COUNT;
}

/* String instructions: memory at RSI or RDI or both, and `repeat`. */
static inline bool operation_is_string(unsigned operation)
{
    return operation >= OPERATION_MOVS && operation <= OPERATION_OUTS;
}

#endif
