/* SPDX-License-Identifier: MIT */
/* Looking addresses up in the table of tools/symbols. */
#include "vmm/symbols.h"

#include "drivers/format.h"

struct symbol {
    uint32_t offset; /* from image_start; ascending */
    uint32_t name;   /* where in symbol_names */
};

extern const uint32_t symbol_count;
extern const struct symbol symbol_table[];
extern const char symbol_names[];
extern const uint8_t image_start[], boot_start[], boot_end[], text_start[], text_end[];

static int in_section(uint64_t address, const uint8_t *start, const uint8_t *end)
{
    return address >= (uint64_t)(uintptr_t)start && address < (uint64_t)(uintptr_t)end;
}

const char *symbols_find(uint64_t address, uint64_t *offset)
{
    uint64_t wanted = address - (uint64_t)(uintptr_t)image_start;
    uint32_t low = 0, high = symbol_count;

    *offset = 0;
    if (!in_section(address, text_start, text_end) && !in_section(address, boot_start, boot_end))
        return NULL;
    /* The last symbol at or before the address is the one below `low`. */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (symbol_table[middle].offset <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    *offset = wanted - symbol_table[low - 1].offset;
    return symbol_names + symbol_table[low - 1].name;
}

void symbols_format(char *text, size_t size, uint64_t address)
{
    uint64_t offset;
    const char *name = symbols_find(address, &offset);

    if (name == NULL)
        (void)format(text, size, "?");
    else
        (void)format(text, size, "%s+%#llx", name, (unsigned long long)offset);
}
