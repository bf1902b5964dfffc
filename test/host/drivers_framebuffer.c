/* SPDX-License-Identifier: MIT */
/* drivers/framebuffer.c and font.c: pixels of a glyph in every depth, scrolling, and nonsense refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "drivers/font.h"
#include "drivers/framebuffer.h"

static struct framebuffer screen;

static struct framebuffer_config rgb(uint8_t bits_per_pixel, uint32_t width, uint32_t height, uint32_t pitch)
{
    struct framebuffer_config config = {
        .present = true, .address = 0xc0000000, .pitch = pitch, .width = width, .height = height};

    config.bits_per_pixel = bits_per_pixel;
    switch (bits_per_pixel) {
    case 15:
        config.red_position = 10, config.green_position = 5, config.blue_position = 0;
        config.red_size = config.green_size = config.blue_size = 5;
        break;
    case 16:
        config.red_position = 11, config.green_position = 5, config.blue_position = 0;
        config.red_size = config.blue_size = 5, config.green_size = 6;
        break;
    default:
        config.red_position = 16, config.green_position = 8, config.blue_position = 0;
        config.red_size = config.green_size = config.blue_size = 8;
        break;
    }
    return config;
}

static uint32_t pixel_at(const uint8_t *pixels, const struct framebuffer_config *config, unsigned x,
                         unsigned y)
{
    unsigned bytes = (config->bits_per_pixel + 7u) / 8u;
    uint32_t pixel = 0;

    memcpy(&pixel, pixels + (size_t)y * config->pitch + (size_t)x * bytes, bytes);
    return pixel;
}

static void assert_glyph(const uint8_t *pixels, const struct framebuffer_config *config, unsigned row,
                         unsigned column, char character, uint32_t foreground)
{
    const uint8_t *glyph = font_glyph((uint8_t)character);

    for (unsigned y = 0; y < 16; y++) {
        for (unsigned x = 0; x < 8; x++) {
            uint32_t expected = (glyph[y] & (0x80u >> x)) != 0 ? foreground : 0;

            assert_int_equal(pixel_at(pixels, config, column * 8 + x, row * 16 + y), expected);
        }
    }
}

/* 5x3 characters, an odd size and a pitch with padding that must stay untouched. */
static void draws(uint8_t bits_per_pixel, uint32_t foreground)
{
    unsigned bytes = (bits_per_pixel + 7u) / 8u;
    struct framebuffer_config config = rgb(bits_per_pixel, 43, 50, 43 * bytes + (bytes == 3 ? 3 : 2 * bytes));
    size_t size = (size_t)framebuffer_bytes(&config);
    uint8_t *pixels = malloc(size);

    assert_non_null(pixels);
    memset(pixels, 0xaa, size);
    assert_int_equal(framebuffer_init(&screen, &config, pixels), FRAMEBUFFER_OK);
    assert_int_equal(screen.grid.columns, 5);
    assert_int_equal(screen.grid.rows, 3);
    framebuffer_put(&screen, "@dept\nR%g", 9);
    assert_int_equal(pixels[0], 0xaa);
    framebuffer_refresh(&screen);
    assert_glyph(pixels, &config, 0, 0, '@', foreground);
    assert_glyph(pixels, &config, 0, 4, 't', foreground);
    assert_glyph(pixels, &config, 1, 2, 'g', foreground);
    assert_glyph(pixels, &config, 2, 4, ' ', foreground);

    framebuffer_put(&screen, "\n2\n3", 4);
    framebuffer_refresh(&screen);
    assert_glyph(pixels, &config, 0, 0, '2', foreground); /* it has scrolled by half its height */
    assert_glyph(pixels, &config, 0, 2, ' ', foreground);
    assert_glyph(pixels, &config, 1, 0, '3', foreground);
    assert_glyph(pixels, &config, 2, 0, ' ', foreground);
    for (unsigned y = 0; y < config.height; y++) {
        for (size_t x = (y < 48 ? 40 : 0) * bytes; x < config.pitch; x++) {
            assert_int_equal(pixels[y * config.pitch + x], 0xaa);
        }
    }
    free(pixels);
}

