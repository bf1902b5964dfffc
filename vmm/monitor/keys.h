/* SPDX-License-Identifier: MIT */
/* The monitor's end of the console: who gets which key, the line that is typed, and long output page by page.
 * The holder of the session's lock, but for monitor_guest_key() (monitor.h). */
#ifndef VMM_MONITOR_KEYS_H
#define VMM_MONITOR_KEYS_H

#include "vmm/monitor/line.h"

/* Lets the line write to the console. */
void monitor_keys_prepare(struct monitor_line *line);

/* Reads what has come from the UART, up to the end of a line: the monitor's key opens and closes it, the
 * others are its or a guest's. */
void monitor_keys_read(struct monitor_line *line);

/* True once for each line that is complete. No key may be read until monitor_line_clear(). */
bool monitor_keys_take_line(void);

bool monitor_keys_open(void);

/* Draws the line if something has taken it away, and `wanted`. */
void monitor_keys_draw(const struct monitor_line *line, bool wanted);

/* Closes the monitor. */
void monitor_keys_close(void);

/* From here on the output of this CPU stops after each screenful and waits for a key; or no longer. */
void monitor_keys_page(bool paged);

#endif
