/* SPDX-License-Identifier: MIT */
/*
 * A VGA's registers as far as the text modes need them, and what its screen shows. The text itself is RAM at
 * 0xb8000, which the guest writes without any exit. IBM's "Personal System/2 Hardware Interface Technical
 * Reference", chapter on the video subsystem.
 *
 * All registers keep what is written, of the bits that exist; of it only the CRT controller's start address,
 * offset, size and cursor change what vga_text_row() gives. Not modelled: graphics modes, the planes and the
 * font behind 0xa0000, the monochrome addresses 0x3b4 to 0x3ba, the vertical-retrace interrupt. Pure.
 */
#ifndef VMM_DEVICES_VGA_TEXT_H
#define VMM_DEVICES_VGA_TEXT_H

#include "vmm/devices/bus.h"

#define VGA_TEXT_GPA         UINT64_C(0xb8000)
#define VGA_TEXT_SIZE        0x8000u
#define VGA_TEXT_COLUMNS_MAX 132u
#define VGA_TEXT_ROWS_MAX    60u
#define VGA_TEXT_COLOURS     64u

#define VGA_CRTC      0x19u /* registers of each kind */
#define VGA_SEQUENCER 0x05u
#define VGA_GRAPHICS  0x09u
#define VGA_ATTRIBUTE 0x15u

struct vga_text {
    uint8_t crtc[VGA_CRTC], sequencer[VGA_SEQUENCER], graphics[VGA_GRAPHICS], attribute[VGA_ATTRIBUTE];
    uint8_t crtc_index, sequencer_index, graphics_index;
    uint8_t attribute_index; /* bit 5: the screen is on */
    bool attribute_data;     /* the next write to 0x3c0 is data */
    uint8_t miscellaneous, feature;
    uint8_t dac[256][3]; /* 6 bits each */
    uint8_t dac_mask, dac_index, dac_component;
    bool dac_reading;
};

/* What the screen shows. Rows and columns count from 0. */
struct vga_text_screen {
    bool text; /* false: a graphics mode, or nothing that fits the text memory; then nothing else counts */
    unsigned columns, rows;
    unsigned start, pitch; /* characters: first of the screen, from row to row */
    bool cursor;           /* it is shown, at: */
    unsigned cursor_column, cursor_row;
};

/* What a PC's firmware writes into the registers for a text mode of 25 rows in 400 lines. */
struct vga_text_mode {
    uint8_t miscellaneous;
    uint8_t crtc[VGA_CRTC], sequencer[VGA_SEQUENCER], graphics[VGA_GRAPHICS], attribute[VGA_ATTRIBUTE];
};

/* Modes 0 and 1 for 40 columns, 2 and 3 for 80. */
const struct vga_text_mode *vga_text_mode(unsigned columns);

/* Red, green or blue (component 0, 1, 2) of the palette that goes with these modes: 64 colours, 6 bits. */
uint8_t vga_text_colour(unsigned colour, unsigned component);

/* Mode 3, as a PC's firmware sets it. */
void vga_text_reset(struct vga_text *vga);

/* Adds 0x3c0 to 0x3cf and 0x3d4, 0x3d5, 0x3da. false: as bus_add_ports(). */
must_check bool vga_text_attach(struct vga_text *vga, struct bus *bus);

struct vga_text_screen vga_text_screen(const struct vga_text *vga);

/*
 * Row `row` of the screen as ASCII, without blanks at its end, with a NUL: code page 437's lines and blocks
 * as
 * - | + #, the rest of it as ?. `memory` is the VGA_TEXT_SIZE bytes at 0xb8000. Returns the length.
 */
unsigned vga_text_row(const struct vga_text_screen *screen, const uint8_t *memory, unsigned row,
                      char text[VGA_TEXT_COLUMNS_MAX + 1]);

#endif
