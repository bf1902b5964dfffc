/* SPDX-License-Identifier: MIT */
/* Looking addresses up in the table of tools/symbols. */
#include "vmm/host/symbols.h"

#include "drivers/format.h"

struct symbol {
    uint32_t offset; /* from image_start; ascending */
    uint32_t name;   /* where in symbol_names */
};

extern const uint32_t symbol_count, source_count;
extern const struct symbol symbol_table[], source_table[]; /* functions; pieces of source files */
extern const char symbol_names[];
extern const uint8_t image_start[], boot_start[], boot_end[], text_start[], text_end[];

static int in_section(uint64_t address, const uint8_t *start, const uint8_t *end)
{
    return address >= (uint64_t)(uintptr_t)start && address < (uint64_t)(uintptr_t)end;
}

/* The last line of a table at or before a code address; NULL: there is none. */
static const struct symbol *last_before(const struct symbol *table, uint32_t count, uint64_t address)
{
    uint64_t wanted = address - (uint64_t)(uintptr_t)image_start;
    uint32_t low = 0, high = count;

    if (!in_section(address, text_start, text_end) && !in_section(address, boot_start, boot_end))
        return NULL;
    /* It is the one below `low`. */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (table[middle].offset <= wanted)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? NULL : &table[low - 1];
}

const char *symbols_find(uint64_t address, uint64_t *offset)
{
    const struct symbol *symbol = last_before(symbol_table, symbol_count, address);

    *offset = 0;
    if (symbol == NULL)
        return NULL;
    *offset = address - (uint64_t)(uintptr_t)image_start - symbol->offset;
    return symbol_names + symbol->name;
}

const char *symbols_source(uint64_t address)
{
    const struct symbol *piece = last_before(source_table, source_count, address);

    return piece == NULL ? NULL : symbol_names + piece->name;
}

void symbols_format(char *text, size_t size, uint64_t address)
{
    uint64_t offset;
    const char *name = symbols_find(address, &offset), *source = symbols_source(address);

    if (name == NULL)
        (void)format(text, size, "?");
    else
        (void)format(text, size, "%s+%#llx%s%s", name, (unsigned long long)offset, source != NULL ? " " : "",
                     source != NULL ? source : "");
}
