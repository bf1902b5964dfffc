/* SPDX-License-Identifier: MIT */
/* Adept's own 8x16 bitmap font for printable ASCII. */
#ifndef DRIVERS_FONT_H
#define DRIVERS_FONT_H

#include <stdint.h>

#define FONT_WIDTH  8u
#define FONT_HEIGHT 16u
#define FONT_FIRST  0x20u
#define FONT_LAST   0x7eu

/* 16 rows from the top, bit 7 the leftmost pixel. A character outside of the font gets the glyph of '?'. */
const uint8_t *font_glyph(uint8_t character);

#endif
