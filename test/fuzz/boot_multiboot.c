/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: both multiboot parsers. Input: one byte that chooses the protocol (even: 1), then what lies at
 * physical BASE; the information starts there. Checks what boot_info.h promises whatever the loader says.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boot/boot_info.h"

#define BASE 0x10000u
#define PAGE 4096u

struct input {
    const uint8_t *bytes;
    size_t size;
};

/* The input is one block, so ASan sees what runs over its end; a range inside is handed out as it is. */
static const void *at(void *context, uint64_t physical, size_t length)
{
    const struct input *input = context;

    if (length == 0)
        abort();
    if (physical < BASE || length > input->size || physical - BASE > input->size - length)
        return NULL;
    return input->bytes + (physical - BASE);
}

static void require(int condition)
{
    if (!condition)
        abort();
}

/* Returns whether there is available memory. */
static int check_memory(const struct boot_info *info)
{
    uint64_t end = 0;
    int available = 0;

    require(info->memory_count <= BOOT_MEMORY_MAX);
    for (unsigned i = 0; i < info->memory_count; i++) {
        const struct boot_memory_range *range = &info->memory[i];

        require(range->base % PAGE == 0 && range->length % PAGE == 0 && range->length > 0);
        require(range->base >= end);
        require(i == 0 || range->base > end || range->type != range[-1].type);
        require(range->type >= BOOT_MEMORY_AVAILABLE && range->type <= BOOT_MEMORY_BAD);
        end = range->base + range->length;
        require(end <= 1ull << 52);
        available |= range->type == BOOT_MEMORY_AVAILABLE;
    }
    return available;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct boot_info info;

    if (size < 1)
        return 0;
    uint32_t magic = data[0] % 2 == 0 ? BOOT_MAGIC_MULTIBOOT1 : BOOT_MAGIC_MULTIBOOT2;
    struct input input = {malloc(size), size - 1};

    memcpy((void *)(uintptr_t)input.bytes, data + 1, size - 1);
    struct boot_memory_reader reader = {at, &input};

    memset(&info, 0xa5, sizeof(info));
    enum boot_status status = boot_info_parse(&info, magic, BASE, &reader);

    int available = check_memory(&info);

    require(status != BOOT_OK || available);
    require(status != BOOT_NO_MEMORY || !available);
    require(memchr(info.command_line, '\0', sizeof(info.command_line)) != NULL);
    require(memchr(info.loader_name, '\0', sizeof(info.loader_name)) != NULL);
    require(info.module_count <= BOOT_MODULE_MAX);
    for (unsigned i = 0; i < info.module_count; i++)
        require(memchr(info.modules[i].string, '\0', BOOT_STRING_MAX) != NULL);
    require(info.rsdp_length == 0 || info.rsdp_length == 20 || info.rsdp_length == 36);
    require(info.notes >> BOOT_NOTE_COUNT == 0);
    require(boot_status_text(status) != NULL);
    free((void *)(uintptr_t)input.bytes);
    return 0;
}
