/* SPDX-License-Identifier: MIT */
/* The VGA's 80x25 text mode. Never touched unless the boot information or the user says that it is there. */
#ifndef DRIVERS_VGA_TEXT_H
#define DRIVERS_VGA_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "drivers/text_grid.h"

#define VGA_TEXT_PHYSICAL 0xb8000u
#define VGA_TEXT_COLUMNS  80u
#define VGA_TEXT_ROWS     25u
#define VGA_TEXT_BYTES    (VGA_TEXT_COLUMNS * VGA_TEXT_ROWS * 2)

struct vga_text {
    volatile uint16_t *cells;
    void (*port_out)(uint16_t port, uint8_t value); /* moves the cursor; NULL: leave the cursor alone */
    struct text_grid grid;
    uint8_t wanted[VGA_TEXT_COLUMNS * VGA_TEXT_ROWS];
    uint8_t drawn[VGA_TEXT_COLUMNS * VGA_TEXT_ROWS];
};

/* `cells`: where the 4000 bytes at VGA_TEXT_PHYSICAL are mapped. Clears the screen at the next refresh. */
void vga_text_init(struct vga_text *, volatile uint16_t *cells,
                   void (*port_out)(uint16_t port, uint8_t value));
/* Into the shadow only; a refresh shows it. */
void vga_text_put(struct vga_text *, const char *text, size_t length);
/* Draws until all is drawn, `compare` cells were compared or `draw` cells were drawn. */
void vga_text_refresh_some(struct vga_text *, unsigned compare, unsigned draw);
/* Draws everything and moves the cursor. */
void vga_text_refresh(struct vga_text *);

#endif
