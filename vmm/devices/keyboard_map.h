/* SPDX-License-Identifier: MIT */
/*
 * From the characters of a console to the keys of a US keyboard. Pure.
 *
 * A key is a code of scan code set 1, in which the make code is the number; extended keys (0xe0 before it)
 * have KEYBOARD_EXTENDED set.
 */
#ifndef VMM_DEVICES_KEYBOARD_MAP_H
#define VMM_DEVICES_KEYBOARD_MAP_H

#include <stdbool.h>
#include <stdint.h>

#define KEYBOARD_EXTENDED 0x80u

#define KEY_ESCAPE  0x01u
#define KEY_CONTROL 0x1du
#define KEY_SHIFT   0x2au

/* A key to press and release, with the keys held down meanwhile. */
struct keyboard_stroke {
    uint8_t key;
    bool shift, control;
};

/* What a terminal's escape sequence has come to so far. All zero: nothing. */
struct keyboard_map {
    uint8_t state;
    uint8_t number; /* of ESC [ number ~ */
};

/*
 * The next character. True with the stroke to make; false if it is part of a sequence, or nothing that this
 * keyboard has. ESC alone is the beginning of a sequence: keyboard_map_flush() after a while.
 */
bool keyboard_map_character(struct keyboard_map *map, char character, struct keyboard_stroke *stroke);

/* No more came: true with the stroke if there was an ESC by itself. */
bool keyboard_map_flush(struct keyboard_map *map, struct keyboard_stroke *stroke);

/* Whether a sequence has begun. */
static inline bool keyboard_map_waits(const struct keyboard_map *map)
{
    return map->state != 0;
}

/* The 8042's translation of a code of scan code set 2 (without 0xf0) into set 1. Also of answers: most above
 * 0x84 are the same. */
uint8_t keyboard_set2_to_set1(uint8_t code);

/* The other way, for keys: 0 if there is no such key. `key` without KEYBOARD_EXTENDED. */
uint8_t keyboard_set1_to_set2(uint8_t key);

#endif
