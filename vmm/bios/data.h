/* SPDX-License-Identifier: MIT */
/*
 * Where a BIOS keeps what programs look at: the BIOS data area at 0400h, the extended one at the top of
 * conventional memory, and what is in the ROM. Pure. The addresses are the IBM PC/AT's, which programs know.
 */
#ifndef VMM_BIOS_DATA_H
#define VMM_BIOS_DATA_H

#include <stdint.h>

/* Linear addresses. */
#define BDA_SERIAL_PORTS     0x400u /* four words */
#define BDA_PRINTER_PORTS    0x408u /* three words */
#define BDA_EBDA_SEGMENT     0x40eu
#define BDA_EQUIPMENT        0x410u
#define BDA_MEMORY_KIB       0x413u
#define BDA_KEYBOARD_FLAGS   0x417u /* two bytes */
#define BDA_ALT_KEYPAD       0x419u
#define BDA_KEYBOARD_HEAD    0x41au
#define BDA_KEYBOARD_TAIL    0x41cu
#define BDA_KEYBOARD_BUFFER  0x41eu /* to 43dh */
#define BDA_FLOPPY_STATUS    0x441u
#define BDA_VIDEO_MODE       0x449u
#define BDA_VIDEO_COLUMNS    0x44au
#define BDA_VIDEO_PAGE_SIZE  0x44cu
#define BDA_VIDEO_PAGE_START 0x44eu
#define BDA_CURSOR_POSITIONS 0x450u /* eight words: column, row */
#define BDA_CURSOR_SHAPE     0x460u /* end line, start line */
#define BDA_VIDEO_PAGE       0x462u
#define BDA_CRTC_PORT        0x463u
#define BDA_CRT_MODE_CONTROL 0x465u
#define BDA_CRT_PALETTE      0x466u
#define BDA_LAST_INTERRUPT   0x46bu
#define BDA_TICKS            0x46cu
#define BDA_MIDNIGHT         0x470u
#define BDA_BREAK            0x471u
#define BDA_DISK_STATUS      0x474u
#define BDA_DISK_COUNT       0x475u
#define BDA_PRINTER_TIMEOUTS 0x478u
#define BDA_SERIAL_TIMEOUTS  0x47cu
#define BDA_KEYBOARD_START   0x480u
#define BDA_KEYBOARD_END     0x482u
#define BDA_VIDEO_ROWS       0x484u /* less one */
#define BDA_CHARACTER_HEIGHT 0x485u
#define BDA_VIDEO_CONTROL    0x487u
#define BDA_VIDEO_SWITCHES   0x488u
#define BDA_VGA_FLAGS        0x489u
#define BDA_VIDEO_DISPLAY    0x48au
#define BDA_KEYBOARD_MODE    0x496u

#define BDA_KEYBOARD_BUFFER_OFFSET 0x1eu /* from 0400h, as head and tail count */
#define BDA_KEYBOARD_BUFFER_END    0x3eu

#define EBDA_SEGMENT         0x9fc0u /* 1 KiB below 640 KiB */
#define EBDA_KIB             1u
#define EBDA_DISK_PARAMETERS 0x3du /* offset of the fixed disk parameter table, for INT 41h */

#define VIDEO_MEMORY 0xb8000u

/* What the ROM tells of itself: at offset BIOS_ROM_HEADER of its segment a word for each field, then one for
 * the stub of each vector. guests/bios/bios.asm is the other end. */
#define BIOS_ROM_HEADER 0x10u
struct bios_rom {
    uint16_t reset;             /* where the reset vector jumps to */
    uint16_t floppy_parameters; /* INT 1Eh */
    uint16_t configuration;     /* INT 15h AH=C0h */
    uint16_t font_8x16, font_8x8;
    uint16_t end; /* first free byte */
    uint16_t vectors[256];
};

/* The families whose missing functions are told once each: INT 10h, 13h, 15h, 16h, 1Ah, and others. */
#define BIOS_FAMILIES 6u

#endif
