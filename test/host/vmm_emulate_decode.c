/* SPDX-License-Identifier: MIT */
/* What the decoder refuses and why, and what depends on prefixes, code size and bytes at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/emulate/decode.h"

#define DECODE(instruction, code_size, ...)                                                                  \
    decode_instruction((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), code_size,    \
                       instruction)

static struct instruction decoded;

static void test_lock(void **state)
{
    assert_int_equal(DECODE(&decoded, 4, 0xf0, 0x01, 0x03), DECODE_OK); /* LOCK ADD [EBX],EAX */
    assert_true(decoded.lock);
    assert_int_equal(DECODE(&decoded, 4, 0xf0, 0x03, 0x03), DECODE_UNDEFINED);       /* into a register */
    assert_int_equal(DECODE(&decoded, 4, 0xf0, 0x39, 0x03), DECODE_UNDEFINED);       /* CMP */
    assert_int_equal(DECODE(&decoded, 4, 0xf0, 0x89, 0x03), DECODE_UNDEFINED);       /* MOV */
    assert_int_equal(DECODE(&decoded, 4, 0xf0, 0x85, 0x03), DECODE_UNDEFINED);       /* TEST */
    assert_int_equal(DECODE(&decoded, 4, 0xf0, 0xd3, 0x23), DECODE_UNDEFINED);       /* SHL */
    assert_int_equal(DECODE(&decoded, 4, 0xf0, 0x0f, 0xa3, 0x03), DECODE_UNDEFINED); /* BT */
    assert_int_equal(DECODE(&decoded, 4, 0xf0, 0x0f, 0xab, 0x03), DECODE_OK);        /* BTS */
    assert_int_equal(DECODE(&decoded, 4, 0xf0, 0xa5), DECODE_UNDEFINED);             /* MOVS */
    assert_int_equal(DECODE(&decoded, 4, 0xf0, 0x01, 0xc3), DECODE_UNDEFINED);       /* ADD of registers */
}

static void test_undefined(void **state)
{
    assert_int_equal(DECODE(&decoded, 4, 0x0f, 0x0b), DECODE_UNDEFINED);             /* UD2 */
    assert_int_equal(DECODE(&decoded, 4, 0x0f, 0xba, 0x03, 0), DECODE_UNDEFINED);    /* group 8, /0 */
    assert_int_equal(DECODE(&decoded, 4, 0xc7, 0x0b, 0, 0, 0, 0), DECODE_UNDEFINED); /* group 11, /1 */
    assert_int_equal(DECODE(&decoded, 4, 0xfe, 0x13), DECODE_UNDEFINED);             /* group 4, /2 */
    assert_int_equal(DECODE(&decoded, 4, 0xff, 0x3b), DECODE_UNDEFINED);             /* group 5, /7 */
    assert_int_equal(DECODE(&decoded, 4, 0x8c, 0x33), DECODE_UNDEFINED);             /* segment register 6 */
    assert_int_equal(DECODE(&decoded, 8, 0x82, 0x03, 1), DECODE_UNDEFINED);
    assert_int_equal(DECODE(&decoded, 4, 0x82, 0x03, 1), DECODE_OK);
}

