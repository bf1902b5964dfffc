/* SPDX-License-Identifier: MIT */
/* RAM that counts. */
#include "vmm/devices/test_memory.h"

void test_memory_reset(struct test_memory *memory)
{
    *memory = (struct test_memory){0};
}

static bool is_register(uint64_t offset)
{
    return offset >= TEST_MEMORY_REGISTERS;
}

static uint64_t read_register(const struct test_memory *memory, uint64_t offset)
{
    switch (offset) {
    case TEST_MEMORY_READS:
        return memory->reads;
    case TEST_MEMORY_WRITES:
        return memory->writes;
    case TEST_MEMORY_LAST_SIZE:
        return memory->last_size;
    case TEST_MEMORY_LAST_OFFSET:
        return memory->last_offset;
    default:
        return 0;
    }
}

static void note(struct test_memory *memory, uint32_t *count, uint64_t offset, unsigned size)
{
    (*count)++;
    memory->last_size = size;
    memory->last_offset = (uint32_t)offset;
}

static uint64_t read(void *device, uint64_t offset, unsigned size, uint64_t now)
{
    struct test_memory *memory = device;
    uint64_t value = 0;

    (void)now;
    if (is_register(offset))
        return read_register(memory, offset);
    note(memory, &memory->reads, offset, size);
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)memory->bytes[offset + i] << (8 * i);
    return value;
}

static void write(void *device, uint64_t offset, unsigned size, uint64_t value, uint64_t now)
{
    struct test_memory *memory = device;

    (void)now;
    if (is_register(offset)) {
        memory->reads = memory->writes = memory->last_size = memory->last_offset = 0;
        return;
    }
    note(memory, &memory->writes, offset, size);
    for (unsigned i = 0; i < size; i++)
        memory->bytes[offset + i] = (uint8_t)(value >> (8 * i));
}

struct device_memory test_memory_range(struct test_memory *memory)
{
    return (struct device_memory){.name = "test",
                                  .gpa = TEST_MEMORY_GPA,
                                  .size = TEST_MEMORY_SIZE,
                                  .device = memory,
                                  .read = read,
                                  .write = write};
}
