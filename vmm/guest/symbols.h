/* SPDX-License-Identifier: MIT */
/*
 * Names for a guest's addresses, from the map that its module string names (map=). Pure. The map is looked at
 * as it stands, a line a symbol, anything else being skipped: 00100000 T start             nm, and System.map
 *         7C3E      7C3E  start    nasm's [map symbols]: real and virtual address
 *         0x0000000000100000  main    ld -Map
 * The addresses are linear ones.
 */
#ifndef VMM_GUEST_SYMBOLS_H
#define VMM_GUEST_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As far behind a symbol an address is still told by it. */
#define GUEST_SYMBOL_REACH UINT64_C(0x10000)
/* Longer names are cut. */
#define GUEST_SYMBOL_NAME_MAX 48
/* Enough for guest_symbols_text(). */
#define GUEST_SYMBOL_TEXT (GUEST_SYMBOL_NAME_MAX + 40)

struct guest_symbols {
    const char *text; /* the map; NULL: none */
    uint64_t length;
};

struct guest_symbol {
    const char *name; /* in the map, not terminated */
    size_t length;
    uint64_t address;
};

/* The symbol at or nearest before `address`; of several at one place the first. false: none within reach. */
bool guest_symbols_find(const struct guest_symbols *symbols, uint64_t address, struct guest_symbol *symbol);

/* How many symbols the map has. */
uint64_t guest_symbols_count(const struct guest_symbols *symbols);

/* " symbol=name+0x12", with a blank before it, or "" if there is none. Terminated, cut at size. */
void guest_symbols_text(const struct guest_symbols *symbols, char *text, size_t size, uint64_t address);

#endif
