/* SPDX-License-Identifier: MIT */
/* The monitor's line being changed and drawn. */
#include "vmm/monitor/edit.h"

#include "drivers/format.h"

static size_t length_of(const char *text)
{
    size_t length = 0;

    while (text[length] != '\0')
        length++;
    return length;
}

static void copy(char *to, const char *from)
{
    while ((*to++ = *from++) != '\0')
        ;
}

static bool same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

void monitor_edit_put(const struct monitor_line *line, const char *text)
{
    line->put(line->context, text, length_of(text));
}

void monitor_edit_bell(const struct monitor_line *line)
{
    monitor_edit_put(line, "\a");
}

void monitor_line_init(struct monitor_line *line)
{
    *line = (struct monitor_line){.prompt = ""};
}

void monitor_line_draw(const struct monitor_line *line)
{
    char move[16];

    monitor_edit_put(line, "\r\x1b[K");
    monitor_edit_put(line, line->prompt);
    line->put(line->context, line->text, line->length);
    if (line->cursor < line->length) {
        (void)format(move, sizeof(move), "\x1b[%uD", line->length - line->cursor);
        monitor_edit_put(line, move);
    }
}

void monitor_edit_remove_range(struct monitor_line *line, unsigned from, unsigned to)
{
    if (from == to) {
        monitor_edit_bell(line);
        return;
    }
    for (unsigned i = to; i <= line->length; i++)
        line->text[from + i - to] = line->text[i];
    line->length -= to - from;
    line->cursor = from;
    monitor_line_draw(line);
}

bool monitor_edit_insert(struct monitor_line *line, char character)
{
    if (line->length == MONITOR_LINE_MAX)
        return false;
    for (unsigned i = line->length + 1; i > line->cursor; i--)
        line->text[i] = line->text[i - 1];
    line->text[line->cursor++] = character;
    line->length++;
    return true;
}

void monitor_edit_move_to(struct monitor_line *line, unsigned cursor)
{
    if (cursor > line->length || cursor == line->cursor) {
        monitor_edit_bell(line);
        return;
    }
    line->cursor = cursor;
    monitor_line_draw(line);
}

void monitor_edit_set_text(struct monitor_line *line, const char *text)
{
    copy(line->text, text);
    line->length = line->cursor = (unsigned)length_of(text);
    monitor_line_draw(line);
}

/* One line further back in the history, or one line forward. */
void monitor_edit_browse(struct monitor_line *line, bool older)
{
    unsigned kept = line->history_count < MONITOR_HISTORY_MAX ? line->history_count : MONITOR_HISTORY_MAX;

    if (older ? line->back == kept : line->back == 0) {
        monitor_edit_bell(line);
        return;
    }
    if (line->back == 0)
        copy(line->kept, line->text);
    line->back += older ? 1 : -1u;
    monitor_edit_set_text(
        line, line->back == 0 ? line->kept
                              : line->history[(line->history_count - line->back) % MONITOR_HISTORY_MAX]);
}

unsigned monitor_edit_word_start(const struct monitor_line *line, bool skip_blanks)
{
    unsigned at = line->cursor;

    while (skip_blanks && at > 0 && line->text[at - 1] == ' ')
        at--;
    while (at > 0 && line->text[at - 1] != ' ')
        at--;
    return at;
}

void monitor_line_clear(struct monitor_line *line)
{
    const char *newest = line->history[(line->history_count - 1) % MONITOR_HISTORY_MAX];

    if (line->length > 0 && (line->history_count == 0 || !same(newest, line->text)))
        copy(line->history[line->history_count++ % MONITOR_HISTORY_MAX], line->text);
    line->back = 0;
    line->length = line->cursor = 0;
    line->text[0] = '\0';
}
