/* SPDX-License-Identifier: MIT */
/* printf-style formatting into a buffer. */
#include "drivers/format.h"

#include <stdbool.h>
#include <stdint.h>

#define WIDTH_MAX 4096 /* an absurd width or precision must not keep the console busy */

/* The text so far: characters beyond `size` are counted, not stored. */
struct output {
    char *buffer;
    size_t size, length;
};

/* One conversion, between % and its letter. */
struct conversion {
    bool left, zero, plus, space, alternate;
    unsigned width, precision;
    bool has_precision;
    int length; /* in bytes of the integer argument */
};

static void put(struct output *out, char character)
{
    if (out->length + 1 < out->size)
        out->buffer[out->length] = character;
    out->length++;
}

static void put_repeated(struct output *out, char character, size_t count)
{
    while (count-- > 0)
        put(out, character);
}

static void put_padded(struct output *out, const struct conversion *conversion, const char *text,
                       size_t length)
{
    size_t padding = conversion->width > length ? conversion->width - length : 0;

    if (!conversion->left)
        put_repeated(out, ' ', padding);
    for (size_t i = 0; i < length; i++)
        put(out, text[i]);
    if (conversion->left)
        put_repeated(out, ' ', padding);
}

/* `prefix` is a sign or 0x, at most two characters; zeros go between it and the digits. */
static void put_integer(struct output *out, const struct conversion *conversion, uint64_t value,
                        unsigned base, bool upper, const char *prefix)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
    char text[20]; /* reversed; 2^64 has 20 decimal digits */
    size_t count = 0, prefix_length = 0, zeros = 0;

    while (prefix[prefix_length])
        prefix_length++;
    while (value != 0) {
        text[count++] = digits[value % base];
        value /= base;
    }
    if (count == 0 && !(conversion->has_precision && conversion->precision == 0))
        text[count++] = '0';
    if (conversion->has_precision)
        zeros = conversion->precision > count ? conversion->precision - count : 0;
    else if (conversion->zero && !conversion->left && conversion->width > count + prefix_length)
        zeros = conversion->width - count - prefix_length;

    size_t total = prefix_length + zeros + count;
    size_t padding = conversion->width > total ? conversion->width - total : 0;

    if (!conversion->left)
        put_repeated(out, ' ', padding);
    for (size_t i = 0; i < prefix_length; i++)
        put(out, prefix[i]);
    put_repeated(out, '0', zeros);
    while (count > 0)
        put(out, text[--count]);
    if (conversion->left)
        put_repeated(out, ' ', padding);
}

static const char *parse_flags(const char *format, struct conversion *conversion)
{
    for (;; format++) {
        if (*format == '-')
            conversion->left = true;
        else if (*format == '0')
            conversion->zero = true;
        else if (*format == '+')
            conversion->plus = true;
        else if (*format == ' ')
            conversion->space = true;
        else if (*format == '#')
            conversion->alternate = true;
        else
            return format;
    }
}

static const char *parse_count(const char *format, unsigned *count)
{
    *count = 0;
    for (; *format >= '0' && *format <= '9'; format++) {
        if (*count < WIDTH_MAX)
            *count = *count * 10 + (unsigned)(*format - '0');
    }
    if (*count > WIDTH_MAX)
        *count = WIDTH_MAX;
    return format;
}

static const char *parse_length(const char *format, struct conversion *conversion)
{
    conversion->length = (int)sizeof(int);
    switch (*format) {
    case 'h':
        conversion->length = format[1] == 'h' ? 1 : 2;
        return format[1] == 'h' ? format + 2 : format + 1;
    case 'l':
        conversion->length = 8;
        return format[1] == 'l' ? format + 2 : format + 1;
    case 'z':
    case 'j':
    case 't':
        conversion->length = 8;
        return format + 1;
    default:
        return format;
    }
}

