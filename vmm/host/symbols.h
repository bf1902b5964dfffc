/* SPDX-License-Identifier: MIT */
/* Names and source files for addresses in the image, from the tables that tools/symbols makes after the first
 * link. */
#ifndef VMM_HOST_SYMBOLS_H
#define VMM_HOST_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The name of the function that holds `address`, and how far into it; NULL if the address is not code of ours
 * or the image was linked without its table.
 */
const char *symbols_find(uint64_t address, uint64_t *offset);

/* The source file that the code at `address` was compiled from, like "vmm/exit/exit.c"; NULL if it is not
 * known.
 */
const char *symbols_source(uint64_t address);

/* Enough for symbols_format(). */
#define SYMBOL_TEXT 128

/* "name+0x12 vmm/exit/exit.c" or, without a symbol, "?". Cut to size. */
void symbols_format(char *text, size_t size, uint64_t address);

#endif
