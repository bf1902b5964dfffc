/* SPDX-License-Identifier: MIT */
/* Tables of a US keyboard: characters, terminal sequences, scan codes. */
#include "vmm/devices/keyboard_map.h"

#define SHIFT     0x80u
#define KEY_ENTER 0x1cu

enum { IDLE, ESCAPE, BRACKET };

/* Characters 0x20 to 0x7e: key of set 1, with SHIFT. */
static const uint8_t printable[0x7f - 0x20] = {
    /*   */ 0x39,         /* ! */ 0x02 | SHIFT, /* " */ 0x28 | SHIFT, /* # */ 0x04 | SHIFT,
    /* $ */ 0x05 | SHIFT, /* % */ 0x06 | SHIFT, /* & */ 0x08 | SHIFT, /* ' */ 0x28,
    /* ( */ 0x0a | SHIFT, /* ) */ 0x0b | SHIFT, /* * */ 0x09 | SHIFT, /* + */ 0x0d | SHIFT,
    /* , */ 0x33,         /* - */ 0x0c,         /* . */ 0x34,         /* / */ 0x35,
    /* 0 */ 0x0b,         /* 1 */ 0x02,         /* 2 */ 0x03,         /* 3 */ 0x04,
    /* 4 */ 0x05,         /* 5 */ 0x06,         /* 6 */ 0x07,         /* 7 */ 0x08,
    /* 8 */ 0x09,         /* 9 */ 0x0a,         /* : */ 0x27 | SHIFT, /* ; */ 0x27,
    /* < */ 0x33 | SHIFT, /* = */ 0x0d,         /* > */ 0x34 | SHIFT, /* ? */ 0x35 | SHIFT,
    /* @ */ 0x03 | SHIFT, /* A */ 0x1e | SHIFT, /* B */ 0x30 | SHIFT, /* C */ 0x2e | SHIFT,
    /* D */ 0x20 | SHIFT, /* E */ 0x12 | SHIFT, /* F */ 0x21 | SHIFT, /* G */ 0x22 | SHIFT,
    /* H */ 0x23 | SHIFT, /* I */ 0x17 | SHIFT, /* J */ 0x24 | SHIFT, /* K */ 0x25 | SHIFT,
    /* L */ 0x26 | SHIFT, /* M */ 0x32 | SHIFT, /* N */ 0x31 | SHIFT, /* O */ 0x18 | SHIFT,
    /* P */ 0x19 | SHIFT, /* Q */ 0x10 | SHIFT, /* R */ 0x13 | SHIFT, /* S */ 0x1f | SHIFT,
    /* T */ 0x14 | SHIFT, /* U */ 0x16 | SHIFT, /* V */ 0x2f | SHIFT, /* W */ 0x11 | SHIFT,
    /* X */ 0x2d | SHIFT, /* Y */ 0x15 | SHIFT, /* Z */ 0x2c | SHIFT, /* [ */ 0x1a,
    /* \ */ 0x2b,         /* ] */ 0x1b,         /* ^ */ 0x07 | SHIFT, /* _ */ 0x0c | SHIFT,
    /* ` */ 0x29,         /* a */ 0x1e,         /* b */ 0x30,         /* c */ 0x2e,
    /* d */ 0x20,         /* e */ 0x12,         /* f */ 0x21,         /* g */ 0x22,
    /* h */ 0x23,         /* i */ 0x17,         /* j */ 0x24,         /* k */ 0x25,
    /* l */ 0x26,         /* m */ 0x32,         /* n */ 0x31,         /* o */ 0x18,
    /* p */ 0x19,         /* q */ 0x10,         /* r */ 0x13,         /* s */ 0x1f,
    /* t */ 0x14,         /* u */ 0x16,         /* v */ 0x2f,         /* w */ 0x11,
    /* x */ 0x2d,         /* y */ 0x15,         /* z */ 0x2c,         /* { */ 0x1a | SHIFT,
    /* | */ 0x2b | SHIFT, /* } */ 0x1b | SHIFT, /* ~ */ 0x29 | SHIFT,
};

/* ESC [ letter, and ESC O letter: cursor keys, Home, End, F1 to F4. */
static const struct {
    char letter;
    uint8_t key;
} letters[] = {
    {'A', 0x48 | KEYBOARD_EXTENDED},
    {'B', 0x50 | KEYBOARD_EXTENDED},
    {'C', 0x4d | KEYBOARD_EXTENDED},
    {'D', 0x4b | KEYBOARD_EXTENDED},
    {'H', 0x47 | KEYBOARD_EXTENDED},
    {'F', 0x4f | KEYBOARD_EXTENDED},
    {'P', 0x3b},
    {'Q', 0x3c},
    {'R', 0x3d},
    {'S', 0x3e},
};

