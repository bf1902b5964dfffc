/* SPDX-License-Identifier: MIT */
/* Text on a linear RGB framebuffer. Memory there is slow: written cell by cell, only on change, and never
 * read. */
#include "drivers/framebuffer.h"

#include "drivers/font.h"

#define FOREGROUND_LEVEL 0xd0u /* of 0xff, for each of red, green and blue */

static uint32_t bytes_per_pixel(const struct framebuffer_config *config)
{
    return (config->bits_per_pixel + 7u) / 8u;
}

static uint64_t field_mask(uint8_t position, uint8_t size)
{
    return ((UINT64_C(1) << size) - 1) << position;
}

static bool colour_field_fits(uint8_t position, uint8_t size, uint8_t bits_per_pixel)
{
    return size >= 1 && size <= 8 && position + size <= bits_per_pixel;
}

static bool colours_are_good(const struct framebuffer_config *config)
{
    uint64_t red, green, blue;

    if (!colour_field_fits(config->red_position, config->red_size, config->bits_per_pixel) ||
        !colour_field_fits(config->green_position, config->green_size, config->bits_per_pixel) ||
        !colour_field_fits(config->blue_position, config->blue_size, config->bits_per_pixel)) {
        return false;
    }
    red = field_mask(config->red_position, config->red_size);
    green = field_mask(config->green_position, config->green_size);
    blue = field_mask(config->blue_position, config->blue_size);
    return (red & green) == 0 && (red & blue) == 0 && (green & blue) == 0;
}

enum framebuffer_status framebuffer_check(const struct framebuffer_config *config)
{
    uint32_t pixel = bytes_per_pixel(config);
    uint32_t unit = pixel == 3 ? 1 : pixel; /* what one store writes */

    if (!config->present) {
        return FRAMEBUFFER_NOT_PRESENT;
    }
    if (config->bits_per_pixel != 15 && config->bits_per_pixel != 16 && config->bits_per_pixel != 24 &&
        config->bits_per_pixel != 32) {
        return FRAMEBUFFER_BAD_DEPTH;
    }
    if (config->width < FONT_WIDTH || config->height < FONT_HEIGHT || config->width > FRAMEBUFFER_MAX_WIDTH ||
        config->height > FRAMEBUFFER_MAX_HEIGHT) {
        return FRAMEBUFFER_BAD_SIZE;
    }
    if (config->pitch < config->width * pixel || config->pitch > FRAMEBUFFER_MAX_PITCH ||
        config->pitch % unit != 0) {
        return FRAMEBUFFER_BAD_PITCH;
    }
    if (!colours_are_good(config)) {
        return FRAMEBUFFER_BAD_COLOURS;
    }
    if (config->address == 0 || config->address % unit != 0 ||
        config->address > UINT64_MAX - framebuffer_bytes(config)) {
        return FRAMEBUFFER_BAD_ADDRESS;
    }
    return FRAMEBUFFER_OK;
}

uint64_t framebuffer_bytes(const struct framebuffer_config *config)
{
    return (uint64_t)config->pitch * config->height;
}

/* The level's highest bits, in the field's place. */
static uint32_t colour(uint32_t level, uint8_t position, uint8_t size)
{
    return (level >> (8u - size)) << position;
}

/* Lit pixels have the colour, the others are black. */
static void make_glyph_rows(struct framebuffer *screen, uint32_t foreground)
{
    for (unsigned bits = 0; bits < 256; bits++) {
        uint8_t *bytes = (uint8_t *)screen->glyph_rows[bits];

        for (unsigned x = 0; x < FONT_WIDTH; x++) {
            uint32_t pixel = bits & (0x80u >> x) ? foreground : 0;

            for (unsigned i = 0; i < screen->bytes_per_pixel; i++) {
                *bytes++ = (uint8_t)(pixel >> (8 * i));
            }
        }
    }
}

enum framebuffer_status framebuffer_init(struct framebuffer *screen, const struct framebuffer_config *config,
                                         volatile void *pixels)
{
    enum framebuffer_status status = framebuffer_check(config);
    unsigned columns = config->width / FONT_WIDTH;
    unsigned rows = config->height / FONT_HEIGHT;

    if (status != FRAMEBUFFER_OK) {
        return status;
    }
    if (pixels == NULL) {
        return FRAMEBUFFER_BAD_ADDRESS;
    }
    screen->pixels = pixels;
    screen->pitch = config->pitch;
    screen->bytes_per_pixel = (uint8_t)bytes_per_pixel(config);
    make_glyph_rows(screen, colour(FOREGROUND_LEVEL, config->red_position, config->red_size) |
                                colour(FOREGROUND_LEVEL, config->green_position, config->green_size) |
                                colour(FOREGROUND_LEVEL, config->blue_position, config->blue_size));
    rows = rows < FRAMEBUFFER_MAX_ROWS ? rows : FRAMEBUFFER_MAX_ROWS;
    text_grid_init(&screen->grid, screen->wanted, screen->drawn,
                   columns < FRAMEBUFFER_MAX_COLUMNS ? columns : FRAMEBUFFER_MAX_COLUMNS, rows,
                   (rows + 1) / 2);
    return FRAMEBUFFER_OK;
}

const char *framebuffer_status_text(enum framebuffer_status status)
{
    switch (status) {
    case FRAMEBUFFER_OK:
        return "ok";
    case FRAMEBUFFER_NOT_PRESENT:
        return "not present";
    case FRAMEBUFFER_BAD_DEPTH:
        return "unsupported bits per pixel";
    case FRAMEBUFFER_BAD_SIZE:
        return "absurd width or height";
    case FRAMEBUFFER_BAD_PITCH:
        return "absurd or misaligned pitch";
    case FRAMEBUFFER_BAD_COLOURS:
        return "absurd colour fields";
    case FRAMEBUFFER_BAD_ADDRESS:
        return "absurd or unreachable address";
    }
    return "unknown framebuffer status";
}

/* Framebuffers begin, and their lines lie, where the firmware likes. */
typedef uint64_t __attribute__((aligned(1), may_alias)) unaligned_word;

/* Whole words, as few as there are: in memory that combines writes each is a part of one write. */
static void draw_cell(const struct framebuffer *screen, const struct text_grid_change *change)
{
    const uint8_t *glyph = font_glyph(change->character);
    const unsigned size = screen->bytes_per_pixel;
    const size_t pitch = screen->pitch;
    volatile uint8_t *line = screen->pixels + (size_t)change->row * FONT_HEIGHT * pitch +
                             (size_t)change->column * FONT_WIDTH * size;

    for (unsigned y = 0; y < FONT_HEIGHT; y++, line += pitch) {
        const uint64_t *pixels = screen->glyph_rows[glyph[y]];
        volatile unaligned_word *words = (volatile unaligned_word *)line;

        words[0] = pixels[0];
        words[1] = pixels[1];
        if (size >= 3) {
            words[2] = pixels[2];
        }
        if (size == 4) {
            words[3] = pixels[3];
        }
    }
}

void framebuffer_put(struct framebuffer *screen, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        text_grid_put(&screen->grid, text[i]);
    }
}

void framebuffer_refresh_some(struct framebuffer *screen, unsigned compare, unsigned draw)
{
    struct text_grid_change change;

    while (draw > 0 && text_grid_next_change(&screen->grid, &compare, &change)) {
        draw_cell(screen, &change);
        draw--;
    }
}

void framebuffer_refresh(struct framebuffer *screen)
{
    unsigned cells = screen->grid.columns * screen->grid.rows;

    framebuffer_refresh_some(screen, cells, cells);
}
