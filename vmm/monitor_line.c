/* SPDX-License-Identifier: MIT */
/* The line editor of the monitor. */
#include "vmm/monitor_line.h"

#include "drivers/format.h"
#include "vmm/monitor_complete.h"

#define CONTROL(letter) ((char)((letter)&0x1f))
#define ESCAPE          '\x1b'
#define BACKSPACE       '\x7f'
#define PARAMETER_MAX   1000

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

static void put(const struct monitor_line *line, const char *text)
{
    line->put(line->context, text, length_of(text));
}

static void bell(const struct monitor_line *line)
{
    put(line, "\a");
}

void monitor_line_init(struct monitor_line *line)
{
    *line = (struct monitor_line){.prompt = ""};
}

void monitor_line_draw(const struct monitor_line *line)
{
    char move[16];

    put(line, "\r\x1b[K");
    put(line, line->prompt);
    line->put(line->context, line->text, line->length);
    if (line->cursor < line->length) {
        (void)format(move, sizeof(move), "\x1b[%uD", line->length - line->cursor);
        put(line, move);
    }
}

static void remove_range(struct monitor_line *line, unsigned from, unsigned to)
{
    if (from == to) {
        bell(line);
        return;
    }
    for (unsigned i = to; i <= line->length; i++)
        line->text[from + i - to] = line->text[i];
    line->length -= to - from;
    line->cursor = from;
    monitor_line_draw(line);
}

static bool insert(struct monitor_line *line, char character)
{
    if (line->length == MONITOR_LINE_MAX)
        return false;
    for (unsigned i = line->length + 1; i > line->cursor; i--)
        line->text[i] = line->text[i - 1];
    line->text[line->cursor++] = character;
    line->length++;
    return true;
}

static void type(struct monitor_line *line, char character)
{
    if (!insert(line, character))
        bell(line);
    else if (line->cursor == line->length)
        line->put(line->context, &character, 1);
    else
        monitor_line_draw(line);
}

static void move_to(struct monitor_line *line, unsigned cursor)
{
    if (cursor > line->length || cursor == line->cursor) {
        bell(line);
        return;
    }
    line->cursor = cursor;
    monitor_line_draw(line);
}

static void set_text(struct monitor_line *line, const char *text)
{
    copy(line->text, text);
    line->length = line->cursor = (unsigned)length_of(text);
    monitor_line_draw(line);
}

/* One line further back in the history, or one line forward. */
static void browse(struct monitor_line *line, bool older)
{
    unsigned kept = line->history_count < MONITOR_HISTORY_MAX ? line->history_count : MONITOR_HISTORY_MAX;

    if (older ? line->back == kept : line->back == 0) {
        bell(line);
        return;
    }
    if (line->back == 0)
        copy(line->kept, line->text);
    line->back += older ? 1 : -1u;
    set_text(line, line->back == 0 ? line->kept
                                   : line->history[(line->history_count - line->back) % MONITOR_HISTORY_MAX]);
}

static unsigned word_start(const struct monitor_line *line, bool skip_blanks)
{
    unsigned at = line->cursor;

    while (skip_blanks && at > 0 && line->text[at - 1] == ' ')
        at--;
    while (at > 0 && line->text[at - 1] != ' ')
        at--;
    return at;
}

/* Shows every word that begins as the one at `start` does, under the line. */
static void show_choices(const struct monitor_line *line, unsigned start)
{
    const char *word;

    put(line, "\r\n");
    for (unsigned n = 0; (word = line->choice(line->context, line->text, start, n)) != NULL; n++) {
        if (!monitor_begins_with(word, line->text + start, line->cursor - start))
            continue;
        put(line, word);
        put(line, "  ");
    }
    put(line, "\r\n");
    monitor_line_draw(line);
}

/* Completes the word before the cursor as far as all that it may become agree. */
static void complete(struct monitor_line *line, bool again)
{
    unsigned start = word_start(line, false), typed = line->cursor - start;
    struct monitor_completion completion = monitor_complete(line, start);

    if (completion.found == 0 || (completion.common == typed && completion.found > 1)) {
        if (completion.found > 1 && again)
            show_choices(line, start);
        else
            bell(line);
        line->after_tab = true;
        return;
    }
    for (size_t i = typed; i < completion.common && insert(line, completion.first[i]); i++)
        ;
    if (completion.found == 1 && (line->cursor == line->length || line->text[line->cursor] != ' '))
        (void)insert(line, ' ');
    monitor_line_draw(line);
}