static void test_unknown(void **state)
{
    assert_int_equal(DECODE(&decoded, 8, 0x0f, 0x6f, 0x03), DECODE_UNKNOWN);       /* MOVQ MM0,[RBX] */
    assert_int_equal(DECODE(&decoded, 8, 0x66, 0x0f, 0x6f, 0xc3), DECODE_UNKNOWN); /* MOVDQA of registers */
    assert_int_equal(DECODE(&decoded, 8, 0x66, 0x0f, 0xfe, 0x03), DECODE_UNKNOWN); /* PADDD */
    assert_int_equal(DECODE(&decoded, 8, 0xc5, 0xf9, 0xfe, 0x03), DECODE_UNKNOWN); /* VPADDD */
    assert_int_equal(DECODE(&decoded, 8, 0x62, 0xf1, 0x7d, 0x08, 0x6f, 0x03), DECODE_UNKNOWN);
    assert_int_equal(DECODE(&decoded, 8, 0xd9, 0x03), DECODE_UNKNOWN);       /* FLD */
    assert_int_equal(DECODE(&decoded, 8, 0xff, 0x1b), DECODE_UNKNOWN);       /* far CALL */
    assert_int_equal(DECODE(&decoded, 8, 0x8e, 0x1b), DECODE_UNKNOWN);       /* MOV DS,[RBX] */
    assert_int_equal(DECODE(&decoded, 8, 0x0f, 0x00, 0x13), DECODE_UNKNOWN); /* LLDT */
    assert_int_equal(DECODE(&decoded, 8, 0x0f, 0x01, 0x13), DECODE_UNKNOWN); /* LGDT */
    assert_int_equal(DECODE(&decoded, 4, 0xc5, 0x03), DECODE_UNKNOWN);       /* LDS */
    assert_int_equal(DECODE(&decoded, 8, 0x0f, 0xb8, 0x03), DECODE_UNKNOWN); /* JMPE */
    assert_int_equal(DECODE(&decoded, 8, 0x8b, 0xc3), DECODE_UNKNOWN);       /* MOV of registers */
    assert_int_equal(DECODE(&decoded, 8, 0x50), DECODE_UNKNOWN);             /* PUSH RAX */
    assert_int_equal(DECODE(&decoded, 4, 0x63, 0x03), DECODE_UNKNOWN);       /* ARPL */
}

/* What a VEX prefix must have, and must not have before it. */
static void test_vex(void **state)
{
    assert_int_equal(DECODE(&decoded, 8, 0xc5, 0xfe, 0x6f, 0x03), DECODE_OK); /* VMOVDQU YMM0,[RBX] */
    assert_true(decoded.vex && decoded.memory_size == 32 && decoded.operand_size == 32 && !decoded.aligned);
    assert_int_equal(DECODE(&decoded, 8, 0xc4, 0x41, 0x79, 0x6f, 0x03), DECODE_OK); /* VMOVDQA XMM8,[R11] */
    assert_true(decoded.aligned && decoded.memory_size == 16 && decoded.reg == 8 &&
                decoded.memory.base == 11);
    assert_int_equal(DECODE(&decoded, 8, 0xc5, 0xf6, 0x6f, 0x03), DECODE_UNDEFINED); /* vvvv */
    assert_int_equal(DECODE(&decoded, 8, 0xc5, 0xec, 0x12, 0x03), DECODE_UNDEFINED); /* VMOVLPS of 32 bytes */
    assert_int_equal(DECODE(&decoded, 8, 0xc5, 0xe8, 0x12, 0x03), DECODE_OK);
    assert_true(decoded.vector == 2 && decoded.memory_size == 8);
    assert_int_equal(DECODE(&decoded, 8, 0x66, 0xc5, 0xfe, 0x6f, 0x03), DECODE_UNDEFINED);
    assert_int_equal(DECODE(&decoded, 8, 0xf3, 0xc5, 0xfe, 0x6f, 0x03), DECODE_UNDEFINED);
    assert_int_equal(DECODE(&decoded, 8, 0xf0, 0xc5, 0xfe, 0x6f, 0x03), DECODE_UNDEFINED);
    assert_int_equal(DECODE(&decoded, 8, 0x48, 0xc5, 0xfe, 0x6f, 0x03), DECODE_UNDEFINED);
    assert_int_equal(DECODE(&decoded, 8, 0x65, 0x67, 0xc5, 0xfe, 0x6f, 0x03), DECODE_OK);
    assert_int_equal(DECODE(&decoded, 8, 0xf0, 0x66, 0x0f, 0x6f, 0x03), DECODE_UNDEFINED); /* LOCK MOVDQA */
}

