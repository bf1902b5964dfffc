/* SPDX-License-Identifier: MIT */
/* Bit scans and counts, CRC32. SDM vol. 2. */
#include "vmm/emulate/decode.h"
#include "vmm/emulate/alu.h"

/* The polynomial of CRC-32C, its bits reversed, as the operands are taken. */
#define CRC32C_REVERSED 0x82f63b78u

bool alu_scan(unsigned operation, unsigned size, uint64_t value, uint64_t *number, uint64_t *flags)
{
    value &= alu_mask(size);
    alu_set_flag(flags, FLAG_ZF, value == 0);
    if (value == 0)
        return false;
    *number = (uint64_t)(operation == OPERATION_BSF ? __builtin_ctzll(value) : 63 - __builtin_clzll(value));
    return true;
}

static unsigned population(uint64_t value)
{
    unsigned count = 0;

    for (; value != 0; value &= value - 1)
        count++;
    return count;
}

uint64_t alu_count(unsigned operation, unsigned size, uint64_t value, uint64_t *flags)
{
    unsigned bits = 8 * size, count;

    value &= alu_mask(size);
    if (operation == OPERATION_POPCNT) {
        alu_set_flag(flags, FLAGS_STATUS, false);
        alu_set_flag(flags, FLAG_ZF, value == 0);
        return population(value);
    }
    if (value == 0)
        count = bits;
    else if (operation == OPERATION_TZCNT)
        count = (unsigned)__builtin_ctzll(value);
    else
        count = bits - 64 + (unsigned)__builtin_clzll(value);
    alu_set_flag(flags, FLAG_CF, value == 0);
    alu_set_flag(flags, FLAG_ZF, count == 0);
    return count;
}

uint32_t alu_crc32(uint32_t crc, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < 8 * size; i++)
        crc = crc >> 1 ^ ((crc ^ (uint32_t)(value >> i)) & 1 ? CRC32C_REVERSED : 0);
    return crc;
}