/* The last byte of ESC [ or ESC O. */
static void escaped(struct monitor_line *line, char key)
{
    switch (key) {
    case 'A':
    case 'B':
        browse(line, key == 'A');
        break;
    case 'C':
        move_to(line, line->cursor + 1);
        break;
    case 'D':
        move_to(line, line->cursor - 1);
        break;
    case 'H':
        move_to(line, 0);
        break;
    case 'F':
        move_to(line, line->length);
        break;
    case '~': /* 1, 7 Home; 3 Delete; 4, 8 End */
        if (line->parameter == 1 || line->parameter == 7)
            move_to(line, 0);
        else if (line->parameter == 4 || line->parameter == 8)
            move_to(line, line->length);
        else if (line->parameter == 3)
            remove_range(line, line->cursor, line->cursor < line->length ? line->cursor + 1 : line->cursor);
        break;
    default:
        break;
    }
}

/* A byte inside an escape sequence. What the editor does not know is taken and does nothing. */
static void escape_key(struct monitor_line *line, char key)
{
    if (key == ESCAPE) {
        line->escape = 1;
    } else if (line->escape == 1) {
        line->escape = key == '[' || key == 'O' ? 2 : 0;
        line->parameter = 0;
    } else if (key >= '0' && key <= '9') {
        if (line->parameter < PARAMETER_MAX)
            line->parameter = line->parameter * 10 + (unsigned)(key - '0');
    } else if (key < 0x20 || key >= '@') {
        line->escape = 0;
        escaped(line, key);
    }
}

static enum monitor_key control(struct monitor_line *line, char key, bool after_tab)
{
    switch (key) {
    case '\r':
    case '\n':
        return MONITOR_KEY_ENTER;
    case CONTROL('D'):
        if (line->length == 0)
            return MONITOR_KEY_CLOSES;
        remove_range(line, line->cursor, line->cursor < line->length ? line->cursor + 1 : line->cursor);
        break;
    case CONTROL('H'):
    case BACKSPACE:
        remove_range(line, line->cursor > 0 ? line->cursor - 1 : 0, line->cursor);
        break;
    case CONTROL('A'):
        move_to(line, 0);
        break;
    case CONTROL('B'):
        move_to(line, line->cursor - 1);
        break;
    case CONTROL('E'):
        move_to(line, line->length);
        break;
    case CONTROL('F'):
        move_to(line, line->cursor + 1);
        break;
    case CONTROL('P'):
    case CONTROL('N'):
        browse(line, key == CONTROL('P'));
        break;
    case CONTROL('U'):
        remove_range(line, 0, line->cursor);
        break;
    case CONTROL('K'):
        remove_range(line, line->cursor, line->length);
        break;
    case CONTROL('W'):
        remove_range(line, word_start(line, true), line->cursor);
        break;
    case CONTROL('C'): /* a new line, and the old one is not executed */
        put(line, "^C\r\n");
        line->back = 0;
        set_text(line, "");
        break;
    case CONTROL('L'):
        put(line, "\x1b[H\x1b[2J");
        monitor_line_draw(line);
        break;
    case '\t':
        complete(line, after_tab);
        break;
    default:
        break;
    }
    return MONITOR_KEY_TAKEN;
}

enum monitor_key monitor_line_key(struct monitor_line *line, char key)
{
    bool after_tab = line->after_tab, after_return = line->after_return;

    line->after_return = key == '\r';
    if (key == '\n' && after_return)
        return MONITOR_KEY_TAKEN;
    line->after_tab = false;
    if (line->escape != 0) {
        escape_key(line, key);
        return MONITOR_KEY_TAKEN;
    }
    if (key == ESCAPE) {
        line->escape = 1;
        return MONITOR_KEY_TAKEN;
    }
    if (key >= ' ' && key <= '~') {
        type(line, key);
        return MONITOR_KEY_TAKEN;
    }
    return control(line, key, after_tab);
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