/* The same bytes on processors that have, or have not, what they mean. */
static void test_features(void **state)
{
    assert_int_equal(DECODE(&decoded, 8, 0xf3, 0x0f, 0xbc, 0x03), DECODE_OK);
    assert_int_equal(decoded.operation, OPERATION_TZCNT);
    assert_int_equal(decode_for_features(&decoded, DECODE_FEATURE_ALL), DECODE_OK);
    assert_int_equal(decoded.operation, OPERATION_TZCNT);
    assert_int_equal(decode_for_features(&decoded, DECODE_FEATURE_ALL & ~DECODE_FEATURE_TZCNT), DECODE_OK);
    assert_int_equal(decoded.operation, OPERATION_BSF);
    assert_int_equal(DECODE(&decoded, 8, 0xf3, 0x0f, 0xbd, 0x03), DECODE_OK);
    assert_int_equal(decode_for_features(&decoded, 0), DECODE_OK);
    assert_int_equal(decoded.operation, OPERATION_BSR);
    assert_int_equal(DECODE(&decoded, 8, 0x0f, 0x38, 0xf0, 0x03), DECODE_OK); /* MOVBE */
    assert_int_equal(decode_for_features(&decoded, DECODE_FEATURE_MOVBE), DECODE_OK);
    assert_int_equal(decode_for_features(&decoded, ~DECODE_FEATURE_MOVBE), DECODE_UNDEFINED);
    assert_int_equal(DECODE(&decoded, 8, 0xf2, 0x0f, 0x38, 0xf0, 0x03), DECODE_OK); /* CRC32 */
    assert_int_equal(decode_for_features(&decoded, ~DECODE_FEATURE_CRC32), DECODE_UNDEFINED);
    assert_int_equal(DECODE(&decoded, 8, 0xf3, 0x0f, 0xb8, 0x03), DECODE_OK); /* POPCNT */
    assert_int_equal(decode_for_features(&decoded, ~DECODE_FEATURE_POPCNT), DECODE_UNDEFINED);
    assert_int_equal(DECODE(&decoded, 8, 0x48, 0x0f, 0xc7, 0x0b), DECODE_OK); /* CMPXCHG16B */
    assert_int_equal(decode_for_features(&decoded, ~DECODE_FEATURE_CMPXCHG16B), DECODE_UNDEFINED);
    assert_int_equal(DECODE(&decoded, 8, 0xc5, 0xfe, 0x6f, 0x03), DECODE_OK);
    assert_int_equal(decode_for_features(&decoded, ~DECODE_FEATURE_AVX), DECODE_UNDEFINED);
    assert_int_equal(DECODE(&decoded, 8, 0x8b, 0x03), DECODE_OK);
    assert_int_equal(decode_for_features(&decoded, 0), DECODE_OK);
}

/* Whatever is cut off, the decoder asks for more; 15 bytes are enough to know. */
static void test_partial(void **state)
{
    static const uint8_t code[] = {0x67, 0x2e, 0x81, 0x84, 1, 2, 3, 4, 5, 6, 0x90}; /* ADD CS:[SI+0x201] */

    for (unsigned count = 0; count < 10; count++)
        assert_int_equal(decode_instruction(code, count, 4, &decoded), DECODE_MORE);
    assert_int_equal(decode_instruction(code, sizeof(code), 4, &decoded), DECODE_OK);
    assert_int_equal(decoded.length, 10);
    assert_int_equal(decoded.immediate, 0x06050403);
}

static void test_too_long(void **state)
{
    uint8_t code[17];

    memset(code, 0x66, sizeof(code));
    code[13] = 0x8b;
    code[14] = 0x03;
    assert_int_equal(decode_instruction(code, 15, 4, &decoded), DECODE_OK);
    assert_int_equal(decoded.length, 15);
    code[13] = 0x66;
    code[14] = 0x8b;
    code[15] = 0x03;
    assert_int_equal(decode_instruction(code, 16, 4, &decoded), DECODE_TOO_LONG);
    assert_int_equal(decode_instruction(code, 15, 4, &decoded), DECODE_TOO_LONG);
    memset(code, 0x2e, sizeof(code));
    assert_int_equal(decode_instruction(code, sizeof(code), 8, &decoded), DECODE_TOO_LONG);
}