static void glyphs_in_32_bits(void **state)
{
    (void)state;
    draws(32, 0xd0d0d0);
}

static void glyphs_in_24_bits(void **state)
{
    (void)state;
    draws(24, 0xd0d0d0);
}

static void glyphs_in_16_bits(void **state)
{
    (void)state;
    draws(16, 0xd0 >> 3 << 11 | 0xd0 >> 2 << 5 | 0xd0 >> 3);
}

static void glyphs_in_15_bits(void **state)
{
    (void)state;
    draws(15, 0xd0 >> 3 << 10 | 0xd0 >> 3 << 5 | 0xd0 >> 3);
}

static void only_changed_cells_are_redrawn(void **state)
{
    struct framebuffer_config config = rgb(32, 640, 64, 2560);
    uint32_t *pixels = calloc(640 * 64, 4);

    (void)state;
    assert_non_null(pixels);
    assert_int_equal(framebuffer_init(&screen, &config, pixels), FRAMEBUFFER_OK);
    framebuffer_put(&screen, "ab", 2);
    framebuffer_refresh(&screen);
    pixels[0] = 0x12345678;  /* in the cell of a */
    pixels[20] = 0x12345678; /* in a blank one */
    framebuffer_put(&screen, "\rac", 3);
    framebuffer_refresh(&screen);
    assert_int_equal(pixels[0], 0x12345678);
    assert_int_equal(pixels[20], 0x12345678);
    assert_glyph((uint8_t *)pixels, &config, 0, 1, 'c', 0xd0d0d0);
    free(pixels);
}

static void some_is_bounded(void **state)
{
    struct framebuffer_config config = rgb(32, 640, 64, 2560);
    uint32_t *pixels = malloc(640 * 64 * 4);

    (void)state;
    assert_non_null(pixels);
    memset(pixels, 0xaa, 640 * 64 * 4);
    assert_int_equal(framebuffer_init(&screen, &config, pixels), FRAMEBUFFER_OK);
    framebuffer_refresh_some(&screen, 1000, 3);
    assert_int_equal(pixels[3 * 8 - 1], 0);
    assert_int_equal(pixels[3 * 8], 0xaaaaaaaa);
    framebuffer_refresh_some(&screen, 2, 1000);
    assert_int_equal(pixels[5 * 8 - 1], 0);
    assert_int_equal(pixels[5 * 8], 0xaaaaaaaa);
    free(pixels);
}

static void a_large_screen_is_used_in_part(void **state)
{
    struct framebuffer_config config = rgb(32, 8000, 4000, 32000);
    uint8_t *pixels = malloc(1700 * 32000);

    (void)state;
    assert_non_null(pixels); /* lines that no text reaches are not needed */
    assert_int_equal(framebuffer_init(&screen, &config, pixels), FRAMEBUFFER_OK);
    assert_int_equal(screen.grid.columns, FRAMEBUFFER_MAX_COLUMNS);
    assert_int_equal(screen.grid.rows, FRAMEBUFFER_MAX_ROWS);
    framebuffer_refresh(&screen);
    free(pixels);
}

static void assert_refused(const struct framebuffer_config *config, enum framebuffer_status why)
{
    static uint32_t pixels[4096];

    assert_int_equal(framebuffer_check(config), why);
    assert_int_equal(framebuffer_init(&screen, config, pixels), why);
}

#define refuses(why, change)                                                                                 \
    do {                                                                                                     \
        struct framebuffer_config c = rgb(32, 64, 32, 256);                                                  \
        change;                                                                                              \
        assert_refused(&c, why);                                                                             \
    } while (0)

