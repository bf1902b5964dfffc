/* SPDX-License-Identifier: MIT */
/* The line editor of the monitor: from keys to what they do (vmm/monitor/edit.h). */
#include "vmm/monitor/line.h"

#include "vmm/monitor/complete.h"
#include "vmm/monitor/edit.h"

#define CONTROL(letter) ((char)((letter)&0x1f))
#define ESCAPE          '\x1b'
#define BACKSPACE       '\x7f'
#define PARAMETER_MAX   1000

static void type(struct monitor_line *line, char character)
{
    if (!monitor_edit_insert(line, character))
        monitor_edit_bell(line);
    else if (line->cursor == line->length)
        line->put(line->context, &character, 1);
    else
        monitor_line_draw(line);
}

/* Shows every word that begins as the one at `start` does, under the line. */
static void show_choices(const struct monitor_line *line, unsigned start)
{
    const char *word;

    monitor_edit_put(line, "\r\n");
    for (unsigned n = 0; (word = line->choice(line->context, line->text, start, n)) != NULL; n++) {
        if (!monitor_begins_with(word, line->text + start, line->cursor - start))
            continue;
        monitor_edit_put(line, word);
        monitor_edit_put(line, "  ");
    }
    monitor_edit_put(line, "\r\n");
    monitor_line_draw(line);
}

/* Completes the word before the cursor as far as all that it may become agree. */
static void complete(struct monitor_line *line, bool again)
{
    unsigned start = monitor_edit_word_start(line, false), typed = line->cursor - start;
    struct monitor_completion completion = monitor_complete(line, start);

    if (completion.found == 0 || (completion.common == typed && completion.found > 1)) {
        if (completion.found > 1 && again)
            show_choices(line, start);
        else
            monitor_edit_bell(line);
        line->after_tab = true;
        return;
    }
    for (size_t i = typed; i < completion.common && monitor_edit_insert(line, completion.first[i]); i++)
        ;
    if (completion.found == 1 && (line->cursor == line->length || line->text[line->cursor] != ' '))
        (void)monitor_edit_insert(line, ' ');
    monitor_line_draw(line);
}

/* The last byte of ESC [ or ESC O. */
static void escaped(struct monitor_line *line, char key)
{
    switch (key) {
    case 'A':
    case 'B':
        monitor_edit_browse(line, key == 'A');
        break;
    case 'C':
        monitor_edit_move_to(line, line->cursor + 1);
        break;
    case 'D':
        monitor_edit_move_to(line, line->cursor - 1);
        break;
    case 'H':
        monitor_edit_move_to(line, 0);
        break;
    case 'F':
        monitor_edit_move_to(line, line->length);
        break;
    case '~': /* 1, 7 Home; 3 Delete; 4, 8 End */
        if (line->parameter == 1 || line->parameter == 7)
            monitor_edit_move_to(line, 0);
        else if (line->parameter == 4 || line->parameter == 8)
            monitor_edit_move_to(line, line->length);
        else if (line->parameter == 3)
            monitor_edit_remove_range(line, line->cursor,
                                      line->cursor < line->length ? line->cursor + 1 : line->cursor);
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
        monitor_edit_remove_range(line, line->cursor,
                                  line->cursor < line->length ? line->cursor + 1 : line->cursor);
        break;
    case CONTROL('H'):
    case BACKSPACE:
        monitor_edit_remove_range(line, line->cursor > 0 ? line->cursor - 1 : 0, line->cursor);
        break;
    case CONTROL('A'):
        monitor_edit_move_to(line, 0);
        break;
    case CONTROL('B'):
        monitor_edit_move_to(line, line->cursor - 1);
        break;
    case CONTROL('E'):
        monitor_edit_move_to(line, line->length);
        break;
    case CONTROL('F'):
        monitor_edit_move_to(line, line->cursor + 1);
        break;
    case CONTROL('P'):
    case CONTROL('N'):
        monitor_edit_browse(line, key == CONTROL('P'));
        break;
    case CONTROL('U'):
        monitor_edit_remove_range(line, 0, line->cursor);
        break;
    case CONTROL('K'):
        monitor_edit_remove_range(line, line->cursor, line->length);
        break;
    case CONTROL('W'):
        monitor_edit_remove_range(line, monitor_edit_word_start(line, true), line->cursor);
        break;
    case CONTROL('C'): /* a new line, and the old one is not executed */
        monitor_edit_put(line, "^C\r\n");
        line->back = 0;
        monitor_edit_set_text(line, "");
        break;
    case CONTROL('L'):
        monitor_edit_put(line, "\x1b[H\x1b[2J");
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
