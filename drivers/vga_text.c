/* SPDX-License-Identifier: MIT */
/* The VGA's 80x25 text mode: a cell is the character and, in the high byte, its colours. */
#include "drivers/vga_text.h"

#define LIGHT_GREY_ON_BLACK 0x0700u

/* CRT controller. */
#define CRTC_INDEX       0x3d4u
#define CRTC_DATA        0x3d5u
#define CRTC_CURSOR_HIGH 0x0eu
#define CRTC_CURSOR_LOW  0x0fu

void vga_text_init(struct vga_text *vga, volatile uint16_t *cells,
                   void (*port_out)(uint16_t port, uint8_t value))
{
    vga->cells = cells;
    vga->port_out = port_out;
    text_grid_init(&vga->grid, vga->wanted, vga->drawn, VGA_TEXT_COLUMNS, VGA_TEXT_ROWS, 1);
}

void vga_text_put(struct vga_text *vga, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        text_grid_put(&vga->grid, text[i]);
    }
}

void vga_text_refresh_some(struct vga_text *vga, unsigned compare, unsigned draw)
{
    struct text_grid_change change;

    while (draw > 0 && text_grid_next_change(&vga->grid, &compare, &change)) {
        vga->cells[change.row * VGA_TEXT_COLUMNS + change.column] = LIGHT_GREY_ON_BLACK | change.character;
        draw--;
    }
}

void vga_text_refresh(struct vga_text *vga)
{
    unsigned cells = VGA_TEXT_COLUMNS * VGA_TEXT_ROWS;
    unsigned column = vga->grid.column < VGA_TEXT_COLUMNS ? vga->grid.column : VGA_TEXT_COLUMNS - 1;
    unsigned cursor = vga->grid.row * VGA_TEXT_COLUMNS + column;

    vga_text_refresh_some(vga, cells, cells);
    if (vga->port_out != NULL) {
        vga->port_out(CRTC_INDEX, CRTC_CURSOR_HIGH);
        vga->port_out(CRTC_DATA, (uint8_t)(cursor >> 8));
        vga->port_out(CRTC_INDEX, CRTC_CURSOR_LOW);
        vga->port_out(CRTC_DATA, (uint8_t)cursor);
    }
}
