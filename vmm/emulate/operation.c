/* SPDX-License-Identifier: MIT */
/* What is known of a decoded instruction by its operation. */
#include "vmm/emulate/decode.h"

const char *operation_name(unsigned operation)
{
    static const char *const names[] = {
        "?",      "ADD",     "OR",      "ADC",    "SBB",     "AND",       "SUB",        "XOR",     "CMP",
        "ROL",    "ROR",     "RCL",     "RCR",    "SHL",     "SHR",       "SAR",        "SHLD",    "SHRD",
        "BT",     "BTS",     "BTR",     "BTC",    "INC",     "DEC",       "NOT",        "NEG",     "TEST",
        "MUL",    "IMUL",    "DIV",     "IDIV",   "IMUL",    "MOV",       "MOVZX",      "MOVSX",   "MOVBE",
        "CMOV",   "SET",     "XCHG",    "XADD",   "CMPXCHG", "CMPXCHG8B", "CMPXCHG16B", "BSF",     "BSR",
        "TZCNT",  "LZCNT",   "POPCNT",  "CRC32",  "SLDT",    "STR",       "SMSW",       "PUSH",    "POP",
        "CALL",   "JMP",     "MOVS",    "CMPS",   "STOS",    "LODS",      "SCAS",       "INS",     "OUTS",
        "MOVLPS", "MOVLPD",  "MOVHPS",  "MOVHPD", "MOVUPS",  "MOVUPD",    "MOVSS",      "MOVSD",   "MOVAPS",
        "MOVAPD", "MOVNTPS", "MOVNTPD", "MOVD",   "MOVQ",    "MOVDQA",    "MOVDQU",     "MOVNTDQ", "MOVNTDQA",
        "LDDQU"};

    _Static_assert(sizeof(names) / sizeof(names[0]) == OPERATION_COUNT, "one name an operation");
    return operation < OPERATION_COUNT ? names[operation] : "?";
}

bool instruction_uses_rsp(const struct instruction *instruction)
{
    bool reg = instruction->destination == OPERAND_REGISTER || instruction->source == OPERAND_REGISTER;

    return instruction->memory.base == REGISTER_RSP ||
           (reg && instruction->reg == REGISTER_RSP && !instruction->reg_high) ||
           (instruction->operation >= OPERATION_PUSH && instruction->operation <= OPERATION_CALL);
}

enum decode_status decode_for_features(struct instruction *instruction, uint32_t features)
{
    uint32_t needed = instruction->vex ? DECODE_FEATURE_AVX : 0;

    switch (instruction->operation) {
    case OPERATION_TZCNT:
        if (!(features & DECODE_FEATURE_TZCNT))
            instruction->operation = OPERATION_BSF;
        break;
    case OPERATION_LZCNT:
        if (!(features & DECODE_FEATURE_LZCNT))
            instruction->operation = OPERATION_BSR;
        break;
    case OPERATION_MOVBE:
        needed = DECODE_FEATURE_MOVBE;
        break;
    case OPERATION_POPCNT:
        needed = DECODE_FEATURE_POPCNT;
        break;
    case OPERATION_CRC32:
        needed = DECODE_FEATURE_CRC32;
        break;
    case OPERATION_CMPXCHG16B:
        needed = DECODE_FEATURE_CMPXCHG16B;
        break;
    default:
        break;
    }
    return (features & needed) == needed ? DECODE_OK : DECODE_UNDEFINED;
}
