/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: the ACPI parser. Input: one byte of flags, then what lies at physical BASE; the RSDP is handed
 * over as the copy that the input begins with (flag bit 1 clear), or has to be found (set). Since no mutation
 * hits a checksum, every block that is asked for has its checksum put right first, unless flag bit 0 is set.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "arch/x86/acpi.h"

#define BASE 0xf0000u /* in the BIOS area, so that a search finds it */

#define FLAG_CHECKSUMS_AS_GIVEN 1u
#define FLAG_SEARCH             2u

struct input {
    uint8_t *bytes;
    size_t size;
    unsigned flags;
};

static uint8_t sum_of(const uint8_t *bytes, size_t length)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum;
}

/* A whole table is asked for by the length that its header says; that is when the sum matters. */
static const void *at(void *context, uint64_t physical, size_t length)
{
    const struct input *input = context;

    if (length == 0)
        abort();
    if (physical < BASE || length > input->size || physical - BASE > input->size - length)
        return NULL;
    uint8_t *bytes = input->bytes + (physical - BASE);
    uint32_t table_length = 0;

    if (length >= 36)
        memcpy(&table_length, bytes + 4, sizeof(table_length));
    if (length >= 36 && table_length == length && !(input->flags & FLAG_CHECKSUMS_AS_GIVEN))
        bytes[9] = (uint8_t)(bytes[9] - sum_of(bytes, length));
    return bytes;
}

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check(const struct acpi_info *info, enum acpi_status status)
{
    require(info->cpu_count <= ACPI_CPU_MAX);
    require(info->cpus_dropped == 0 || info->cpu_count == ACPI_CPU_MAX);
    require((status == ACPI_OK) == (info->cpu_count > 0));
    require(memchr(info->problem, '\0', sizeof(info->problem)) != NULL);
    require((info->problem_count > 0) == (info->problem[0] != '\0'));
    for (unsigned i = 0; i < info->cpu_count; i++) {
        require(info->cpus[i].apic_id != 0xffffffff);
        for (unsigned j = 0; j < i; j++)
            require(info->cpus[i].apic_id != info->cpus[j].apic_id);
    }
    require(info->s5_type_a < 8 && info->s5_type_b < 8);
    require(!info->spcr_found || info->spcr_address != 0);
    require(info->reset_space <= ACPI_SPACE_PCI);
    require(acpi_status_text(status) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct acpi_info info;
    uint8_t copy[36] = {0};

    if (size < 1)
        return 0;
    struct input input = {malloc(size), size - 1, data[0]};

    memcpy(input.bytes, data + 1, size - 1);
    if (!(input.flags & FLAG_CHECKSUMS_AS_GIVEN) && input.size >= sizeof(copy)) {
        input.bytes[8] = (uint8_t)(input.bytes[8] - sum_of(input.bytes, 20));
        input.bytes[32] = (uint8_t)(input.bytes[32] - sum_of(input.bytes, 36));
    }
    memcpy(copy, input.bytes, input.size < sizeof(copy) ? input.size : sizeof(copy));
    struct acpi_reader reader = {at, &input};

    memset(&info, 0xa5, sizeof(info));
    unsigned copy_length = input.flags & FLAG_SEARCH ? 0 : input.size < sizeof(copy) ? 20 : 36;

    check(&info, acpi_parse(&info, copy, copy_length, &reader));
    free(input.bytes);
    return 0;
}