/* ESC [ number ~. 0: no such key. */
static const uint8_t numbers[] = {
    [1] = 0x47 | KEYBOARD_EXTENDED, /* Home */
    [2] = 0x52 | KEYBOARD_EXTENDED, /* Insert */
    [3] = 0x53 | KEYBOARD_EXTENDED, /* Delete */
    [4] = 0x4f | KEYBOARD_EXTENDED, /* End */
    [5] = 0x49 | KEYBOARD_EXTENDED, /* Page Up */
    [6] = 0x51 | KEYBOARD_EXTENDED, /* Page Down */
    [11] = 0x3b,
    [12] = 0x3c,
    [13] = 0x3d,
    [14] = 0x3e,
    [15] = 0x3f, /* F1 to F5 */
    [17] = 0x40,
    [18] = 0x41,
    [19] = 0x42,
    [20] = 0x43,
    [21] = 0x44, /* F6 to F10 */
    [23] = 0x57,
    [24] = 0x58, /* F11, F12 */
};

/* IBM's "Personal System/2 Hardware Interface Technical Reference", keyboard controller: what the controller
 * makes of each code below 0x80. */
static const uint8_t set2_to_set1[0x80] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59, /* 00 */
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b, /* 10 */
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d, /* 20 */
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f, /* 30 */
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61, /* 40 */
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76, /* 50 */
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f, /* 60 */
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54, /* 70 */
};

uint8_t keyboard_set2_to_set1(uint8_t code)
{
    if (code < sizeof(set2_to_set1))
        return set2_to_set1[code];
    return code == 0x83 ? 0x41 : code == 0x84 ? 0x54 : code; /* F7, SysRq */
}

uint8_t keyboard_set1_to_set2(uint8_t key)
{
    if (key == 0x41)
        return 0x83;
    for (unsigned code = 1; code < sizeof(set2_to_set1); code++)
        if (set2_to_set1[code] == key)
            return (uint8_t)code;
    return 0;
}

static bool control_character(char character, struct keyboard_stroke *stroke)
{
    switch (character) {
    case '\r':
    case '\n':
        stroke->key = KEY_ENTER;
        return true;
    case '\t':
        stroke->key = 0x0f;
        return true;
    case 0x08:
    case 0x7f:
        stroke->key = 0x0e;
        return true;
    default: /* 1 to 26 are Control with a letter, 28 to 31 with \ ] ^ _ */
        if (character <= 0 || character >= 0x20)
            return false;
        stroke->key = printable[(character | (character <= 26 ? 0x60 : 0x40)) - 0x20] & ~SHIFT & 0xff;
        stroke->control = true;
        return true;
    }
}

static bool plain(char character, struct keyboard_stroke *stroke)
{
    uint8_t code;

    if (character < 0x20 || character > 0x7e)
        return control_character(character, stroke);
    code = printable[character - 0x20];
    stroke->key = code & ~SHIFT & 0xff;
    stroke->shift = (code & SHIFT) != 0;
    return true;
}

static bool sequence(struct keyboard_map *map, char character, struct keyboard_stroke *stroke)
{
    if (character >= '0' && character <= '9') {
        map->number = map->number < 20 ? (uint8_t)(map->number * 10 + (character - '0')) : 0xff;
        return false;
    }
    map->state = IDLE;
    if (character == '~') {
        stroke->key = map->number < sizeof(numbers) ? numbers[map->number] : 0;
        return stroke->key != 0;
    }
    for (unsigned i = 0; i < sizeof(letters) / sizeof(letters[0]); i++) {
        if (letters[i].letter == character) {
            stroke->key = letters[i].key;
            return true;
        }
    }
    return false;
}

bool keyboard_map_character(struct keyboard_map *map, char character, struct keyboard_stroke *stroke)
{
    *stroke = (struct keyboard_stroke){0};
    if (map->state == BRACKET)
        return sequence(map, character, stroke);
    if (map->state == ESCAPE && (character == '[' || character == 'O')) {
        *map = (struct keyboard_map){.state = BRACKET};
        return false;
    }
    if (character == 0x1b) { /* the second one sends the first on its way */
        bool before = map->state == ESCAPE;

        map->state = ESCAPE;
        stroke->key = KEY_ESCAPE;
        return before;
    }
    map->state = IDLE; /* ESC and a character, as a terminal sends for Alt: the character alone */
    return plain(character, stroke);
}

bool keyboard_map_flush(struct keyboard_map *map, struct keyboard_stroke *stroke)
{
    bool escape = map->state == ESCAPE;

    map->state = IDLE;
    *stroke = (struct keyboard_stroke){.key = KEY_ESCAPE};
    return escape;
}