static int64_t sign_extend(uint64_t value, int length)
{
    switch (length) {
    case 1:
        return (int8_t)value;
    case 2:
        return (int16_t)value;
    case 4:
        return (int32_t)value;
    default:
        return (int64_t)value;
    }
}

static uint64_t zero_extend(uint64_t value, int length)
{
    return length == 8 ? value : value & ((UINT64_C(1) << (8 * length)) - 1);
}

static void put_signed(struct output *out, const struct conversion *conversion, int64_t value)
{
    const char *prefix = value < 0 ? "-" : conversion->plus ? "+" : conversion->space ? " " : "";
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    put_integer(out, conversion, magnitude, 10, false, prefix);
}

static void put_string(struct output *out, const struct conversion *conversion, const char *text)
{
    size_t length = 0;

    if (!text)
        text = "(null)";
    while ((!conversion->has_precision || length < conversion->precision) && text[length])
        length++;
    put_padded(out, conversion, text, length);
}

/* va_list may be an array, which a function cannot be handed by address portably: so it travels in a
 * structure. */
struct arguments {
    va_list list;
};

/* Width or precision: digits, or '*'. A negative argument gives its magnitude and sets *negative. */
static const char *parse_width(const char *format, struct arguments *arguments, unsigned *count,
                               bool *negative)
{
    *negative = false;
    if (*format != '*')
        return parse_count(format, count);
    int64_t value = va_arg(arguments->list, int);

    *negative = value < 0;
    if (value < 0)
        value = -value;
    *count = value > WIDTH_MAX ? WIDTH_MAX : (unsigned)value;
    return format + 1;
}

static uint64_t next_integer(struct arguments *arguments, const struct conversion *conversion)
{
    return conversion->length == 8 ? va_arg(arguments->list, uint64_t) : va_arg(arguments->list, unsigned);
}

/* Formats what stands after a '%'. Returns where the format goes on, or NULL if that is no conversion known
 * here. */
static const char *convert(struct output *out, const char *format, struct arguments *arguments)
{
    struct conversion conversion = {0};
    bool negative;

    format = parse_flags(format, &conversion);
    format = parse_width(format, arguments, &conversion.width, &negative);
    conversion.left |= negative;
    if (*format == '.') {
        format = parse_width(format + 1, arguments, &conversion.precision, &negative);
        conversion.has_precision = !negative;
    }
    format = parse_length(format, &conversion);

    switch (*format) {
    case '%':
        put(out, '%');
        break;
    case 'c': {
        char character = (char)va_arg(arguments->list, int);

        put_padded(out, &conversion, &character, 1);
        break;
    }
    case 's':
        put_string(out, &conversion, va_arg(arguments->list, const char *));
        break;
    case 'd':
    case 'i':
        put_signed(out, &conversion, sign_extend(next_integer(arguments, &conversion), conversion.length));
        break;
    case 'u':
        put_integer(out, &conversion, zero_extend(next_integer(arguments, &conversion), conversion.length),
                    10, false, "");
        break;
    case 'x':
    case 'X':
        put_integer(out, &conversion, zero_extend(next_integer(arguments, &conversion), conversion.length),
                    16, *format == 'X', conversion.alternate ? "0x" : "");
        break;
    case 'p':
        put_integer(out, &conversion, (uintptr_t)va_arg(arguments->list, void *), 16, false, "0x");
        break;
    default:
        return NULL;
    }
    return format + 1;
}

size_t format_v(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct output out = {.buffer = buffer, .size = size};
    struct arguments copy;

    va_copy(copy.list, arguments);
    while (*format) {
        if (*format != '%') {
            put(&out, *format++);
            continue;
        }
        const char *next = convert(&out, format + 1, &copy);

        if (!next)
            put(&out, *format++);
        else
            format = next;
    }
    va_end(copy.list);
    if (size > 0)
        buffer[out.length < size ? out.length : size - 1] = '\0';
    return out.length;
}

size_t format(char *buffer, size_t size, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    size_t length = format_v(buffer, size, format, arguments);

    va_end(arguments);
    return length;
}
