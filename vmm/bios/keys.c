/* SPDX-License-Identifier: MIT */
/* From the scan codes of a keyboard to the keys of INT 16h. */
#include "vmm/bios/keys.h"

#define SCAN_ESCAPE     0x01u
#define SCAN_1          0x02u
#define SCAN_EQUALS     0x0du
#define SCAN_BACKSPACE  0x0eu
#define SCAN_TAB        0x0fu
#define SCAN_ENTER      0x1cu
#define SCAN_SLASH      0x35u
#define SCAN_STAR       0x37u /* of the keypad */
#define SCAN_SPACE      0x39u
#define SCAN_F1         0x3bu
#define SCAN_F10        0x44u
#define SCAN_KEYPAD     0x47u
#define SCAN_KEYPAD_END 0x53u
#define SCAN_F11        0x57u
#define SCAN_F12        0x58u

/* By scan code, up to the space bar; 0 where there is no character. */
static const char plain[SCAN_SPACE + 1] = {
    0,    27,  '1', '2',  '3', '4', '5', '6', '7', '8', '9', '0', '-', '=', 8,   9,   'q', 'w', 'e', 'r',
    't',  'y', 'u', 'i',  'o', 'p', '[', ']', 13,  0,   'a', 's', 'd', 'f', 'g', 'h', 'j', 'k', 'l', ';',
    '\'', '`', 0,   '\\', 'z', 'x', 'c', 'v', 'b', 'n', 'm', ',', '.', '/', 0,   '*', 0,   ' '};
static const char shifted[SCAN_SPACE + 1] = {
    0,   27,  '!', '@', '#', '$', '%', '^', '&', '*', '(', ')', '_', '+', 8,   0,   'Q', 'W', 'E', 'R',
    'T', 'Y', 'U', 'I', 'O', 'P', '{', '}', 13,  0,   'A', 'S', 'D', 'F', 'G', 'H', 'J', 'K', 'L', ':',
    '"', '~', 0,   '|', 'Z', 'X', 'C', 'V', 'B', 'N', 'M', '<', '>', '?', 0,   '*', 0,   ' '};

/* The keypad, from 47h: with Num Lock; scan codes with Ctrl, and with Alt for the separate keys. */
static const char keypad[] = "789-456+1230.";
static const uint8_t keypad_ctrl[] = {0x77, 0x8d, 0x84, 0x8e, 0x73, 0x8f, 0x74,
                                      0x90, 0x75, 0x91, 0x76, 0x92, 0x93};
static const uint8_t separate_alt[] = {0x97, 0x98, 0x99, 0, 0x9b, 0, 0x9d, 0, 0x9f, 0xa0, 0xa1, 0xa2, 0xa3};

static uint16_t made(unsigned scan, unsigned character)
{
    return (uint16_t)(scan << 8 | character);
}

static bool is_letter(char character)
{
    return character >= 'a' && character <= 'z';
}

static uint16_t function_key(uint8_t scan, uint8_t flags)
{
    bool late = scan >= SCAN_F11;
    unsigned number = late ? scan - SCAN_F11 : scan - SCAN_F1;

    if (flags & KEYS_ALT)
        return made((late ? 0x8b : 0x68) + number, 0);
    if (flags & KEYS_CTRL)
        return made((late ? 0x89 : 0x5e) + number, 0);
    if (flags & (KEYS_LEFT_SHIFT | KEYS_RIGHT_SHIFT))
        return made((late ? 0x87 : 0x54) + number, 0);
    return made(late ? 0x85 + number : scan, 0);
}

static uint16_t keypad_key(uint8_t scan, bool prefixed, uint8_t flags)
{
    unsigned place = scan - SCAN_KEYPAD;
    char character = keypad[place];
    bool shift = flags & (KEYS_LEFT_SHIFT | KEYS_RIGHT_SHIFT), lock = flags & KEYS_NUM_LOCK;

    if (prefixed) { /* the separate keys for insert, delete, home... */
        if (flags & KEYS_ALT)
            return separate_alt[place] != 0 ? made(separate_alt[place], 0) : 0;
        return made(flags & KEYS_CTRL ? keypad_ctrl[place] : scan, 0xe0);
    }
    if (flags & KEYS_ALT) /* - and + alone; digits make up a character's number, which is not modelled */
        return character == '-' || character == '+' ? made(scan, 0) : 0;
    if (flags & KEYS_CTRL)
        return made(keypad_ctrl[place], 0);
    if (character == '-' || character == '+' || shift != lock)
        return made(scan, (uint8_t)character);
    return character == '5' ? made(scan, 0xf0) : made(scan, 0);
}

static uint16_t ctrl_key(uint8_t scan)
{
    char character = plain[scan];

    if (is_letter(character))
        return made(scan, (unsigned)character & 0x1f);
    switch (character) {
    case '2':
        return made(scan, 0);
    case '6':
        return made(scan, 0x1e);
    case '-':
        return made(scan, 0x1f);
    case '[':
        return made(scan, 0x1b);
    case '\\':
        return made(scan, 0x1c);
    case ']':
        return made(scan, 0x1d);
    case ' ':
        return made(scan, ' ');
    case 27:
        return made(scan, 27);
    case 8:
        return made(scan, 0x7f);
    case 9:
        return made(0x94, 0);
    case 13:
        return made(scan, 10);
    default:
        return scan == SCAN_STAR ? made(0x96, 0) : 0;
    }
}

static uint16_t alt_key(uint8_t scan)
{
    if (scan >= SCAN_1 && scan <= SCAN_EQUALS)
        return made(0x78u + scan - SCAN_1, 0);
    if (scan == SCAN_TAB)
        return made(0xa5, 0);
    if (scan == SCAN_SPACE)
        return made(scan, ' ');
    return made(scan, 0);
}

uint16_t bios_key(uint8_t scan, bool prefixed, uint8_t flags)
{
    bool shift = flags & (KEYS_LEFT_SHIFT | KEYS_RIGHT_SHIFT);

    if ((scan >= SCAN_F1 && scan <= SCAN_F10) || scan == SCAN_F11 || scan == SCAN_F12)
        return function_key(scan, flags);
    if (scan >= SCAN_KEYPAD && scan <= SCAN_KEYPAD_END)
        return keypad_key(scan, prefixed, flags);
    if (scan > SCAN_SPACE || plain[scan] == 0)
        return 0;
    if (prefixed && scan != SCAN_ENTER && scan != SCAN_SLASH)
        return 0;
    if (flags & KEYS_ALT)
        return prefixed ? made(scan == SCAN_ENTER ? 0xa6 : 0xa4, 0) : alt_key(scan);
    if (prefixed)
        return made(0xe0, flags & KEYS_CTRL && scan == SCAN_ENTER ? 10u : (uint8_t)plain[scan]);
    if (flags & KEYS_CTRL)
        return ctrl_key(scan);
    if (is_letter(plain[scan]) && (flags & KEYS_CAPS_LOCK))
        shift = !shift;
    return made(scan, (uint8_t)(shift ? shifted[scan] : plain[scan]));
}
