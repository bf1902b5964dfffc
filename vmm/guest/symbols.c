/* SPDX-License-Identifier: MIT */
/* Reading symbol maps. Nothing is sorted or kept: a report asks a few dozen times. */
#include "vmm/guest/symbols.h"

#include "drivers/format.h"

#define LINE_WORDS 4 /* no line of interest has more than 3 */
/* nm pads its addresses with zeros, nasm does not: what follows such a one may be a type. */
#define PADDED_DIGITS 8

struct word {
    const char *text;
    size_t length;
};

static bool is_blank(char character)
{
    return character == ' ' || character == '\t' || character == '\r';
}

static bool is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

static int digit_of(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return -1;
}

/* Hexadecimal, with or without 0x, at most 64 bits. */
static bool read_address(struct word word, uint64_t *address)
{
    size_t start = word.length > 2 && word.text[0] == '0' && word.text[1] == 'x' ? 2 : 0;

    *address = 0;
    if (word.length == 0 || word.length - start > 16)
        return false;
    for (size_t i = start; i < word.length; i++) {
        int digit = digit_of(word.text[i]);

        if (digit < 0)
            return false;
        *address = *address << 4 | (unsigned)digit;
    }
    return true;
}

/* A name goes to the console as it is: nothing but printable characters. */
static bool is_name(struct word word)
{
    if (word.length == 0 || digit_of(word.text[0]) == 0 || (word.length == 1 && word.text[0] == '.'))
        return false;
    if (!is_letter(word.text[0]) && word.text[0] != '_' && word.text[0] != '.' && word.text[0] != '$' &&
        word.text[0] != '?' && word.text[0] != '@')
        return false;
    for (size_t i = 0; i < word.length; i++)
        if (word.text[i] < '!' || word.text[i] > '~')
            return false;
    return true;
}

static unsigned split(struct word line, struct word words[LINE_WORDS])
{
    unsigned count = 0;
    size_t at = 0;

    while (count < LINE_WORDS) {
        while (at < line.length && is_blank(line.text[at]))
            at++;
        if (at == line.length)
            break;
        words[count].text = line.text + at;
        words[count].length = at;
        while (at < line.length && !is_blank(line.text[at]))
            at++;
        words[count].length = at - words[count].length;
        count++;
    }
    return count;
}

static bool read_line(struct word line, struct guest_symbol *symbol)
{
    struct word words[LINE_WORDS];
    unsigned count = split(line, words);
    uint64_t second;

    if (count < 2 || count > 3 || !read_address(words[0], &symbol->address) || !is_name(words[count - 1]))
        return false;
    if (count == 3) {
        bool type = words[1].length == 1 && is_letter(words[1].text[0]) &&
                    (words[0].length >= PADDED_DIGITS || digit_of(words[1].text[0]) < 0);

        if (!type && !read_address(words[1], &second))
            return false;
        if (!type)
            symbol->address = second;
    }
    symbol->name = words[count - 1].text;
    symbol->length = words[count - 1].length;
    return true;
}

/* Takes the next line off. false: there is none. */
static bool next_line(struct word *rest, struct word *line)
{
    if (rest->length == 0)
        return false;
    *line = (struct word){rest->text, 0};
    while (line->length < rest->length && line->text[line->length] != '\n')
        line->length++;
    rest->text += line->length;
    rest->length -= line->length;
    if (rest->length > 0) { /* the line's end */
        rest->text++;
        rest->length--;
    }
    return true;
}

bool guest_symbols_find(const struct guest_symbols *symbols, uint64_t address, struct guest_symbol *symbol)
{
    struct word rest = {symbols->text, symbols->text != NULL ? (size_t)symbols->length : 0}, line;
    struct guest_symbol candidate;
    bool found = false;

    while (next_line(&rest, &line)) {
        if (!read_line(line, &candidate) || candidate.address > address ||
            address - candidate.address >= GUEST_SYMBOL_REACH)
            continue;
        if (found && candidate.address <= symbol->address)
            continue;
        *symbol = candidate;
        found = true;
    }
    return found;
}

uint64_t guest_symbols_count(const struct guest_symbols *symbols)
{
    struct word rest = {symbols->text, symbols->text != NULL ? (size_t)symbols->length : 0}, line;
    struct guest_symbol symbol;
    uint64_t count = 0;

    while (next_line(&rest, &line))
        count += read_line(line, &symbol);
    return count;
}

void guest_symbols_text(const struct guest_symbols *symbols, char *text, size_t size, uint64_t address)
{
    struct guest_symbol symbol;
    size_t length;

    if (size != 0)
        text[0] = '\0';
    if (!guest_symbols_find(symbols, address, &symbol))
        return;
    length = symbol.length < GUEST_SYMBOL_NAME_MAX ? symbol.length : GUEST_SYMBOL_NAME_MAX;
    (void)format(text, size, " symbol=%.*s+%#llx", (int)length, symbol.name,
                 (unsigned long long)(address - symbol.address));
}
