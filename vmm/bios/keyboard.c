/* SPDX-License-Identifier: MIT */
/* INT 16h, and what IRQ 1 does: the keyboard buffer and the shift keys in the BIOS data area. */
#include "vmm/bios/bios.h"
#include "vmm/bios/keys.h"

#define BDA 0x400u

#define MODE_E0         0x02u /* BDA_KEYBOARD_MODE: the last byte was the prefix E0h */
#define MODE_RIGHT_ALT  0x08u
#define MODE_RIGHT_CTRL 0x04u

#define FLAGS2_LEFT_CTRL 0x01u
#define FLAGS2_LEFT_ALT  0x02u

#define SCAN_PREFIX      0xe0u
#define SCAN_RELEASE     0x80u
#define SCAN_CTRL        0x1du
#define SCAN_LEFT_SHIFT  0x2au
#define SCAN_RIGHT_SHIFT 0x36u
#define SCAN_ALT         0x38u
#define SCAN_CAPS_LOCK   0x3au
#define SCAN_NUM_LOCK    0x45u
#define SCAN_SCROLL_LOCK 0x46u
#define SCAN_INSERT      0x52u

#define EXTENDED_ONLY 0x8500u /* keys from F11 on: the old calls do not know them */

static uint16_t next_place(struct bios_call *call, uint16_t place)
{
    place = (uint16_t)(place + 2);
    return place >= bios_read16(call, BDA_KEYBOARD_END) ? bios_read16(call, BDA_KEYBOARD_START) : place;
}

/* false: the buffer is full. */
static bool store(struct bios_call *call, uint16_t key)
{
    uint16_t tail = bios_read16(call, BDA_KEYBOARD_TAIL), next = next_place(call, tail);

    if (next == bios_read16(call, BDA_KEYBOARD_HEAD))
        return false;
    bios_write16(call, BDA + tail, key);
    bios_write16(call, BDA_KEYBOARD_TAIL, next);
    return true;
}

/* As the old calls tell a key, without the marks of the enhanced keyboard. false: they do not know it. */
static bool old_key(uint16_t *key)
{
    uint8_t character = (uint8_t)*key;

    if (*key >> 8 == SCAN_PREFIX) /* Enter and / of the keypad */
        *key = (uint16_t)((character == '/' ? 0x3500 : 0x1c00) | character);
    else if (*key >= EXTENDED_ONLY)
        return false;
    else if (character == SCAN_PREFIX || (character == 0xf0 && *key != 0xf0))
        *key &= 0xff00;
    return true;
}

/* The next key, which stays in the buffer; false: there is none. */
static bool peek(struct bios_call *call, bool enhanced, uint16_t *key)
{
    for (unsigned i = 0; i < 16; i++) {
        uint16_t head = bios_read16(call, BDA_KEYBOARD_HEAD);

        if (head == bios_read16(call, BDA_KEYBOARD_TAIL))
            return false;
        *key = bios_read16(call, BDA + head);
        if (enhanced) {
            if ((*key & 0xff) == 0xf0 && *key != 0xf0)
                *key &= 0xff00;
            return true;
        }
        if (old_key(key))
            return true;
        bios_write16(call, BDA_KEYBOARD_HEAD, next_place(call, head));
    }
    return false;
}

static enum bios_outcome read_key(struct bios_call *call, struct bios_registers *r, bool enhanced)
{
    uint16_t key;

    if (!peek(call, enhanced, &key))
        return BIOS_HALT;
    bios_write16(call, BDA_KEYBOARD_HEAD, next_place(call, bios_read16(call, BDA_KEYBOARD_HEAD)));
    bios_set16(&r->eax, key);
    return BIOS_RETURN;
}

static enum bios_outcome check_key(struct bios_call *call, struct bios_registers *r, bool enhanced)
{
    uint16_t key;
    bool there = peek(call, enhanced, &key);

    if (there)
        bios_set16(&r->eax, key);
    bios_flag(r, FLAGS_ZF, !there);
    return BIOS_RETURN;
}

/* AH=12h: the second byte of flags with the right-hand keys in between. */
static uint8_t enhanced_flags(struct bios_call *call)
{
    uint8_t flags = bios_read8(call, BDA_KEYBOARD_FLAGS + 1), mode = bios_read8(call, BDA_KEYBOARD_MODE);

    return (uint8_t)((flags & 0x73) | (mode & (MODE_RIGHT_CTRL | MODE_RIGHT_ALT)) | (flags & 0x04) << 5);
}

