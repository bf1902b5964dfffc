/* SPDX-License-Identifier: MIT */
/* Words of a monitor command, and what they mean: numbers, ranges, rights, the format of `x`. Pure. */
#ifndef VMM_MONITOR_PARSE_H
#define VMM_MONITOR_PARSE_H

#include "arch/x86/compiler.h"
#include "vmm/host/option_text.h"
#include <stdbool.h>
#include <stdint.h>

#define MONITOR_WORDS_MAX 10

/* A command's words; they are parts of the line. More than MONITOR_WORDS_MAX: `too_many`. */
struct monitor_words {
    struct option_span word[MONITOR_WORDS_MAX];
    unsigned count;
    bool too_many;
};

void monitor_split(struct monitor_words *words, struct option_span line);

/*
 * Takes the next command off *script: up to a ';', blanks around it gone, empty ones left out. false: there
 * is none.
 */
bool monitor_next_command(struct option_span *script, struct option_span *command);

/* A number: decimal, or hexadecimal after 0x; with K, M or G behind it if wanted (powers of 1024). */
must_check bool monitor_number(struct option_span word, uint64_t *value);

/*
 * ADDRESS or ADDRESS+LENGTH. A length is not 0, and the range does not pass 2^64. Without one *length stays
 * what it was.
 */
must_check bool monitor_range(struct option_span word, uint64_t *address, uint64_t *length);

/* Letters of r, w and x, in any order, each once, or "none": the bits EPT_READ 1, EPT_WRITE 2, EPT_EXECUTE 4.
 */
must_check bool monitor_rights(struct option_span word, unsigned *rights);

/* How `x` shows memory, as in x/16b, x/2h, x/4w, x/8g (units of 1, 2, 4, 8 bytes), x/w, x/s (text). */
struct monitor_format {
    unsigned unit;  /* bytes */
    unsigned count; /* of units; 0: not said */
    bool text;      /* characters up to a NUL */
};

/* What is behind the `/`. */
must_check bool monitor_format(struct option_span word, struct monitor_format *format);

#endif
