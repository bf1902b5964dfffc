/* SPDX-License-Identifier: MIT */
/* vmm/devices/vga_text.c: registers, the beam, and the screen as text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/devices/vga_text.h"

static struct vga_text vga;
static struct bus bus;
static uint64_t now;
static uint8_t memory[VGA_TEXT_SIZE];
static char text[VGA_TEXT_COLUMNS_MAX + 1];

static int reset(void **state)
{
    (void)state;
    memset(&vga, 0xff, sizeof(vga));
    memset(memory, 0, sizeof(memory));
    now = 0;
    vga_text_reset(&vga);
    bus_init(&bus);
    assert_true(vga_text_attach(&vga, &bus));
    return 0;
}

static uint8_t in(uint16_t port)
{
    const char *name;

    return (uint8_t)bus_port_read(&bus, port, 1, now, &name);
}

static void out(uint16_t port, uint8_t value)
{
    const char *name;

    bus_port_write(&bus, port, 1, value, now, &name);
    assert_string_equal(name, "vga");
}

static void set_crtc(uint8_t index, uint8_t value)
{
    const char *name;

    bus_port_write(&bus, 0x3d4, 2, (uint32_t)value << 8 | index, now, &name); /* as programs do */
}

static uint8_t get_crtc(uint8_t index)
{
    out(0x3d4, index);
    return in(0x3d5);
}

static void put(unsigned cell, const char *string)
{
    for (; *string != '\0'; string++, cell++) {
        memory[cell * 2] = (uint8_t)*string;
        memory[cell * 2 + 1] = 0x07;
    }
}

static void mode3(void **state)
{
    struct vga_text_screen screen = vga_text_screen(&vga);

    (void)state;
    assert_true(screen.text);
    assert_int_equal(screen.columns, 80);
    assert_int_equal(screen.rows, 25);
    assert_int_equal(screen.pitch, 80);
    assert_int_equal(screen.start, 0);
    assert_true(screen.cursor);
    assert_int_equal(in(0x3cc), 0x67);
    assert_int_equal(in(0x3c6), 0xff);
    assert_int_equal(in(0x3c0), 0x20);
    assert_int_equal(in(0x3b4), 0xff); /* not a monochrome one */
    assert_int_equal(in(0x3d6), 0xff);
}

static void indexed_registers(void **state)
{
    (void)state;
    set_crtc(0x0e, 0x12);
    set_crtc(0x0f, 0x34);
    assert_int_equal(get_crtc(0x0e), 0x12);
    assert_int_equal(get_crtc(0x0f), 0x34);
    set_crtc(0x3f, 0x55); /* beyond the registers */
    assert_int_equal(get_crtc(0x3f), 0);
    /* Registers 0 to 7 are protected, but for bit 4 of the last. */
    set_crtc(0x01, 0x27);
    assert_int_equal(get_crtc(0x01), 0x4f);
    set_crtc(0x07, 0x00);
    assert_int_equal(get_crtc(0x07), 0x0f);
    set_crtc(0x11, 0x0e);
    set_crtc(0x01, 0x27);
    assert_int_equal(get_crtc(0x01), 0x27);
    out(0x3c4, 2);
    out(0x3c5, 0x0f);
    assert_int_equal(in(0x3c5), 0x0f);
    out(0x3c4, 7);
    out(0x3c5, 0x0f);
    assert_int_equal(in(0x3c5), 0);
    out(0x3ce, 8);
    out(0x3cf, 0x81);
    assert_int_equal(in(0x3cf), 0x81);
    out(0x3ce, 0x0f);
    out(0x3cf, 0x81);
    assert_int_equal(in(0x3cf), 0);
    out(0x3c2, 0xe3);
    assert_int_equal(in(0x3cc), 0xe3);
    out(0x3da, 0x01);
    assert_int_equal(in(0x3ca), 0x01);
}

