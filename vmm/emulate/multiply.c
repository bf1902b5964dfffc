/* SPDX-License-Identifier: MIT */
/* Multiplication and division. SDM vol. 2, "MUL", "IMUL", "DIV", "IDIV". */
#include "vmm/emulate/alu.h"

static uint64_t sign_bit(unsigned size)
{
    return UINT64_C(1) << (8 * size - 1);
}

uint64_t alu_multiply(bool is_signed, unsigned size, uint64_t a, uint64_t b, uint64_t *high, uint64_t *flags)
{
    unsigned __int128 product;
    uint64_t low;
    bool more;

    if (is_signed)
        product = (unsigned __int128)((__int128)(int64_t)alu_sign_extend(a, size) *
                                      (int64_t)alu_sign_extend(b, size));
    else
        product = (unsigned __int128)(a & alu_mask(size)) * (b & alu_mask(size));
    low = (uint64_t)product & alu_mask(size);
    *high = (uint64_t)(product >> (8 * size)) & alu_mask(size);
    more = *high != (is_signed && (low & sign_bit(size)) ? alu_mask(size) : 0);
    alu_set_flag(flags, FLAG_CF, more);
    alu_set_flag(flags, FLAG_OF, more);
    return low;
}

/* Bit by bit, as the compiler's own division of 128 bits is a library's. high < divisor. */
static void divide_unsigned(unsigned size, uint64_t high, uint64_t low, uint64_t divisor, uint64_t *quotient,
                            uint64_t *remainder)
{
    uint64_t rest = high, result = 0;

    for (unsigned bit = 8 * size; bit-- > 0;) {
        bool carry = rest >> 63;

        rest = rest << 1 | (low >> bit & 1);
        result <<= 1;
        if (carry || rest >= divisor) {
            rest -= divisor;
            result |= 1;
        }
    }
    *quotient = result;
    *remainder = rest;
}

bool alu_divide(bool is_signed, unsigned size, uint64_t high, uint64_t low, uint64_t divisor,
                uint64_t *quotient, uint64_t *remainder)
{
    uint64_t mask = alu_mask(size);
    bool negative = is_signed && (high & sign_bit(size)),
         by_negative = is_signed && (divisor & sign_bit(size));

    high &= mask;
    low &= mask;
    divisor &= mask;
    if (negative) {
        low = -low & mask;
        high = (~high + (low == 0)) & mask;
    }
    if (by_negative)
        divisor = -divisor & mask;
    if (divisor == 0 || high >= divisor)
        return false;
    divide_unsigned(size, high, low, divisor, quotient, remainder);
    if (is_signed && *quotient >= sign_bit(size) + (negative != by_negative))
        return false;
    if (negative != by_negative)
        *quotient = -*quotient & mask;
    if (negative)
        *remainder = -*remainder & mask;
    return true;
}
