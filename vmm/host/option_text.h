/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's command line and the guests' strings have in common: words, key=value, numbers, sizes,
 * lists, and the lines that say what was not understood. Pure.
 */
#ifndef VMM_HOST_OPTION_TEXT_H
#define VMM_HOST_OPTION_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

#define OPTION_PROBLEMS_MAX   8
#define OPTION_PROBLEM_LENGTH 96

/* Lines ready to print (printable ASCII, no newline): line[0 .. count - 1]; `dropped` more did not fit. */
struct option_problems {
    char line[OPTION_PROBLEMS_MAX][OPTION_PROBLEM_LENGTH];
    unsigned count;
    unsigned dropped;
};

void option_problem(struct option_problems *problems, const char *format, ...) printf_like(2, 3);

/* A piece of a longer text, not NUL-terminated. */
struct option_span {
    const char *text;
    size_t length;
};

/* For printf's %.*s: a span as (int, const char *), cut to 40 characters so that a problem line has room for
 * the rest. */
#define option_span_arguments(span) (int)((span).length > 40 ? 40 : (span).length), (span).text

/* A whole string as a span. */
struct option_span option_span_of(const char *text);

/*
 * Takes the next word, up to a blank, tab or line end, off *rest. False at the end. Between two `"` blanks
 * are part of the word, and a backslash takes its meaning from the character behind it; quotes around the
 * whole word are left out, others stay in it.
 */
bool option_next_word(struct option_span *rest, struct option_span *word);

/* Copies a span without its quotes and without the backslashes in front of quotes and backslashes; cut to
 * size - 1 characters. False if it was cut. */
bool option_unquote(struct option_span span, char *buffer, size_t size) must_check;

/* Takes the next item off a list with commas; empty items are skipped. False at the end. */
bool option_next_item(struct option_span *rest, struct option_span *item);

/* Splits at the first `separator`: *left gets what is before, *right what follows. False, with *left = all,
 * if there is none. */
bool option_split(struct option_span all, char separator, struct option_span *left,
                  struct option_span *right);

/* Equal, whatever the case of ASCII letters. */
bool option_same(struct option_span left, struct option_span right);
bool option_is(struct option_span span, const char *word);

/* The whole span as a number: decimal, or hexadecimal after 0x. False if it is anything else or exceeds 64
 * bits. */
bool option_number(struct option_span span, uint64_t *value) must_check;

/* The same with digits of base 16, 0x optional. */
bool option_hexadecimal(struct option_span span, uint64_t *value) must_check;

/* A number of bytes: a number with an optional suffix K, M or G (powers of 1024; a B or iB may follow). */
bool option_size(struct option_span span, uint64_t *bytes) must_check;

/*
 * One of several words: `words` is like "poweroff|halt|reboot", *index the place of the one that `value` is.
 * If it is none of them, false, and a line that begins with `option` says so.
 */
bool option_choose(struct option_span value, const char *option, const char *words, unsigned *index,
                   struct option_problems *problems) must_check;

/* One option: its name and what handles its value. `target` is what the table's user hands in. */
struct option_handler {
    const char *name;
    void (*handle)(void *target, struct option_span value, struct option_problems *problems);
};

/*
 * Handles one word `name=value` by the table. A name not in it, or a word without `=`, adds a line to
 * *problems that calls it an unknown `what` (for example "option").
 */
void option_dispatch(const struct option_handler *table, size_t count, struct option_span word, void *target,
                     const char *what, struct option_problems *problems);

#endif
