/* SPDX-License-Identifier: MIT */
/* Arithmetic and logic of 1, 2, 4 and 8 bytes with RFLAGS as the processor sets them. Pure. */
#ifndef VMM_EMULATE_ALU_H
#define VMM_EMULATE_ALU_H

#include <stdbool.h>
#include <stdint.h>

#define FLAG_CF UINT64_C(0x001)
#define FLAG_PF UINT64_C(0x004)
#define FLAG_AF UINT64_C(0x010)
#define FLAG_ZF UINT64_C(0x040)
#define FLAG_SF UINT64_C(0x080)
#define FLAG_DF UINT64_C(0x400)
#define FLAG_OF UINT64_C(0x800)
/* The six that arithmetic changes. */
#define FLAGS_STATUS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

/* All bits of an operand of `size` bytes. */
static inline uint64_t alu_mask(unsigned size)
{
    return UINT64_MAX >> (64 - 8 * size);
}

/* The low `size` bytes of a value, sign-extended to 64 bits. */
static inline uint64_t alu_sign_extend(uint64_t value, unsigned size)
{
    return (uint64_t)((int64_t)(value << (64 - 8 * size)) >> (64 - 8 * size));
}

/*
 * The result of `operation` (enum operation: ADD to XOR, CMP as SUB, TEST as AND, INC, DEC, NOT, NEG, BT to
 * BTC with the bit's number in b) on operands of `size` bytes; *flags are changed as the processor does.
 * Flags that the manual leaves undefined: AF of logic is cleared, others stay. Values above `size` do not
 * matter; the result has none.
 */
uint64_t alu_compute(unsigned operation, unsigned size, uint64_t a, uint64_t b, uint64_t *flags);

/*
 * ROL to SAR by `count` as it stands in CL or the instruction; SHLD and SHRD take bits from `other`. Where
 * the manual leaves OF undefined (counts other than 1) it is computed by the rule for 1.
 */
uint64_t alu_shift(unsigned operation, unsigned size, uint64_t value, uint64_t other, unsigned count,
                   uint64_t *flags);

/*
 * The product of two operands, signed or not: its low half, the high half in *high. CF and OF say whether the
 * high half is more than an extension; the other flags, undefined, stay.
 */
uint64_t alu_multiply(bool is_signed, unsigned size, uint64_t a, uint64_t b, uint64_t *high, uint64_t *flags);

/*
 * DIV and IDIV: high:low by `divisor`, all of `size` bytes. false: the divisor is 0 or the quotient has no
 * room
 * (#DE). The flags, undefined, stay.
 */
bool alu_divide(bool is_signed, unsigned size, uint64_t high, uint64_t low, uint64_t divisor,
                uint64_t *quotient, uint64_t *remainder);

/*
 * BSF and BSR: the number of the first or the last bit that is set, in *number. false: none is, and the
 * destination stays. ZF says so; the other flags, undefined, stay.
 */
bool alu_scan(unsigned operation, unsigned size, uint64_t value, uint64_t *number, uint64_t *flags);

/* TZCNT, LZCNT and POPCNT. What is undefined of the flags stays. */
uint64_t alu_count(unsigned operation, unsigned size, uint64_t value, uint64_t *flags);

/* CRC32: `crc` with the low `size` bytes of a value added. */
uint32_t alu_crc32(uint32_t crc, uint64_t value, unsigned size);

/* Sets or clears one or more flags. */
static inline void alu_set_flag(uint64_t *flags, uint64_t flag, bool on)
{
    *flags = on ? *flags | flag : *flags & ~flag;
}

/* Whether the condition 0..15 of an opcode's low bits holds. SDM vol. 1, "EFLAGS Condition Codes". */
bool alu_condition(unsigned condition, uint64_t flags);

/* The low `size` bytes in reverse order. */
uint64_t alu_swap_bytes(uint64_t value, unsigned size);

#endif
