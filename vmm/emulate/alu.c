/* SPDX-License-Identifier: MIT */
/* SDM vol. 1, "Status Flags"; SDM vol. 2, each instruction's "Flags Affected". */
#include "vmm/emulate/alu.h"
#include "vmm/emulate/decode.h"

static uint64_t sign_bit(unsigned size)
{
    return UINT64_C(1) << (8 * size - 1);
}

static bool parity_even(uint64_t value)
{
    unsigned nibbles = (unsigned)(value ^ value >> 4) & 15;

    return !(0x6996u >> nibbles & 1);
}

/* SF, ZF and PF come from the result alone. */
static void set_result_flags(uint64_t *flags, unsigned size, uint64_t result)
{
    alu_set_flag(flags, FLAG_SF, result & sign_bit(size));
    alu_set_flag(flags, FLAG_ZF, result == 0);
    alu_set_flag(flags, FLAG_PF, parity_even(result & 0xff));
}

/* a + b + carry. A carry out of bit n shows where the sum differs from the exclusive or of what went in. */
static uint64_t add(unsigned size, uint64_t a, uint64_t b, bool carry, uint64_t *flags)
{
    uint64_t result = (a + b + carry) & alu_mask(size);
    uint64_t carries = (a & b) | ((a | b) & ~result);

    alu_set_flag(flags, FLAG_CF, carries & sign_bit(size));
    alu_set_flag(flags, FLAG_AF, carries & 8);
    alu_set_flag(flags, FLAG_OF, (a ^ result) & (b ^ result) & sign_bit(size));
    set_result_flags(flags, size, result);
    return result;
}

static uint64_t subtract(unsigned size, uint64_t a, uint64_t b, bool borrow, uint64_t *flags)
{
    uint64_t result = (a - b - borrow) & alu_mask(size);
    uint64_t borrows = (~a & b) | ((~a | b) & result);

    alu_set_flag(flags, FLAG_CF, borrows & sign_bit(size));
    alu_set_flag(flags, FLAG_AF, borrows & 8);
    alu_set_flag(flags, FLAG_OF, (a ^ b) & (a ^ result) & sign_bit(size));
    set_result_flags(flags, size, result);
    return result;
}

static uint64_t logic(unsigned size, uint64_t result, uint64_t *flags)
{
    *flags &= ~(FLAG_CF | FLAG_OF | FLAG_AF);
    set_result_flags(flags, size, result);
    return result;
}

/* INC and DEC leave CF alone. */
static uint64_t by_one(unsigned size, uint64_t a, bool up, uint64_t *flags)
{
    uint64_t carry = *flags & FLAG_CF;
    uint64_t result = up ? add(size, a, 1, false, flags) : subtract(size, a, 1, false, flags);

    alu_set_flag(flags, FLAG_CF, carry);
    return result;
}

static uint64_t bit(unsigned operation, unsigned size, uint64_t a, uint64_t number, uint64_t *flags)
{
    uint64_t mask = UINT64_C(1) << (number & (8 * size - 1));

    alu_set_flag(flags, FLAG_CF, a & mask);
    switch (operation) {
    case OPERATION_BTS:
        return a | mask;
    case OPERATION_BTR:
        return a & ~mask;
    case OPERATION_BTC:
        return a ^ mask;
    default:
        return a;
    }
}

uint64_t alu_compute(unsigned operation, unsigned size, uint64_t a, uint64_t b, uint64_t *flags)
{
    bool carry = *flags & FLAG_CF;

    a &= alu_mask(size);
    b &= alu_mask(size);
    switch (operation) {
    case OPERATION_ADD:
        return add(size, a, b, false, flags);
    case OPERATION_ADC:
        return add(size, a, b, carry, flags);
    case OPERATION_SUB:
    case OPERATION_CMP:
        return subtract(size, a, b, false, flags);
    case OPERATION_SBB:
        return subtract(size, a, b, carry, flags);
    case OPERATION_NEG:
        return subtract(size, 0, a, false, flags);
    case OPERATION_OR:
        return logic(size, a | b, flags);
    case OPERATION_AND:
    case OPERATION_TEST:
        return logic(size, a & b, flags);
    case OPERATION_XOR:
        return logic(size, a ^ b, flags);
    case OPERATION_INC:
    case OPERATION_DEC:
        return by_one(size, a, operation == OPERATION_INC, flags);
    case OPERATION_NOT:
        return ~a & alu_mask(size);
    default:
        return bit(operation, size, a, b, flags);
    }
}

/* Through the carry flag an operand is one bit longer. */
static uint64_t rotate_through_carry(bool left, unsigned bits, uint64_t value, unsigned count,
                                     uint64_t *flags)
{
    for (unsigned i = 0; i < count; i++) {
        bool in = *flags & FLAG_CF, out = left ? value >> (bits - 1) & 1 : value & 1;

        value = left ? value << 1 | in : value >> 1 | (uint64_t)in << (bits - 1);
        value &= alu_mask(bits / 8);
        alu_set_flag(flags, FLAG_CF, out);
    }
    return value;
}