static void test_sizes(void **state)
{
    assert_int_equal(DECODE(&decoded, 2, 0x8b, 0x07), DECODE_OK);
    assert_true(decoded.operand_size == 2 && decoded.address_size == 2 &&
                decoded.memory.base == REGISTER_RBX);
    assert_int_equal(DECODE(&decoded, 2, 0x66, 0x67, 0x8b, 0x07), DECODE_OK);
    assert_true(decoded.operand_size == 4 && decoded.address_size == 4 &&
                decoded.memory.base == REGISTER_RDI);
    assert_int_equal(DECODE(&decoded, 8, 0x66, 0x48, 0x8b, 0x07), DECODE_OK); /* REX.W wins */
    assert_true(decoded.operand_size == 8 && decoded.address_size == 8);
    assert_int_equal(DECODE(&decoded, 8, 0x48, 0x66, 0x8b, 0x07), DECODE_OK); /* and counts only at the end */
    assert_int_equal(decoded.operand_size, 2);
    assert_int_equal(DECODE(&decoded, 8, 0xff, 0x33), DECODE_OK); /* PUSH: 8 bytes */
    assert_int_equal(decoded.memory_size, 8);
    assert_int_equal(DECODE(&decoded, 8, 0x8a, 0x23), DECODE_OK);
    assert_true(decoded.reg == REGISTER_RAX && decoded.reg_high); /* AH */
    assert_int_equal(DECODE(&decoded, 8, 0x40, 0x8a, 0x23), DECODE_OK);
    assert_true(decoded.reg == REGISTER_RSP && !decoded.reg_high); /* SPL */
}

static void test_segments(void **state)
{
    assert_int_equal(DECODE(&decoded, 4, 0x8b, 0x45, 0), DECODE_OK); /* [EBP] */
    assert_int_equal(decoded.memory.segment, SEGMENT_SS);
    assert_int_equal(DECODE(&decoded, 4, 0x8b, 0x04, 0x24), DECODE_OK); /* [ESP] */
    assert_int_equal(decoded.memory.segment, SEGMENT_SS);
    assert_int_equal(DECODE(&decoded, 4, 0x8b, 0x04, 0x6d, 0, 0, 0, 0), DECODE_OK); /* [EBP*2] */
    assert_int_equal(decoded.memory.segment, SEGMENT_DS);
    assert_int_equal(DECODE(&decoded, 4, 0x2e, 0x64, 0x8b, 0x45, 0), DECODE_OK); /* the last one counts */
    assert_int_equal(decoded.memory.segment, SEGMENT_FS);
    assert_int_equal(DECODE(&decoded, 8, 0x65, 0x3e, 0x8b, 0x03), DECODE_OK); /* of those that count at all */
    assert_int_equal(decoded.memory.segment, SEGMENT_GS);
    assert_int_equal(DECODE(&decoded, 2, 0x8b, 0x02), DECODE_OK); /* [BP+SI] */
    assert_int_equal(decoded.memory.segment, SEGMENT_SS);
}

static void test_uses_rsp(void **state)
{
    assert_int_equal(DECODE(&decoded, 8, 0x8b, 0x23), DECODE_OK); /* MOV ESP,[RBX] */
    assert_true(instruction_uses_rsp(&decoded));
    assert_int_equal(DECODE(&decoded, 8, 0x8b, 0x04, 0x24), DECODE_OK); /* MOV EAX,[RSP] */
    assert_true(instruction_uses_rsp(&decoded));
    assert_int_equal(DECODE(&decoded, 8, 0xff, 0x33), DECODE_OK); /* PUSH [RBX] */
    assert_true(instruction_uses_rsp(&decoded));
    assert_int_equal(DECODE(&decoded, 8, 0xff, 0x13), DECODE_OK); /* CALL [RBX] */
    assert_true(instruction_uses_rsp(&decoded));
    assert_int_equal(DECODE(&decoded, 8, 0xff, 0x23), DECODE_OK); /* JMP [RBX] */
    assert_false(instruction_uses_rsp(&decoded));
    assert_int_equal(DECODE(&decoded, 8, 0x8a, 0x23), DECODE_OK); /* MOV AH,[RBX] */
    assert_false(instruction_uses_rsp(&decoded));
    assert_int_equal(DECODE(&decoded, 8, 0x8b, 0x03), DECODE_OK);
    assert_false(instruction_uses_rsp(&decoded));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lock),     cmocka_unit_test(test_undefined), cmocka_unit_test(test_unknown),
        cmocka_unit_test(test_vex),      cmocka_unit_test(test_features),  cmocka_unit_test(test_partial),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_sizes),     cmocka_unit_test(test_segments),
        cmocka_unit_test(test_uses_rsp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
