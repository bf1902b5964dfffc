/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: formatting with an arbitrary format. Input: two bytes for the buffer's size, then the format.
 * Every argument is a number of 8 bytes, so %s is turned into %x first; width and precision by '*' read one
 * of them too.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/format.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

static size_t call(char *buffer, size_t size, const char *text, ...)
{
    va_list arguments;

    va_start(arguments, text);
    size_t length = format_v(buffer, size, text, arguments);

    va_end(arguments);
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Each conversion takes three arguments at most ('*', '.*' and its own); 24 are handed in. */
    if (size < 2 || size > 2 + 8 * 4)
        return 0;
    size_t capacity = (size_t)data[0] | (size_t)(data[1] & 3) << 8;
    char *text = malloc(size - 1), *buffer = malloc(capacity > 0 ? capacity : 1), *whole;
    unsigned conversions = 0;

    memcpy(text, data + 2, size - 2);
    text[size - 2] = '\0';
    for (char *at = text; *at; at++) {
        if (*at == 's')
            *at = 'x';
        conversions += *at == '%';
    }
    if (conversions <= 8) {
#define CALL(to, room)                                                                                       \
    call(to, room, text, 0ull, ~0ull, 1ull, 77ull, 0x8000000000000000ull, 5ull, 0x7fffffffffffffffull,       \
         13ull, 3ull, 0x80000000ull, 9ull, 21ull, 2ull, 255ull, 65535ull, 6ull, 7ull, 8ull, 0x12345678ull,   \
         10ull, 11ull, 12ull, 0xfffffff0ull, 14ull)
        size_t length = CALL(buffer, capacity);

        require(length <= size + 8 * 3 * 4100ul);
        whole = malloc(length + 1);
        require(CALL(whole, length + 1) == length);
        require(whole[length] == '\0');
        if (capacity > 0) {
            size_t kept = length < capacity ? length : capacity - 1;

            require(buffer[kept] == '\0');
            require(memcmp(buffer, whole, kept) == 0);
        }
        free(whole);
    }
    free(buffer);
    free(text);
    return 0;
}
