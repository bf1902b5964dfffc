/* SPDX-License-Identifier: MIT */
/* Names for addresses in the image, from the table that tools/symbols makes after the first link. */
#ifndef VMM_SYMBOLS_H
#define VMM_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

/*
 * The name of the function that holds `address`, and how far into it; NULL if the address is not code of ours
 * or the image was linked without its table.
 */
const char *symbols_find(uint64_t address, uint64_t *offset);

/* "name+0x12" or, without a symbol, "?". Cut to size. */
void symbols_format(char *text, size_t size, uint64_t address);

#endif
