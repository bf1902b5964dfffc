/* SPDX-License-Identifier: MIT */
/* From the scan codes of a keyboard to the keys of INT 16h. Pure. */
#ifndef VMM_BIOS_KEYS_H
#define VMM_BIOS_KEYS_H

#include <stdbool.h>
#include <stdint.h>

/* The byte at 0417h. */
#define KEYS_RIGHT_SHIFT 0x01u
#define KEYS_LEFT_SHIFT  0x02u
#define KEYS_CTRL        0x04u
#define KEYS_ALT         0x08u
#define KEYS_SCROLL_LOCK 0x10u
#define KEYS_NUM_LOCK    0x20u
#define KEYS_CAPS_LOCK   0x40u
#define KEYS_INSERT      0x80u

/*
 * The key that goes into the buffer, scan code in 15:8 and character in 7:0, when the key with this scan code
 * of set 1 goes down; 0: none. `prefixed`: E0h came before. US layout.
 */
uint16_t bios_key(uint8_t scan, bool prefixed, uint8_t flags);

#endif
