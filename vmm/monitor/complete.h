/* SPDX-License-Identifier: MIT */
/* What the word before the cursor of the monitor's line may become. Pure. */
#ifndef VMM_MONITOR_COMPLETE_H
#define VMM_MONITOR_COMPLETE_H

#include "vmm/monitor/line.h"
#include <stdbool.h>
#include <stddef.h>

struct monitor_completion {
    unsigned found;    /* words that begin so */
    const char *first; /* one of them, if there are any */
    size_t common;     /* characters in which all of them agree */
};

/* Of the choices for the word that begins at `start`. */
struct monitor_completion monitor_complete(const struct monitor_line *line, unsigned start);

bool monitor_begins_with(const char *word, const char *start, size_t length);

#endif
