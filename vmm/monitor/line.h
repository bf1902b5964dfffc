/* SPDX-License-Identifier: MIT */
/*
 * The line editor of the monitor: keys in, byte by byte, and bytes for the terminal out. A terminal of the
 * VT100's kind, at least 80 columns wide; a line never wraps. Keys: printable characters; Backspace, Delete,
 * arrows, Home, End, Tab; Ctrl-A, B, E, F, P, N, H, D, U, K, W, L, C. Pure.
 */
#ifndef VMM_MONITOR_LINE_H
#define VMM_MONITOR_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MONITOR_LINE_MAX    72 /* characters */
#define MONITOR_HISTORY_MAX 16 /* lines */

enum monitor_key {
    MONITOR_KEY_TAKEN,  /* the line goes on */
    MONITOR_KEY_ENTER,  /* the line is complete: line->text, until monitor_line_clear() */
    MONITOR_KEY_CLOSES, /* Ctrl-D on an empty line */
};

struct monitor_line {
    char text[MONITOR_LINE_MAX + 1];
    unsigned length, cursor;
    char history[MONITOR_HISTORY_MAX][MONITOR_LINE_MAX + 1]; /* a ring */
    unsigned history_count;                                  /* lines ever remembered */
    unsigned back;                   /* how many lines back in the history is shown; 0: the line itself */
    char kept[MONITOR_LINE_MAX + 1]; /* what was typed before the history was looked at */
    uint8_t escape;     /* bytes of an escape sequence that have come: 0, 1 ESC, 2 ESC [ or ESC O */
    unsigned parameter; /* its number */
    bool after_return;  /* a '\n' now belongs to it */
    bool after_tab;     /* a second Tab shows what there is to choose from */
    const char *prompt;
    void *context;
    /* Takes bytes for the terminal. */
    void (*put)(void *context, const char *bytes, size_t count);
    /*
     * The n-th word, from 0, that may follow `before`, the beginning of the line up to the word with the
     * cursor; NULL: no more. All of them are asked for, in any order of letters. May be NULL.
     */
    const char *(*choice)(void *context, const char *before, size_t length, unsigned n);
};

/* Makes an empty editor without history; then the caller sets prompt, context, put and choice. */
void monitor_line_init(struct monitor_line *line);

/* One byte from the terminal. */
enum monitor_key monitor_line_key(struct monitor_line *line, char key);

/* Remembers the line, unless it is empty or the newest one already, and empties it. */
void monitor_line_clear(struct monitor_line *line);

/* Draws the prompt and the line anew, in the terminal's line with the cursor. */
void monitor_line_draw(const struct monitor_line *line);

#endif
