/* SPDX-License-Identifier: MIT */
/* What the parts of INT 10h share. Pure. */
#ifndef VMM_BIOS_VIDEO_H
#define VMM_BIOS_VIDEO_H

#include <stdbool.h>
#include <stdint.h>

struct bios_call;
struct bios_registers;

#define VIDEO_SIZE        0x8000u
#define VIDEO_COLUMNS_MAX 132u
#define VIDEO_KEEP_MEMORY 0x80u  /* in the number of a mode that is set: the screen is not cleared */
#define VIDEO_CRTC        0x3d4u /* index, then data */

/* The text screen as the BIOS data area tells it, kept within what can be: it is the guest's memory. */
struct video_screen {
    unsigned columns, rows;
    unsigned page_size; /* bytes */
};

/* Columns and rows, all included. */
struct video_window {
    uint8_t left, top, right, bottom;
};

void bios_video_screen(struct bios_call *call, struct video_screen *screen);

/* Moves the rows of a window of the active page by `lines` (0: clears it); rows that come in are blank. */
void bios_video_scroll(struct bios_call *call, const struct video_window *window, unsigned lines, bool down,
                       uint8_t attribute);

/* The linear address of a character, its attribute behind it; always inside of the text memory. */
uint32_t bios_video_cell(const struct video_screen *screen, unsigned page, unsigned column, unsigned row);

/* vmm/bios/video_mode.c: AH=00h. false: it is no text mode of a colour screen, and nothing has changed. */
bool bios_video_set_mode(struct bios_call *call, uint8_t mode);

/* The first page is shown, and every page's cursor is in its corner, a line. */
void bios_video_home(struct bios_call *call);

/* A page's cursor: the row in 15:8, the column in 7:0. */
uint16_t bios_video_cursor(struct bios_call *call, unsigned page);
void bios_video_set_cursor(struct bios_call *call, unsigned page, unsigned column, unsigned row);

/* The functions that put characters on the screen or take them from it. false: it is another one. */
bool bios_video_text(struct bios_call *call, struct bios_registers *r);

/* The functions that are about the adapter, its palette and its fonts. false: it is another one. */
bool bios_video_adapter(struct bios_call *call, struct bios_registers *r);

#endif
