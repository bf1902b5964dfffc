/* SPDX-License-Identifier: MIT */
/* Completion in the monitor's line. */
#include "vmm/monitor/complete.h"

bool monitor_begins_with(const char *word, const char *start, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (word[i] != start[i])
            return false;
    return true;
}

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0')
        length++;
    return length;
}

struct monitor_completion monitor_complete(const struct monitor_line *line, unsigned start)
{
    struct monitor_completion completion = {.found = 0};
    const char *word;

    for (unsigned n = 0; line->choice != NULL; n++) {
        word = line->choice(line->context, line->text, start, n);
        if (word == NULL)
            break;
        if (!monitor_begins_with(word, line->text + start, line->cursor - start))
            continue;
        if (completion.found++ == 0) {
            completion.first = word;
            completion.common = length_of(word);
        }
        while (!monitor_begins_with(word, completion.first, completion.common))
            completion.common--;
    }
    return completion;
}
