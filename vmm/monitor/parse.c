/* SPDX-License-Identifier: MIT */
/* Words of a monitor command. */
#include "vmm/monitor/parse.h"

#include "ept/entry.h"

void monitor_split(struct monitor_words *words, struct option_span line)
{
    struct option_span word;

    words->count = 0;
    words->too_many = false;
    while (option_next_word(&line, &word)) {
        if (words->count == MONITOR_WORDS_MAX) {
            words->too_many = true;
            return;
        }
        words->word[words->count++] = word;
    }
}

static bool blank(char character)
{
    return character == ' ' || character == '\t';
}

bool monitor_next_command(struct option_span *script, struct option_span *command)
{
    struct option_span rest;

    while (script->length > 0) {
        (void)option_split(*script, ';', command, &rest);
        *script = rest;
        while (command->length > 0 && blank(command->text[0])) {
            command->text++;
            command->length--;
        }
        while (command->length > 0 && blank(command->text[command->length - 1]))
            command->length--;
        if (command->length > 0)
            return true;
    }
    return false;
}

must_check bool monitor_number(struct option_span word, uint64_t *value)
{
    return option_size(word, value);
}

must_check bool monitor_range(struct option_span word, uint64_t *address, uint64_t *length)
{
    struct option_span left, right;
    uint64_t start, size;

    if (!option_split(word, '+', &left, &right))
        return monitor_number(word, address);
    if (!monitor_number(left, &start) || !monitor_number(right, &size) || size == 0 ||
        start > UINT64_MAX - (size - 1))
        return false;
    *address = start;
    *length = size;
    return true;
}

must_check bool monitor_rights(struct option_span word, unsigned *rights)
{
    unsigned seen = 0;

    if (option_is(word, "none")) {
        *rights = 0;
        return true;
    }
    for (size_t i = 0; i < word.length; i++) {
        char letter = word.text[i] | 0x20;
        unsigned bit = letter == 'r' ? EPT_READ : letter == 'w' ? EPT_WRITE : letter == 'x' ? EPT_EXECUTE : 0;

        if (bit == 0 || (seen & bit) != 0)
            return false;
        seen |= bit;
    }
    if (seen == 0)
        return false;
    *rights = seen;
    return true;
}

static unsigned unit_of(char letter)
{
    switch (letter) {
    case 'b':
        return 1;
    case 'h':
        return 2;
    case 'w':
        return 4;
    case 'g':
        return 8;
    default:
        return 0;
    }
}

must_check bool monitor_format(struct option_span word, struct monitor_format *format)
{
    uint64_t count = 0;
    char letter;

    *format = (struct monitor_format){.unit = 1};
    if (word.length == 0)
        return false;
    letter = word.text[word.length - 1];
    format->text = letter == 's';
    if (format->text || unit_of(letter) != 0) {
        format->unit = format->text ? 1 : unit_of(letter);
        word.length--;
    }
    if (word.length > 0 && (!option_number(word, &count) || count == 0 || count > UINT16_MAX))
        return false;
    format->count = (unsigned)count;
    return true;
}
