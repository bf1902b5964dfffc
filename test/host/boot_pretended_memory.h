/* SPDX-License-Identifier: MIT */
/* A small pretended physical memory for the tests of the multiboot parsers. */
#ifndef TEST_HOST_BOOT_PRETENDED_MEMORY_H
#define TEST_HOST_BOOT_PRETENDED_MEMORY_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "boot/multiboot.h"

#define BASE 0x10000u
#define SIZE 0x20000u

static uint8_t memory[SIZE];
static struct boot_info info;

/* Every range is handed out as a block of its own, so that ASan sees a read beyond what was asked for. */
static void *blocks[100000];
static unsigned block_count;

static const void *at(void *context, uint64_t physical, size_t length)
{
    (void)context;
    if (physical < BASE || length > SIZE || physical - BASE > SIZE - length)
        return NULL;
    assert_true(block_count < sizeof(blocks) / sizeof(blocks[0]));
    void *block = malloc(length);

    memcpy(block, memory + (physical - BASE), length);
    return blocks[block_count++] = block;
}

static const struct boot_memory_reader reader = {.at = at};

static inline enum boot_status parse(uint32_t magic)
{
    memset(&info, 0xa5, sizeof(info));
    enum boot_status status = boot_info_parse(&info, magic, BASE, &reader);

    while (block_count > 0)
        free(blocks[--block_count]);
    return status;
}

static inline void put32(uint32_t address, uint32_t value)
{
    memcpy(memory + (address - BASE), &value, sizeof(value));
}

static inline void put64(uint32_t address, uint64_t value)
{
    memcpy(memory + (address - BASE), &value, sizeof(value));
}

static inline void put_text(uint32_t address, const char *text)
{
    memcpy(memory + (address - BASE), text, strlen(text) + 1);
}

static inline int clear(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    return 0;
}

static inline void assert_range(unsigned index, uint64_t base, uint64_t end, enum boot_memory_type type)
{
    assert_true(index < info.memory_count);
    assert_int_equal(info.memory[index].base, base);
    assert_int_equal(info.memory[index].base + info.memory[index].length, end);
    assert_int_equal(info.memory[index].type, type);
}

#endif
