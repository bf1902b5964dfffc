/* SPDX-License-Identifier: MIT */
/* What the firmware says of itself: structure type 0 of the SMBIOS tables. DMTF DSP0134. */
#include "vmm/host/bochs.h"
#include <stddef.h>

#define ENTRY_POINT_LENGTH    0x1f
#define TABLE_LENGTH_AT       0x16
#define TABLE_ADDRESS_AT      0x18
#define TYPE_BIOS             0
#define BIOS_VENDOR_AT        4
#define BIOS_VERSION_AT       5
#define BIOS_INFORMATION_SIZE 6 /* of what is read here */

static unsigned read(const uint8_t *bytes, unsigned count)
{
    unsigned value = 0;

    while (count-- > 0)
        value = value << 8 | bytes[count];
    return value;
}

static bool sums_to_zero(const uint8_t *bytes, unsigned length)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

static bool begins(const uint8_t *bytes, size_t left, const char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++)
        if (i >= left || bytes[i] != (uint8_t)text[i])
            return false;
    return true;
}

/* String `number`, from 1 on, of those behind a structure; false: it has none. A string ends within `left`.
 */
static bool find_string(const uint8_t *strings, size_t left, unsigned number, const uint8_t **string,
                        size_t *length)
{
    for (size_t at = 0; at < left && strings[at] != 0;) {
        size_t end = at;

        while (end < left && strings[end] != 0)
            end++;
        if (end == left)
            return false;
        if (--number == 0) {
            *string = strings + at;
            *length = end - at;
            return true;
        }
        at = end + 1;
    }
    return false;
}

/* "Bochs 3.0": 300. Another vendor's, or another text: 0. */
static unsigned version_of(const uint8_t *structure, size_t left)
{
    const uint8_t *vendor, *version;
    size_t vendor_length, version_length, length = structure[1];

    if (length < BIOS_INFORMATION_SIZE || structure[BIOS_VENDOR_AT] == 0 || structure[BIOS_VERSION_AT] == 0 ||
        !find_string(structure + length, left - length, structure[BIOS_VENDOR_AT], &vendor, &vendor_length) ||
        !find_string(structure + length, left - length, structure[BIOS_VERSION_AT], &version,
                     &version_length) ||
        !begins(vendor, vendor_length, "The Bochs Project") || !begins(version, version_length, "Bochs ") ||
        version_length < 9 || version[7] != '.' || version[6] < '1' || version[6] > '9' || version[8] < '0' ||
        version[8] > '9')
        return 0;
    return (unsigned)(version[6] - '0') * 100 + (unsigned)(version[8] - '0');
}

unsigned emulator_bochs_of_bios(const uint8_t *area)
{
    for (unsigned at = 0; at + ENTRY_POINT_LENGTH <= EMULATOR_BIOS_SIZE; at += 16) {
        const uint8_t *entry = area + at;
        unsigned address = read(entry + TABLE_ADDRESS_AT, 4), length = read(entry + TABLE_LENGTH_AT, 2);

        if (!begins(entry, 4, "_SM_") || !sums_to_zero(entry, ENTRY_POINT_LENGTH) ||
            address < EMULATOR_BIOS_BASE || address - EMULATOR_BIOS_BASE > EMULATOR_BIOS_SIZE - length ||
            length < 4)
            continue;
        /* The BIOS's own structure is the first one by custom, and in Bochs. */
        entry = area + (address - EMULATOR_BIOS_BASE);
        if (entry[0] == TYPE_BIOS && entry[1] < length)
            return version_of(entry, length);
    }
    return 0;
}
