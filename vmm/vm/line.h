/* SPDX-License-Identifier: MIT */
/* Collects the characters that a guest prints, on whatever way, into lines for the console. Pure. */
#ifndef VMM_VM_LINE_H
#define VMM_VM_LINE_H

#include <stdbool.h>
#include <stdint.h>

#define GUEST_LINE_MAX 1024u

/* All zero is an empty line. */
struct guest_line {
    char text[GUEST_LINE_MAX + 1]; /* printable characters, then NUL */
    uint32_t length;
    bool complete;  /* to be shown and taken */
    bool continued; /* complete without a newline: what follows belongs to the same line of the guest */
    bool held;      /* `next` did not fit and begins the line after */
    char next;
};

/*
 * Adds a character. True when the line is complete: at a newline, or when the next character does not fit;
 * show it, then call guest_line_take. '\r' is ignored; what is not printable ASCII shows as \xNN. A complete
 * line that was not taken is lost with the next character.
 */
bool guest_line_put(struct guest_line *, char character);

/* Empties the line, but for a character that did not fit. */
void guest_line_take(struct guest_line *);

#endif
