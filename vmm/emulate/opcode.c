/* SPDX-License-Identifier: MIT */
/* The opcodes that vmm/emulate/decode.c knows. What is not listed is FORM_UNKNOWN. */
#include "vmm/emulate/opcode.h"
#include "vmm/emulate/decode.h"

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
    [0x00] = G(6, UNKNOWN), [0x01] = G(7, UNKNOWN),
    [0x0b] = UNDEFINED, /* UD2 */
    [0xa3] = O(BT, E_G), [0xab] = O(BTS, E_G), [0xb3] = O(BTR, E_G), [0xbb] = O(BTC, E_G),
    [0xa4] = O(SHLD, E_G_IB), [0xa5] = O(SHLD, E_G_CL), [0xac] = O(SHRD, E_G_IB), [0xad] = O(SHRD, E_G_CL),
    [0xaf] = O(IMUL_TO, G_E),
    [0xb0] = B(CMPXCHG, E_G), [0xb1] = O(CMPXCHG, E_G), [0xc0] = B(XADD, E_G), [0xc1] = O(XADD, E_G),
    [0xb6] = O(MOVZX, G_EB), [0xb7] = O(MOVZX, G_EW), [0xbe] = O(MOVSX, G_EB), [0xbf] = O(MOVSX, G_EW),
    [0xb9] = UNDEFINED, [0xff] = UNDEFINED, /* UD1, UD0 */
    [0xbc] = O(BSF, G_E), [0xbd] = O(BSR, G_E),
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
    [GROUP_3] = {O(TEST, GROUP), O(TEST, GROUP), O(NOT, E), O(NEG, E), O(MUL, E), O(IMUL, E), O(DIV, E), O(IDIV, E)},
    [GROUP_4] = {O(INC, E), O(DEC, E), UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED},
    [GROUP_5] = {O(INC, E), O(DEC, E), O(CALL, E_NEAR), {0}, O(JMP, E_NEAR), {0}, O(PUSH, E_STACK), UNDEFINED},
    [GROUP_6] = {O(SLDT, E_WORD), O(STR, E_WORD)},
    [GROUP_7] = {[4] = O(SMSW, E_WORD)},
    [GROUP_8] = {UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED,
                 O(BT, E_IB), O(BTS, E_IB), O(BTR, E_IB), O(BTC, E_IB)},
    [GROUP_9] = {[1] = O(CMPXCHG8B, E_QUAD)},
    [GROUP_11] = {O(MOV, GROUP), UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED, UNDEFINED},
};

#define V(byte, prefix, name, memory, flags) {1, byte, PREFIX_##prefix, OPERATION_##name, memory, flags}
#define LOAD_AND_STORE(byte, prefix, name, memory, flags) \
    V(byte, prefix, name, memory, flags), V((byte) + 1, prefix, name, memory, (flags) | VECTOR_STORE)

const struct opcode_vector opcodes_vector[] = {
    LOAD_AND_STORE(0x10, NONE, MOVUPS, 0, 0), LOAD_AND_STORE(0x10, 66, MOVUPD, 0, 0),
    LOAD_AND_STORE(0x10, F3, MOVSS, 4, 0), LOAD_AND_STORE(0x10, F2, MOVSD, 8, 0),
    LOAD_AND_STORE(0x12, NONE, MOVLPS, 8, VECTOR_MERGES | VECTOR_128),
    LOAD_AND_STORE(0x12, 66, MOVLPD, 8, VECTOR_MERGES | VECTOR_128),
    LOAD_AND_STORE(0x16, NONE, MOVHPS, 8, VECTOR_MERGES | VECTOR_128),
    LOAD_AND_STORE(0x16, 66, MOVHPD, 8, VECTOR_MERGES | VECTOR_128),
    LOAD_AND_STORE(0x28, NONE, MOVAPS, 0, VECTOR_ALIGNED), LOAD_AND_STORE(0x28, 66, MOVAPD, 0, VECTOR_ALIGNED),
    V(0x2b, NONE, MOVNTPS, 0, VECTOR_STORE | VECTOR_ALIGNED), V(0x2b, 66, MOVNTPD, 0, VECTOR_STORE | VECTOR_ALIGNED),
    V(0x6e, 66, MOVD, VECTOR_BY_W, VECTOR_128), V(0x7e, 66, MOVD, VECTOR_BY_W, VECTOR_128 | VECTOR_STORE),
    V(0x7e, F3, MOVQ, 8, VECTOR_128), V(0xd6, 66, MOVQ, 8, VECTOR_128 | VECTOR_STORE),
    V(0x6f, 66, MOVDQA, 0, VECTOR_ALIGNED), V(0x7f, 66, MOVDQA, 0, VECTOR_ALIGNED | VECTOR_STORE),
    V(0x6f, F3, MOVDQU, 0, 0), V(0x7f, F3, MOVDQU, 0, VECTOR_STORE),
    V(0xe7, 66, MOVNTDQ, 0, VECTOR_ALIGNED | VECTOR_STORE), V(0xf0, F2, LDDQU, 0, 0),
    {2, 0x2a, PREFIX_66, OPERATION_MOVNTDQA, 0, VECTOR_ALIGNED},
};
/* clang-format on */

const unsigned opcodes_vector_count = sizeof(opcodes_vector) / sizeof(opcodes_vector[0]);

struct opcode opcode_two_byte(uint8_t byte, enum opcode_prefix prefix)
{
    const struct opcode popcnt = O(POPCNT, G_E), tzcnt = O(TZCNT, G_E), lzcnt = O(LZCNT, G_E);

    if (prefix == PREFIX_F3) {
        switch (byte) {
        case 0xb8:
            return popcnt;
        case 0xbc:
            return tzcnt;
        case 0xbd:
            return lzcnt;
        default:
            break;
        }
    }
    return opcodes_two_byte[byte];
}

struct opcode opcode_three_byte(uint8_t byte, enum opcode_prefix prefix)
{
    const struct opcode load = O(MOVBE, G_E), store = O(MOVBE, E_G);
    const struct opcode crc32_byte = B(CRC32, G_E_LONG), crc32 = O(CRC32, G_E_LONG);

    if ((byte != 0xf0 && byte != 0xf1) || prefix == PREFIX_F3)
        return (struct opcode){0};
    if (prefix == PREFIX_F2)
        return byte == 0xf0 ? crc32_byte : crc32;
    return byte == 0xf0 ? load : store;
}
