/* SPDX-License-Identifier: MIT */
/* libFuzzer: any bytes typed at the monitor, its lines as commands, and the same bytes as a script. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/monitor/line.h"
#include "vmm/monitor/parse.h"

static size_t written;

static void require(int condition)
{
    if (!condition)
        abort();
}

static void put(void *context, const char *bytes, size_t count)
{
    (void)context;
    for (size_t i = 0; i < count; i++)
        require((bytes[i] >= ' ' && bytes[i] <= '~') || strchr("\r\n\a\x1b", bytes[i]) != NULL);
    written += count;
}

static const char *choice(void *context, const char *before, size_t length, unsigned n)
{
    static const char *const words[] = {"continue", "cpus", "cp", "a-rather-long-word-that-fills-a-line", ""};

    (void)context;
    require(memchr(before, '\0', length) == NULL);
    return n < 5 ? words[n] : NULL;
}

static void check(const struct monitor_line *line)
{
    require(line->length <= MONITOR_LINE_MAX && line->cursor <= line->length);
    require(strlen(line->text) == line->length);
    require(line->back <= MONITOR_HISTORY_MAX && line->back <= line->history_count);
}

static void parse(struct option_span command)
{
    struct monitor_words words;
    struct monitor_format format;
    uint64_t address = 0, length = 1;
    unsigned rights;

    monitor_split(&words, command);
    require(words.count <= MONITOR_WORDS_MAX);
    for (unsigned i = 0; i < words.count; i++) {
        if (monitor_range(words.word[i], &address, &length))
            require(length != 0 && address + (length - 1) >= address);
        if (monitor_rights(words.word[i], &rights))
            require(rights <= 7);
        if (monitor_format(words.word[i], &format))
            require(format.unit <= 8 && format.unit != 0 && (format.unit & (format.unit - 1)) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct option_span script = {(const char *)data, size}, command;
    struct monitor_line line;
    char *unquoted = malloc(size / 2 + 1);

    monitor_line_init(&line);
    line.prompt = "adept> ";
    line.put = put;
    line.choice = choice;
    written = 0;
    for (size_t i = 0; i < size; i++) {
        if (monitor_line_key(&line, (char)data[i]) == MONITOR_KEY_ENTER) {
            check(&line);
            parse(option_span_of(line.text));
            monitor_line_clear(&line);
        }
        check(&line);
    }
    require(written <= size * 400); /* a key draws a line, or shows the few choices */
    while (monitor_next_command(&script, &command)) {
        require(command.length > 0);
        parse(command);
    }
    if (option_unquote((struct option_span){(const char *)data, size}, unquoted, size / 2 + 1))
        require(memchr(unquoted, '\0', size / 2 + 1) != NULL);
    free(unquoted);
    return 0;
}
