/* SPDX-License-Identifier: MIT */
/* The opcodes that vmm/decode.c knows. What is not listed is FORM_UNKNOWN. */
#include "vmm/opcode.h"
#include "vmm/decode.h"

#define O(name, form)                                                                                        \
    {                                                                                                        \
        OPERATION_##name, FORM_##form, 0, 0                                                                  \
    }
#define B(name, form)                                                                                        \
    {                                                                                                        \
        OPERATION_##name, FORM_##form, 1, 0                                                                  \
    }
#define G(group, immediate)                                                                                  \
    {                                                                                                        \
        GROUP_##group, FORM_GROUP, 0, FORM_##immediate                                                       \
    }
#define GB(group, immediate)                                                                                 \
    {                                                                                                        \
        GROUP_##group, FORM_GROUP, 1, FORM_##immediate                                                       \
    }
#define UNDEFINED                                                                                            \
    {                                                                                                        \
        OPERATION_NONE, FORM_UNDEFINED, 0, 0                                                                 \
    }
#define ARITHMETIC(first, name)                                                                              \
    [first] = B(name, E_G), [(first) + 1] = O(name, E_G), [(first) + 2] = B(name, G_E),                      \
    [(first) + 3] = O(name, G_E)
#define STRING(first, name) [first] = B(name, STRING), [(first) + 1] = O(name, STRING)
#define EIGHT(first, entry)                                                                                  \
    [first] = entry, [(first) + 1] = entry, [(first) + 2] = entry, [(first) + 3] = entry,                    \
    [(first) + 4] = entry, [(first) + 5] = entry, [(first) + 6] = entry, [(first) + 7] = entry

/* clang-format off */
const struct opcode opcodes_one_byte[256] = {
    ARITHMETIC(0x00, ADD), ARITHMETIC(0x08, OR), ARITHMETIC(0x10, ADC), ARITHMETIC(0x18, SBB),
    ARITHMETIC(0x20, AND), ARITHMETIC(0x28, SUB), ARITHMETIC(0x30, XOR), ARITHMETIC(0x38, CMP),
    [0x63] = O(MOVSX, G_ED),
    [0x69] = O(IMUL_TO, G_E_IZ), [0x6b] = O(IMUL_TO, G_E_IB),
    STRING(0x6c, INS), STRING(0x6e, OUTS),
    [0x80] = GB(1, E_IB), [0x81] = G(1, E_IZ), [0x82] = GB(1, E_IB), [0x83] = G(1, E_IB),
    [0x84] = B(TEST, E_G), [0x85] = O(TEST, E_G), [0x86] = B(XCHG, E_G), [0x87] = O(XCHG, E_G),
    [0x88] = B(MOV, E_G), [0x89] = O(MOV, E_G), [0x8a] = B(MOV, G_E), [0x8b] = O(MOV, G_E),
    [0x8c] = O(MOV, E_SEGMENT), [0x8f] = G(1A, UNKNOWN),
    [0xa0] = B(MOV, A_O), [0xa1] = O(MOV, A_O), [0xa2] = B(MOV, O_A), [0xa3] = O(MOV, O_A),
    STRING(0xa4, MOVS), STRING(0xa6, CMPS), STRING(0xaa, STOS), STRING(0xac, LODS), STRING(0xae, SCAS),
    [0xc0] = GB(2_IB, UNKNOWN), [0xc1] = G(2_IB, UNKNOWN),
    [0xc6] = GB(11, E_IB), [0xc7] = G(11, E_IZ),
    [0xd0] = GB(2_1, UNKNOWN), [0xd1] = G(2_1, UNKNOWN), [0xd2] = GB(2_CL, UNKNOWN), [0xd3] = G(2_CL, UNKNOWN),
    [0xf6] = GB(3, E_IB), [0xf7] = G(3, E_IZ), [0xfe] = GB(4, UNKNOWN), [0xff] = G(5, UNKNOWN),
};

const struct opcode opcodes_two_byte[256] = {
    EIGHT(0x40, O(CMOV, G_E)), EIGHT(0x48, O(CMOV, G_E)),
    EIGHT(0x90, B(SET, E_BYTE)), EIGHT(0x98, B(SET, E_BYTE)),
    [0x0b] = UNDEFINED, /* UD2 */
    [0xa3] = O(BT, E_G), [0xab] = O(BTS, E_G), [0xb3] = O(BTR, E_G), [0xbb] = O(BTC, E_G),
    [0xa4] = O(SHLD, E_G_IB), [0xa5] = O(SHLD, E_G_CL), [0xac] = O(SHRD, E_G_IB), [0xad] = O(SHRD, E_G_CL),
    [0xaf] = O(IMUL_TO, G_E),
    [0xb0] = B(CMPXCHG, E_G), [0xb1] = O(CMPXCHG, E_G), [0xc0] = B(XADD, E_G), [0xc1] = O(XADD, E_G),
    [0xb6] = O(MOVZX, G_EB), [0xb7] = O(MOVZX, G_EW), [0xbe] = O(MOVSX, G_EB), [0xbf] = O(MOVSX, G_EW),
    [0xb9] = UNDEFINED, [0xff] = UNDEFINED, /* UD1, UD0 */
    [0xba] = G(8, UNKNOWN), [0xc3] = O(MOV, E_G_WIDE), [0xc7] = G(9, UNKNOWN),
};

/* In a group FORM_GROUP stands for the form that the opcode itself gives. */
#define SHIFTS(form) \
    {O(ROL, form), O(ROR, form), O(RCL, form), O(RCR, form), O(SHL, form), O(SHR, form), O(SHL, form), O(SAR, form)}

const struct opcode opcode_groups[GROUP_COUNT][8] = {
    [GROUP_1] = {O(ADD, GROUP), O(OR, GROUP), O(ADC, GROUP), O(SBB, GROUP),
                 O(AND, GROUP), O(SUB, GROUP), O(XOR, GROUP), O(CMP, GROUP)},
    [GROUP_1A] = {O(POP, E_STACK)},
    [GROUP_2_IB] = SHIFTS(E_IB),
    [GROUP_2_1] = SHIFTS(E_1),
    [GROUP_2_CL] = SHIFTS(E_CL),
    [GROUP_3] = {O(TEST, GROUP), O(TEST, GROUP), O(NOT, E), O(NEG, E), O(MUL, E), O(IMUL, E)},
    [GROUP_4] = {O(INC, E), O(DEC, E), UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED},
    [GROUP_5] = {O(INC, E), O(DEC, E), O(CALL, E_NEAR), {0}, O(JMP, E_NEAR), {0}, O(PUSH, E_STACK), UNDEFINED},
    [GROUP_8] = {UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED,
                 O(BT, E_IB), O(BTS, E_IB), O(BTR, E_IB), O(BTC, E_IB)},
    [GROUP_9] = {[1] = O(CMPXCHG8B, E_QUAD)},
    [GROUP_11] = {O(MOV, GROUP), UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED},
};
/* clang-format on */
