/* SPDX-License-Identifier: MIT */
/* libFuzzer: any file as a symbol map, asked for an address. What is found lies in the file, is printable,
 * and is at or before the address. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/guest/symbols.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guest_symbols symbols;
    struct guest_symbol symbol;
    char text[GUEST_SYMBOL_TEXT], *map;
    uint64_t address;

    if (size < sizeof(address))
        return 0;
    memcpy(&address, data, sizeof(address));
    size -= sizeof(address);
    /* A block of exactly its size: ASan sees a read too far. */
    map = malloc(size > 0 ? size : 1);
    memcpy(map, data + sizeof(address), size);
    symbols = (struct guest_symbols){map, size};
    if (guest_symbols_find(&symbols, address, &symbol)) {
        require(guest_symbols_count(&symbols) > 0);
        require(symbol.address <= address && address - symbol.address < GUEST_SYMBOL_REACH);
        require(symbol.name >= map && symbol.length > 0 && symbol.name + symbol.length <= map + size);
    }
    guest_symbols_text(&symbols, text, sizeof(text), address);
    require(memchr(text, '\0', sizeof(text)) != NULL);
    for (size_t i = 0; text[i] != '\0'; i++)
        require(text[i] >= ' ' && text[i] <= '~');
    free(map);
    return 0;
}
