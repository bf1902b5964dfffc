/* SPDX-License-Identifier: MIT */
/* Collects the characters that a guest prints into lines. */
#include "vmm/vm/line.h"

#define SHOWN_MAX 4u /* \xNN */

/* How a character is shown; returns the number of characters that takes. */
static uint32_t show(char character, char shown[SHOWN_MAX])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t byte = (uint8_t)character;

    if (byte >= 0x20 && byte <= 0x7e) {
        shown[0] = character;
        return 1;
    }
    shown[0] = '\\';
    shown[1] = 'x';
    shown[2] = digits[byte >> 4];
    shown[3] = digits[byte & 0xf];
    return SHOWN_MAX;
}

/* Everything but a plain character of a line that goes on. */
static __attribute__((noinline)) bool put_other(struct guest_line *line, char character)
{
    char shown[SHOWN_MAX];
    uint32_t count = 0;

    if (line->complete) {
        guest_line_take(line);
    }
    if (character == '\r') {
        return false;
    }
    if (character == '\n') {
        line->complete = true;
        return true;
    }
    count = show(character, shown);
    if (line->length + count > GUEST_LINE_MAX) {
        line->complete = line->continued = line->held = true;
        line->next = character;
        return true;
    }
    for (uint32_t i = 0; i < count; i++) {
        line->text[line->length++] = shown[i];
    }
    line->text[line->length] = '\0';
    return false;
}

bool guest_line_put(struct guest_line *line, char character)
{
    if (character < 0x20 || character > 0x7e || line->complete || line->length == GUEST_LINE_MAX)
        return put_other(line, character);
    line->text[line->length++] = character;
    line->text[line->length] = '\0';
    return false;
}

void guest_line_take(struct guest_line *line)
{
    bool held = line->held;

    line->length = 0;
    line->text[0] = '\0';
    line->complete = line->continued = line->held = false;
    if (held) {
        (void)guest_line_put(line, line->next); /* the line is empty: it fits */
    }
}
