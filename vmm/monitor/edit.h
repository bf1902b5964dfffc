/* SPDX-License-Identifier: MIT */
/* What keys do to the monitor's line: text, cursor, history. Each draws what it has changed, or rings the
 * bell. Pure. */
#ifndef VMM_MONITOR_EDIT_H
#define VMM_MONITOR_EDIT_H

#include "vmm/monitor/line.h"

/* To the terminal. */
void monitor_edit_put(const struct monitor_line *line, const char *text);
void monitor_edit_bell(const struct monitor_line *line);

/* Takes the characters [from, to) out; the cursor goes where they were. */
void monitor_edit_remove_range(struct monitor_line *line, unsigned from, unsigned to);

/* Puts a character in front of the cursor, and draws nothing. false: the line is full. */
bool monitor_edit_insert(struct monitor_line *line, char character);

/* The cursor's place; beyond the line's end it stays where it is. */
void monitor_edit_move_to(struct monitor_line *line, unsigned cursor);

void monitor_edit_set_text(struct monitor_line *line, const char *text);

/* One line further back in the history, or one line forward. */
void monitor_edit_browse(struct monitor_line *line, bool older);

/* Where the word in front of the cursor begins. */
unsigned monitor_edit_word_start(const struct monitor_line *line, bool skip_blanks);

#endif
