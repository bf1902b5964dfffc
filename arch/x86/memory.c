/* SPDX-License-Identifier: MIT */
/* The string functions that the compiler may call, and image addresses to physical ones. */
#include "arch/x86/memory.h"

extern const uint8_t image_start[], image_end[];

static uint64_t image_physical;

void memory_set_image(uint64_t physical)
{
    image_physical = physical;
}

uint64_t virt_to_phys(const void *address)
{
    uint64_t value = (uint64_t)(uintptr_t)address;
    uint64_t image = (uint64_t)(uintptr_t)image_start;

    return value >= image ? value - image + image_physical : value - MEMORY_DIRECT_MAP_BASE;
}

bool virt_is_image(uint64_t address)
{
    return address >= (uint64_t)(uintptr_t)image_start && address < (uint64_t)(uintptr_t)image_end;
}

/* Eight bytes at a time, then what is left: as fast as any where REP is, and nothing that the compiler turns
 * into a call to itself. */
void *memcpy(void *restrict to, const void *restrict from, size_t length)
{
    void *result = to;
    size_t words = length / 8, rest = length % 8;

    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
    return result;
}

void *memset(void *to, int byte, size_t length)
{
    void *result = to;
    size_t words = length / 8, rest = length % 8;

    __asm__ volatile("rep stosq"
                     : "+D"(to), "+c"(words)
                     : "a"(UINT64_C(0x0101010101010101) * (uint8_t)byte)
                     : "memory");
    __asm__ volatile("rep stosb" : "+D"(to), "+c"(rest) : "a"(byte) : "memory");
    return result;
}

void *memmove(void *to, const void *from, size_t length)
{
    uint8_t *target = to;
    const uint8_t *source = from;

    if ((uintptr_t)target - (uintptr_t)source >= length)
        return memcpy(to, from, length);
    while (length-- > 0) {
        target[length] = source[length];
        __asm__ volatile("" : : : "memory");
    }
    return to;
}

int memcmp(const void *left, const void *right, size_t length)
{
    const uint8_t *a = left, *b = right;

    for (size_t i = 0; i < length; i++) {
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    }
    return 0;
}

size_t strlen(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0') {
        length++;
        __asm__ volatile("" : : : "memory");
    }
    return length;
}

int strcmp(const char *left, const char *right)
{
    return strncmp(left, right, SIZE_MAX);
}

int strncmp(const char *left, const char *right, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint8_t a = (uint8_t)left[i], b = (uint8_t)right[i];
        if (a != b)
            return a < b ? -1 : 1;
        if (a == 0)
            break;
    }
    return 0;
}