static void nonsense_is_refused(void **state)
{
    struct framebuffer_config good = rgb(32, 64, 32, 256);

    (void)state;
    assert_int_equal(framebuffer_check(&good), FRAMEBUFFER_OK);
    assert_int_equal(framebuffer_init(&screen, &good, NULL), FRAMEBUFFER_BAD_ADDRESS);
    refuses(FRAMEBUFFER_NOT_PRESENT, c = (struct framebuffer_config){0});
    refuses(FRAMEBUFFER_NOT_PRESENT, c.present = false);
    refuses(FRAMEBUFFER_BAD_DEPTH, c.bits_per_pixel = 0);
    refuses(FRAMEBUFFER_BAD_DEPTH, c.bits_per_pixel = 8);
    refuses(FRAMEBUFFER_BAD_DEPTH, c.bits_per_pixel = 31);
    refuses(FRAMEBUFFER_BAD_DEPTH, c.bits_per_pixel = 64);
    refuses(FRAMEBUFFER_BAD_DEPTH, c.bits_per_pixel = 255);
    refuses(FRAMEBUFFER_BAD_SIZE, c.width = 7);
    refuses(FRAMEBUFFER_BAD_SIZE, c.height = 15);
    refuses(FRAMEBUFFER_BAD_SIZE, c.width = 16385);
    refuses(FRAMEBUFFER_BAD_SIZE, c.width = UINT32_MAX);
    refuses(FRAMEBUFFER_BAD_SIZE, c.width = 0x40000000); /* * 4 wraps to 0 */
    refuses(FRAMEBUFFER_BAD_SIZE, c.height = UINT32_MAX);
    refuses(FRAMEBUFFER_BAD_PITCH, c.pitch = 0);
    refuses(FRAMEBUFFER_BAD_PITCH, c.pitch = 252);
    refuses(FRAMEBUFFER_BAD_PITCH, c.pitch = 258);
    refuses(FRAMEBUFFER_BAD_PITCH, c.pitch = UINT32_MAX);
    refuses(FRAMEBUFFER_BAD_PITCH, c.pitch = 1u << 20);
    refuses(FRAMEBUFFER_BAD_COLOURS, c.red_size = 0);
    refuses(FRAMEBUFFER_BAD_COLOURS, c.green_size = 9);
    refuses(FRAMEBUFFER_BAD_COLOURS, c.blue_size = 255);
    refuses(FRAMEBUFFER_BAD_COLOURS, c.red_position = 25);
    refuses(FRAMEBUFFER_BAD_COLOURS, c.red_position = 255);
    refuses(FRAMEBUFFER_BAD_COLOURS, c.red_position = 15);
    refuses(FRAMEBUFFER_BAD_COLOURS, c.blue_position = 16);
    refuses(FRAMEBUFFER_BAD_ADDRESS, c.address = 0);
    refuses(FRAMEBUFFER_BAD_ADDRESS, c.address = 0xc0000002);
    refuses(FRAMEBUFFER_BAD_ADDRESS, c.address = UINT64_MAX - 255);
    for (int status = FRAMEBUFFER_OK; status <= FRAMEBUFFER_BAD_ADDRESS; status++) {
        assert_non_null(framebuffer_status_text((enum framebuffer_status)status));
    }
}

/* Every glyph differs from every other, fits, and only the space is empty. */
static void the_font_is_whole(void **state)
{
    static const uint8_t empty[16];

    (void)state;
    for (unsigned c = FONT_FIRST; c <= FONT_LAST; c++) {
        assert_int_equal(memcmp(font_glyph((uint8_t)c), empty, 16) == 0, c == ' ');
        for (unsigned other = FONT_FIRST; other < c; other++) {
            assert_memory_not_equal(font_glyph((uint8_t)c), font_glyph((uint8_t)other), 16);
        }
    }
    assert_ptr_equal(font_glyph(0x1f), font_glyph('?'));
    assert_ptr_equal(font_glyph(0x7f), font_glyph('?'));
    assert_ptr_equal(font_glyph(0xff), font_glyph('?'));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(glyphs_in_32_bits),
        cmocka_unit_test(glyphs_in_24_bits),
        cmocka_unit_test(glyphs_in_16_bits),
        cmocka_unit_test(glyphs_in_15_bits),
        cmocka_unit_test(only_changed_cells_are_redrawn),
        cmocka_unit_test(some_is_bounded),
        cmocka_unit_test(a_large_screen_is_used_in_part),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(the_font_is_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
