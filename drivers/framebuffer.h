/* SPDX-License-Identifier: MIT */
/* Text on a linear RGB framebuffer of 15, 16, 24 or 32 bits a pixel, in an 8x16 font. Never reads the
 * framebuffer. */
#ifndef DRIVERS_FRAMEBUFFER_H
#define DRIVERS_FRAMEBUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/compiler.h"
#include "drivers/text_grid.h"

/* A larger screen shows text in its top left part only. */
#define FRAMEBUFFER_MAX_COLUMNS 256u
#define FRAMEBUFFER_MAX_ROWS    TEXT_GRID_ROWS_MAX
/* Beyond these a description is taken for nonsense. */
#define FRAMEBUFFER_MAX_WIDTH  16384u
#define FRAMEBUFFER_MAX_HEIGHT 16384u
#define FRAMEBUFFER_MAX_PITCH  (2u * 4u * FRAMEBUFFER_MAX_WIDTH)

struct framebuffer_config {
    bool present;
    uint64_t address; /* physical */
    uint32_t pitch;   /* bytes from one line to the next */
    uint32_t width, height;
    uint8_t bits_per_pixel;
    uint8_t red_position, red_size; /* lowest bit and number of bits in a pixel */
    uint8_t green_position, green_size;
    uint8_t blue_position, blue_size;
};

enum framebuffer_status {
    FRAMEBUFFER_OK,
    FRAMEBUFFER_NOT_PRESENT,
    FRAMEBUFFER_BAD_DEPTH,   /* not 15, 16, 24 or 32 bits a pixel */
    FRAMEBUFFER_BAD_SIZE,    /* smaller than one character or absurdly large */
    FRAMEBUFFER_BAD_PITCH,   /* lines overlap, are absurdly far apart, or split a pixel's alignment */
    FRAMEBUFFER_BAD_COLOURS, /* a colour field is empty, wider than 8 bits, outside the pixel, or overlaps
                                another */
    FRAMEBUFFER_BAD_ADDRESS, /* null, misaligned, or wraps around */
};

struct framebuffer {
    volatile uint8_t *pixels;
    uint32_t pitch;
    uint8_t bytes_per_pixel;
    uint64_t glyph_rows[256]
                       [4]; /* the pixels of a glyph's row, by its bits: bytes_per_pixel words of 8 bytes */
    struct text_grid grid;
    uint8_t wanted[FRAMEBUFFER_MAX_COLUMNS * FRAMEBUFFER_MAX_ROWS];
    uint8_t drawn[FRAMEBUFFER_MAX_COLUMNS * FRAMEBUFFER_MAX_ROWS];
};

/* Is this a framebuffer that can be drawn to? Looks at the description only. */
enum framebuffer_status framebuffer_check(const struct framebuffer_config *) must_check;
/* Bytes from the address to the end of the last line, for a description that passed the check. */
uint64_t framebuffer_bytes(const struct framebuffer_config *);
/* `pixels`: where config->address is mapped. */
enum framebuffer_status framebuffer_init(struct framebuffer *, const struct framebuffer_config *,
                                         volatile void *pixels) must_check;
const char *framebuffer_status_text(enum framebuffer_status);
/* Into the shadow only; a refresh shows it. */
void framebuffer_put(struct framebuffer *, const char *text, size_t length);
/* Draws until all is drawn, `compare` cells were compared or `draw` cells were drawn. */
void framebuffer_refresh_some(struct framebuffer *, unsigned compare, unsigned draw);
/* Draws everything. */
void framebuffer_refresh(struct framebuffer *);

#endif
