/* SPDX-License-Identifier: MIT */
/* What is known of a decoded instruction by its operation. */
#include "vmm/decode.h"

const char *operation_name(unsigned operation)
{
    static const char *const names[] = {
        "?",     "ADD",  "OR",   "ADC",  "SBB",  "AND",     "SUB",       "XOR",  "CMP", "ROL",   "ROR",
        "RCL",   "RCR",  "SHL",  "SHR",  "SAR",  "SHLD",    "SHRD",      "BT",   "BTS", "BTR",   "BTC",
        "INC",   "DEC",  "NOT",  "NEG",  "TEST", "MUL",     "IMUL",      "IMUL", "MOV", "MOVZX", "MOVSX",
        "MOVBE", "CMOV", "SET",  "XCHG", "XADD", "CMPXCHG", "CMPXCHG8B", "PUSH", "POP", "CALL",  "JMP",
        "MOVS",  "CMPS", "STOS", "LODS", "SCAS", "INS",     "OUTS"};

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
