/* SPDX-License-Identifier: MIT */
/* Words, key=value, numbers, sizes and lists of the command line and the guests' strings. */
#include "vmm/host/option_text.h"

#include <stdarg.h>

#include "drivers/format.h"

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r' || character == '\n';
}

static char to_lower(char character)
{
    return character >= 'A' && character <= 'Z' ? (char)(character - 'A' + 'a') : character;
}

void option_problem(struct option_problems *problems, const char *format, ...)
{
    va_list arguments;

    if (problems->count >= OPTION_PROBLEMS_MAX) {
        problems->dropped++;
        return;
    }
    char *line = problems->line[problems->count++];

    va_start(arguments, format);
    format_v(line, OPTION_PROBLEM_LENGTH, format, arguments);
    va_end(arguments);
    for (; *line; line++) {
        if (*line < ' ' || *line > '~')
            *line = '?';
    }
}

struct option_span option_span_of(const char *text)
{
    struct option_span span = {text, 0};

    while (text[span.length])
        span.length++;
    return span;
}

static void advance(struct option_span *span, size_t count)
{
    span->text += count;
    span->length -= count;
}

/* The length of the word that begins here; *last_quote: where its last quote opened or closed, if `count` >
 * 0. */
static size_t word_length(struct option_span rest, size_t *last_quote, unsigned *count)
{
    size_t at = 0;

    for (*count = 0; at < rest.length && (*count % 2 == 1 || !is_blank(rest.text[at])); at++) {
        if (*count % 2 == 1 && rest.text[at] == '\\' && at + 1 < rest.length) {
            at++;
        } else if (rest.text[at] == '"') {
            *last_quote = at;
            ++*count;
        }
    }
    return at;
}

bool option_next_word(struct option_span *rest, struct option_span *word)
{
    size_t end, last_quote = 0;
    unsigned quotes;

    while (rest->length > 0 && is_blank(rest->text[0]))
        advance(rest, 1);
    end = word_length(*rest, &last_quote, &quotes);
    *word = (struct option_span){rest->text, end};
    if (quotes == 2 && rest->text[0] == '"' && last_quote == end - 1)
        *word = (struct option_span){rest->text + 1, end - 2};
    advance(rest, end);
    return end > 0;
}

bool option_unquote(struct option_span span, char *buffer, size_t size)
{
    size_t length = 0;

    for (size_t i = 0; i < span.length; i++) {
        char character = span.text[i];

        if (character == '"')
            continue;
        if (character == '\\' && i + 1 < span.length &&
            (span.text[i + 1] == '"' || span.text[i + 1] == '\'' || span.text[i + 1] == '\\'))
            character = span.text[++i];
        if (length + 1 >= size) {
            buffer[length] = '\0';
            return false;
        }
        buffer[length++] = character;
    }
    buffer[length] = '\0';
    return true;
}

bool option_next_item(struct option_span *rest, struct option_span *item)
{
    size_t end = 0;

    while (rest->length > 0 && rest->text[0] == ',')
        advance(rest, 1);
    while (end < rest->length && rest->text[end] != ',')
        end++;
    *item = (struct option_span){rest->text, end};
    advance(rest, end);
    return end > 0;
}

bool option_split(struct option_span all, char separator, struct option_span *left, struct option_span *right)
{
    size_t at = 0;

    while (at < all.length && all.text[at] != separator)
        at++;
    *left = (struct option_span){all.text, at};
    *right = (struct option_span){all.text + at, 0};
    if (at == all.length)
        return false;
    *right = (struct option_span){all.text + at + 1, all.length - at - 1};
    return true;
}

bool option_same(struct option_span left, struct option_span right)
{
    size_t at = 0;

    while (at < left.length && at < right.length && to_lower(left.text[at]) == to_lower(right.text[at]))
        at++;
    return at == left.length && at == right.length;
}

bool option_is(struct option_span span, const char *word)
{
    return option_same(span, option_span_of(word));
}

static bool has_0x(struct option_span span)
{
    return span.length >= 2 && span.text[0] == '0' && to_lower(span.text[1]) == 'x';
}

static int digit_of(char character)
{
    character = to_lower(character);
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    return 16;
}

static bool number_in_base(struct option_span span, unsigned base, uint64_t *value)
{
    uint64_t result = 0;

    if (span.length == 0)
        return false;
    for (size_t i = 0; i < span.length; i++) {
        unsigned digit = (unsigned)digit_of(span.text[i]);

        if (digit >= base || result > (UINT64_MAX - digit) / base)
            return false;
        result = result * base + digit;
    }
    *value = result;
    return true;
}

bool option_number(struct option_span span, uint64_t *value)
{
    return has_0x(span) ? option_hexadecimal(span, value) : number_in_base(span, 10, value);
}

bool option_hexadecimal(struct option_span span, uint64_t *value)
{
    if (has_0x(span))
        advance(&span, 2);
    return number_in_base(span, 16, value);
}

/* Takes the last character off if it is `letter` in either case. */
static bool take_letter(struct option_span *span, char letter)
{
    if (span->length == 0 || to_lower(span->text[span->length - 1]) != letter)
        return false;
    span->length--;
    return true;
}

/* Takes K, M or G off the end and returns the power of two it stands for, or 0. */
static unsigned take_power(struct option_span *span)
{
    return take_letter(span, 'k') ? 10 : take_letter(span, 'm') ? 20 : take_letter(span, 'g') ? 30 : 0;
}

bool option_size(struct option_span span, uint64_t *bytes)
{
    struct option_span number = span;
    unsigned shift = take_power(&number);

    /* A final B belongs to the unit only behind K, M or G: in a hexadecimal number it is a digit. */
    if (shift == 0 && take_letter(&span, 'b')) {
        take_letter(&span, 'i');
        shift = take_power(&span);
        if (shift != 0)
            number = span;
    }

    uint64_t value;

    if (!option_number(number, &value) || value > UINT64_MAX >> shift)
        return false;
    *bytes = value << shift;
    return true;
}

bool option_choose(struct option_span value, const char *option, const char *words, unsigned *index,
                   struct option_problems *problems)
{
    struct option_span rest = option_span_of(words), word;
    bool more = true;

    for (*index = 0; more; ++*index) {
        more = option_split(rest, '|', &word, &rest);
        if (option_same(word, value))
            return true;
    }
    *index = 0;
    option_problem(problems, "%s: '%.*s' is not %s", option, option_span_arguments(value), words);
    return false;
}

void option_dispatch(const struct option_handler *table, size_t count, struct option_span word, void *target,
                     const char *what, struct option_problems *problems)
{
    struct option_span name, value;

    if (!option_split(word, '=', &name, &value)) {
        option_problem(problems, "unknown %s '%.*s': not of the form name=value", what,
                       option_span_arguments(word));
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (option_is(name, table[i].name)) {
            table[i].handle(target, value, problems);
            return;
        }
    }
    option_problem(problems, "unknown %s '%.*s'", what, option_span_arguments(name));
}