enum bios_outcome bios_keyboard(struct bios_call *call, struct bios_registers *r)
{
    switch (bios_high(r->eax)) {
    case 0x00:
    case 0x10:
        return read_key(call, r, bios_high(r->eax) == 0x10);
    case 0x01:
    case 0x11:
        return check_key(call, r, bios_high(r->eax) == 0x11);
    case 0x02:
        bios_set8(&r->eax, bios_read8(call, BDA_KEYBOARD_FLAGS));
        return BIOS_RETURN;
    case 0x03: /* repeat rate: a console has none */
        return BIOS_RETURN;
    case 0x05:
        bios_set8(&r->eax, store(call, (uint16_t)r->ecx) ? 0 : 1);
        bios_flag(r, FLAGS_CF, (r->eax & 0xff) != 0);
        return BIOS_RETURN;
    case 0x09: /* AH=10h to 12h are there */
        bios_set8(&r->eax, 0x20);
        return BIOS_RETURN;
    case 0x12:
        bios_set8(&r->eax, bios_read8(call, BDA_KEYBOARD_FLAGS));
        bios_set_high(&r->eax, enhanced_flags(call));
        return BIOS_RETURN;
    default:
        return bios_missing(call, r, 0x16, 0x86);
    }
}

static void set_bits(struct bios_call *call, uint32_t at, uint8_t bits, bool set)
{
    uint8_t value = bios_read8(call, at);

    bios_write8(call, at, (uint8_t)(set ? value | bits : value & ~bits));
}

/* A lock changes when its key goes down, not again while it is held. */
static void lock_key(struct bios_call *call, uint8_t bit, bool down)
{
    if (down && !(bios_read8(call, BDA_KEYBOARD_FLAGS + 1) & bit))
        bios_write8(call, BDA_KEYBOARD_FLAGS, bios_read8(call, BDA_KEYBOARD_FLAGS) ^ bit);
    set_bits(call, BDA_KEYBOARD_FLAGS + 1, bit, down);
}

static void side_key(struct bios_call *call, uint8_t both, uint8_t left, uint8_t right, bool is_right,
                     bool down)
{
    bool any;

    if (is_right)
        set_bits(call, BDA_KEYBOARD_MODE, right, down);
    else
        set_bits(call, BDA_KEYBOARD_FLAGS + 1, left, down);
    any = (bios_read8(call, BDA_KEYBOARD_MODE) & right) || (bios_read8(call, BDA_KEYBOARD_FLAGS + 1) & left);
    set_bits(call, BDA_KEYBOARD_FLAGS, both, any);
}

/* Shift keys and locks. false: the key is another one. */
static bool shift_key(struct bios_call *call, uint8_t scan, bool prefixed, bool down)
{
    switch (scan) {
    case SCAN_LEFT_SHIFT:
    case SCAN_RIGHT_SHIFT:
        if (!prefixed) /* with E0h it is no key: the keyboard's own bracket around navigation keys */
            set_bits(call, BDA_KEYBOARD_FLAGS, scan == SCAN_LEFT_SHIFT ? KEYS_LEFT_SHIFT : KEYS_RIGHT_SHIFT,
                     down);
        return true;
    case SCAN_CTRL:
        side_key(call, KEYS_CTRL, FLAGS2_LEFT_CTRL, MODE_RIGHT_CTRL, prefixed, down);
        return true;
    case SCAN_ALT:
        side_key(call, KEYS_ALT, FLAGS2_LEFT_ALT, MODE_RIGHT_ALT, prefixed, down);
        return true;
    case SCAN_CAPS_LOCK:
        lock_key(call, KEYS_CAPS_LOCK, down);
        return true;
    case SCAN_NUM_LOCK:
        lock_key(call, KEYS_NUM_LOCK, down);
        return true;
    case SCAN_SCROLL_LOCK:
        if (prefixed)
            return false; /* Ctrl-Break */
        lock_key(call, KEYS_SCROLL_LOCK, down);
        return true;
    case SCAN_INSERT:
        lock_key(call, KEYS_INSERT, down);
        return false;
    default:
        return false;
    }
}

enum bios_outcome bios_scan_code(struct bios_call *call, struct bios_registers *r)
{
    uint8_t code = (uint8_t)r->ebx, scan = code & (uint8_t)~SCAN_RELEASE;
    bool down = !(code & SCAN_RELEASE), prefixed = bios_read8(call, BDA_KEYBOARD_MODE) & MODE_E0;
    uint8_t flags;
    uint16_t key;

    if (code == SCAN_PREFIX) {
        set_bits(call, BDA_KEYBOARD_MODE, MODE_E0, true);
        return BIOS_RETURN;
    }
    set_bits(call, BDA_KEYBOARD_MODE, MODE_E0, false);
    if (shift_key(call, scan, prefixed, down) || !down)
        return BIOS_RETURN;
    flags = bios_read8(call, BDA_KEYBOARD_FLAGS);
    if (scan == SCAN_SCROLL_LOCK && prefixed && (flags & KEYS_CTRL)) {
        bios_write16(call, BDA_KEYBOARD_HEAD, bios_read16(call, BDA_KEYBOARD_START));
        bios_write16(call, BDA_KEYBOARD_TAIL, bios_read16(call, BDA_KEYBOARD_START));
        bios_write8(call, BDA_BREAK, 0x80);
        (void)store(call, 0);
        return BIOS_BREAK;
    }
    key = bios_key(scan, prefixed, flags);
    if (key != 0)
        (void)store(call, key); /* a full buffer loses it */
    return BIOS_RETURN;
}