/* Of each register the bits that exist come back, and no others: programs look for a VGA so. */
static void bits_that_exist(void **state)
{
    static const uint8_t sequencer[] = {0x03, 0x3d, 0x0f, 0x3f, 0x0e};
    static const uint8_t graphics[] = {0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff};
    static const uint8_t attribute[] = {0xef, 0xff, 0x3f, 0x0f, 0x0f}; /* from 0x10 on */

    (void)state;
    for (unsigned value = 0; value < 256; value++) {
        for (uint8_t i = 0; i < sizeof(sequencer); i++) {
            out(0x3c4, i);
            out(0x3c5, (uint8_t)value);
            assert_int_equal(in(0x3c5), value & sequencer[i]);
        }
        for (uint8_t i = 0; i < sizeof(graphics); i++) {
            out(0x3ce, i);
            out(0x3cf, (uint8_t)value);
            assert_int_equal(in(0x3cf), value & graphics[i]);
        }
        for (uint8_t i = 0; i < VGA_ATTRIBUTE; i++) {
            (void)in(0x3da);
            out(0x3c0, i);
            out(0x3c0, (uint8_t)value);
            (void)in(0x3da);
            assert_int_equal(in(0x3c1), value & (i < 16 ? 0x3f : attribute[i - 16]));
        }
        out(0x3c2, (uint8_t)value);
        assert_int_equal(in(0x3cc), value & 0xef);
    }
    for (unsigned columns = 40; columns <= 80; columns += 40) { /* what firmware writes has no others */
        const struct vga_text_mode *mode = vga_text_mode(columns);

        for (unsigned i = 0; i < VGA_SEQUENCER; i++)
            assert_int_equal(mode->sequencer[i] & ~sequencer[i], 0);
        for (unsigned i = 0; i < VGA_GRAPHICS; i++)
            assert_int_equal(mode->graphics[i] & ~graphics[i], 0);
        for (unsigned i = 16; i < VGA_ATTRIBUTE; i++)
            assert_int_equal(mode->attribute[i] & ~attribute[i - 16], 0);
    }
}

/* Index and data through one port, in turn. */
static void attribute_registers(void **state)
{
    (void)state;
    (void)in(0x3da);
    out(0x3c0, 0x10);
    out(0x3c0, 0x04);
    out(0x3c0, 0x11);
    (void)in(0x3da); /* the index again */
    out(0x3c0, 0x30);
    assert_int_equal(in(0x3c0), 0x30);
    assert_int_equal(in(0x3c1), 0x04);
    (void)in(0x3da);
    out(0x3c0, 0x1f);
    out(0x3c0, 0x3f);
    assert_int_equal(in(0x3c1), 0);
}

static void palette(void **state)
{
    static const uint8_t brown[3] = {0x2a, 0x15, 0x00}; /* colour 0x14, of attribute 6 */

    (void)state;
    out(0x3c7, 0x14);
    assert_int_equal(in(0x3c7), 3);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(in(0x3c9), brown[i]);
    assert_int_equal(in(0x3c8), 0x15);
    out(0x3c8, 0xff);
    assert_int_equal(in(0x3c7), 0);
    for (unsigned i = 0; i < 6; i++) /* the last colour, then the first */
        out(0x3c9, (uint8_t)(0xc0 | i));
    assert_int_equal(vga.dac[255][2], 2);
    assert_int_equal(vga.dac[0][0], 3);
    assert_int_equal(in(0x3c8), 1);
}

static void beam(void **state)
{
    unsigned seen[2] = {0, 0}, retrace = 0, frames = 0;
    uint8_t before = 0;

    (void)state;
    for (now = 0; now < 1000000000; now += 1000) {
        uint8_t status = in(0x3da);

        assert_int_equal(status & ~9, 0);
        if (status & 8)
            assert_int_equal(status, 9);
        frames += (status & 8) && !(before & 8);
        retrace += (status & 8) != 0;
        seen[status & 1]++;
        before = status;
    }
    assert_int_equal(frames, 70);
    assert_in_range(retrace, 100000, 120000); /* 49 of 449 lines */
    assert_in_range(seen[0], 690000, 730000);
}