static uint64_t rotate(unsigned operation, unsigned size, uint64_t value, unsigned count, uint64_t *flags)
{
    unsigned bits = 8 * size;
    bool left = operation == OPERATION_ROL || operation == OPERATION_RCL;
    uint64_t result, top;

    if (operation == OPERATION_RCL || operation == OPERATION_RCR) {
        count %= bits + 1;
        if (count == 0)
            return value;
        result = rotate_through_carry(left, bits, value, count, flags);
    } else {
        unsigned by = count % bits;

        result = by == 0 ? value
                 : left  ? (value << by | value >> (bits - by)) & alu_mask(size)
                         : (value >> by | value << (bits - by)) & alu_mask(size);
        alu_set_flag(flags, FLAG_CF, left ? result & 1 : (result & sign_bit(size)) != 0);
    }
    top = result & sign_bit(size);
    if (left)
        alu_set_flag(flags, FLAG_OF, (top != 0) != ((*flags & FLAG_CF) != 0));
    else
        alu_set_flag(flags, FLAG_OF, top ^ (result << 1 & sign_bit(size)));
    return result;
}

/* SHL, SHR, SAR, by 1 to 63: bit by bit, so that CF is what went out last, whatever the operand's size. */
static uint64_t shift(unsigned operation, unsigned size, uint64_t value, unsigned count, uint64_t *flags)
{
    uint64_t result = value, sign = value & sign_bit(size);
    bool out = false;

    for (unsigned i = 0; i < count; i++) {
        if (operation == OPERATION_SHL) {
            out = result & sign_bit(size);
            result = result << 1 & alu_mask(size);
        } else {
            out = result & 1;
            result = result >> 1 | (operation == OPERATION_SAR ? sign : 0);
        }
    }
    alu_set_flag(flags, FLAG_CF, out);
    if (operation == OPERATION_SHL)
        alu_set_flag(flags, FLAG_OF, ((result & sign_bit(size)) != 0) != out);
    else
        alu_set_flag(flags, FLAG_OF, operation == OPERATION_SHR && sign);
    alu_set_flag(flags, FLAG_AF, false);
    set_result_flags(flags, size, result);
    return result;
}

/* SHLD and SHRD; counts above the operand's bits, of 16-bit operands alone, have no defined result. */
static uint64_t shift_double(unsigned operation, unsigned size, uint64_t value, uint64_t other,
                             unsigned count, uint64_t *flags)
{
    uint64_t result = value;
    bool out = false;

    for (unsigned i = 0; i < count; i++) {
        if (operation == OPERATION_SHLD) {
            out = result & sign_bit(size);
            result = (result << 1 & alu_mask(size)) | ((other & sign_bit(size)) != 0);
            other = other << 1 & alu_mask(size);
        } else {
            out = result & 1;
            result = result >> 1 | (other & 1 ? sign_bit(size) : 0);
            other >>= 1;
        }
    }
    alu_set_flag(flags, FLAG_CF, out);
    alu_set_flag(flags, FLAG_OF, (result ^ value) & sign_bit(size));
    alu_set_flag(flags, FLAG_AF, false);
    set_result_flags(flags, size, result);
    return result;
}

uint64_t alu_shift(unsigned operation, unsigned size, uint64_t value, uint64_t other, unsigned count,
                   uint64_t *flags)
{
    count &= size == 8 ? 63 : 31;
    value &= alu_mask(size);
    if (count == 0)
        return value;
    if (operation == OPERATION_SHLD || operation == OPERATION_SHRD)
        return shift_double(operation, size, value, other & alu_mask(size), count, flags);
    if (operation <= OPERATION_RCR)
        return rotate(operation, size, value, count, flags);
    return shift(operation, size, value, count, flags);
}

bool alu_condition(unsigned condition, uint64_t flags)
{
    bool less = !(flags & FLAG_SF) != !(flags & FLAG_OF), holds;

    switch (condition >> 1 & 7) {
    case 0:
        holds = flags & FLAG_OF;
        break;
    case 1:
        holds = flags & FLAG_CF;
        break;
    case 2:
        holds = flags & FLAG_ZF;
        break;
    case 3:
        holds = flags & (FLAG_CF | FLAG_ZF);
        break;
    case 4:
        holds = flags & FLAG_SF;
        break;
    case 5:
        holds = flags & FLAG_PF;
        break;
    case 6:
        holds = less;
        break;
    default:
        holds = less || (flags & FLAG_ZF);
    }
    return holds != (condition & 1);
}

uint64_t alu_swap_bytes(uint64_t value, unsigned size)
{
    uint64_t result = 0;

    for (unsigned i = 0; i < size; i++)
        result |= (value >> (8 * i) & 0xff) << (8 * (size - 1 - i));
    return result;
}
