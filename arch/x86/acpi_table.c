/* SPDX-License-Identifier: MIT */
/* ACPI: checks of a single table, and the text that says what is wrong. */
#include "arch/x86/acpi_table.h"

#define TABLE_LENGTH_MAX (16u << 20)

uint16_t acpi_read16(const uint8_t *bytes)
{
    uint16_t value;

    __builtin_memcpy(&value, bytes, sizeof(value));
    return value;
}

uint32_t acpi_read32(const uint8_t *bytes)
{
    uint32_t value;

    __builtin_memcpy(&value, bytes, sizeof(value));
    return value;
}

uint64_t acpi_read64(const uint8_t *bytes)
{
    uint64_t value;

    __builtin_memcpy(&value, bytes, sizeof(value));
    return value;
}

static size_t append(char *text, size_t size, size_t at, const char *more)
{
    while (*more && at + 1 < size)
        text[at++] = *more++;
    text[at] = '\0';
    return at;
}

void acpi_problem(struct acpi_info *out, const char *name, uint64_t address, const char *what)
{
    char digits[17] = {0};
    unsigned first = 16;
    bool known = address != 0;

    if (out->problem_count++ > 0)
        return;
    do {
        digits[--first] = "0123456789abcdef"[address & 15];
        address >>= 4;
    } while (address != 0);

    size_t at = append(out->problem, sizeof(out->problem), 0, name);

    if (known) {
        at = append(out->problem, sizeof(out->problem), at, " at 0x");
        at = append(out->problem, sizeof(out->problem), at, digits + first);
    }
    at = append(out->problem, sizeof(out->problem), at, ": ");
    append(out->problem, sizeof(out->problem), at, what);
}

uint8_t acpi_sum(const uint8_t *bytes, uint32_t length)
{
    uint8_t sum = 0;

    for (uint32_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum;
}

const uint8_t *acpi_read_at(const struct acpi_reader *reader, uint64_t physical, uint32_t length)
{
    return physical > UINT64_MAX - length ? NULL : reader->at(reader->context, physical, length);
}

bool acpi_load_table(struct acpi_info *out, const struct acpi_reader *reader, const char *name,
                     uint64_t address, struct acpi_table *table)
{
    const uint8_t *header = address == 0 ? NULL : acpi_read_at(reader, address, ACPI_HEADER_LENGTH);

    if (!header) {
        acpi_problem(out, name, address, "the address cannot be read");
        return false;
    }
    if (__builtin_memcmp(header, name, 4) != 0) {
        acpi_problem(out, name, address, "the signature is another one");
        return false;
    }
    uint32_t length = acpi_read32(header + 4);

    if (length < ACPI_HEADER_LENGTH || length > TABLE_LENGTH_MAX) {
        acpi_problem(out, name, address, "the length is impossible");
        return false;
    }
    const uint8_t *bytes = acpi_read_at(reader, address, length);

    if (!bytes) {
        acpi_problem(out, name, address, "its end cannot be read");
        return false;
    }
    if (acpi_sum(bytes, length) != 0) {
        acpi_problem(out, name, address, "the checksum is wrong");
        return false;
    }
    *table = (struct acpi_table){address, bytes, length};
    return true;
}