static void rows(void **state)
{
    struct vga_text_screen screen;

    (void)state;
    put(0, "first");
    put(79, "x");
    put(80 * 24 + 3, "last");
    memcpy(memory + 160, "\xda\x07\xc4\x07\xbf\x07\xb3\x07\xdb\x07\x01\x07\xff\x07", 14);
    set_crtc(0x0e, (80 * 24 + 7) >> 8);
    set_crtc(0x0f, (80 * 24 + 7) & 0xff);
    screen = vga_text_screen(&vga);
    assert_int_equal(vga_text_row(&screen, memory, 0, text), 80);
    assert_int_equal(strncmp(text, "first     ", 10), 0);
    assert_int_equal(text[79], 'x');
    assert_int_equal(vga_text_row(&screen, memory, 1, text), 6);
    assert_string_equal(text, "+-+|#?");
    assert_int_equal(vga_text_row(&screen, memory, 2, text), 0);
    assert_string_equal(text, "");
    (void)vga_text_row(&screen, memory, 24, text);
    assert_string_equal(text, "   last");
    assert_int_equal(vga_text_row(&screen, memory, 25, text), 0);
    assert_true(screen.cursor);
    assert_int_equal(screen.cursor_row, 24);
    assert_int_equal(screen.cursor_column, 7);
    /* A screen that begins a row further down, and 8 scan lines a character: 50 rows. */
    set_crtc(0x0d, 80);
    set_crtc(0x09, 0x47);
    screen = vga_text_screen(&vga);
    assert_int_equal(screen.rows, 50);
    (void)vga_text_row(&screen, memory, 23, text);
    assert_string_equal(text, "   last");
    assert_int_equal(screen.cursor_row, 23);
    /* The end of the memory is followed by its beginning. */
    set_crtc(0x0c, (0x4000 - 80) >> 8);
    set_crtc(0x0d, (0x4000 - 80) & 0xff);
    screen = vga_text_screen(&vga);
    (void)vga_text_row(&screen, memory, 1, text);
    assert_int_equal(strncmp(text, "first ", 6), 0);
    assert_false(screen.cursor); /* it is elsewhere */
}

static void no_cursor_no_text(void **state)
{
    (void)state;
    set_crtc(0x0a, 0x2d);
    assert_false(vga_text_screen(&vga).cursor);
    set_crtc(0x0a, 0x0f); /* begins below its end */
    assert_false(vga_text_screen(&vga).cursor);
    set_crtc(0x0a, 0x0d);
    assert_true(vga_text_screen(&vga).cursor);
    set_crtc(0x13, 0); /* rows on top of each other */
    assert_false(vga_text_screen(&vga).cursor);
    out(0x3ce, 6);
    out(0x3cf, 0x05);
    assert_false(vga_text_screen(&vga).text);
}

static void any_registers_are_survived(void **state)
{
    unsigned random = 3;

    (void)state;
    for (int i = 0; i < 100000; i++) {
        struct vga_text_screen screen;

        random = random * 1103515245u + 12345u;
        now += random >> 16;
        if (random >> 31)
            out((uint16_t)(0x3c0 + (random >> 16) % 16), (uint8_t)(random >> 8));
        else if ((random >> 30) & 1)
            (void)in((uint16_t)(0x3c0 + (random >> 16) % 0x1b));
        else
            set_crtc((random >> 16) % 0x20, (uint8_t)(random >> 8));
        screen = vga_text_screen(&vga);
        assert_in_range(vga_text_row(&screen, memory, (random >> 20) % 64, text), 0, VGA_TEXT_COLUMNS_MAX);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(mode3, reset),
        cmocka_unit_test_setup(indexed_registers, reset),
        cmocka_unit_test_setup(attribute_registers, reset),
        cmocka_unit_test_setup(bits_that_exist, reset),
        cmocka_unit_test_setup(palette, reset),
        cmocka_unit_test_setup(beam, reset),
        cmocka_unit_test_setup(rows, reset),
        cmocka_unit_test_setup(no_cursor_no_text, reset),
        cmocka_unit_test_setup(any_registers_are_survived, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
