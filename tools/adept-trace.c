/* SPDX-License-Identifier: MIT */
/* Reads Adept's binary trace from a file, a pipe or a serial line, and writes text, CSV or JSON. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "tools/trace_write.h"

#define STATUS_DAMAGED 1
#define STATUS_FAILED  2

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

static int usage(FILE *file, int status)
{
    fputs("usage: adept-trace [-f text|csv|json] [-o FILE] [-b BAUD] [FILE]\n"
          "Reads the stream of Adept's trace_to=binary from FILE, a serial line like /dev/ttyUSB0, or "
          "standard input.\n"
          "  -f text   (default) the lines of trace_to=text; text in the stream goes through\n"
          "  -f csv    a row an exit\n"
          "  -f json   Trace Event Format: open it at https://ui.perfetto.dev or chrome://tracing\n"
          "  -o FILE   writes there, not to standard output\n"
          "  -b BAUD   of a serial line; default 115200\n"
          "A serial line is read until it ends or Control-C. Exit status: 0, 1 if a part of the stream was "
          "missing or damaged, 2 failed.\n",
          file);
    return status;
}

static int fail(const char *what, const char *name)
{
    fprintf(stderr, "adept-trace: %s %s: %s\n", what, name, strerror(errno));
    return STATUS_FAILED;
}

static bool speed_of(const char *baud, speed_t *speed)
{
    static const struct {
        const char *baud;
        speed_t speed;
    } speeds[] = {{"9600", B9600},     {"19200", B19200},   {"38400", B38400},   {"57600", B57600},
                  {"115200", B115200}, {"230400", B230400}, {"460800", B460800}, {"921600", B921600}};

    for (size_t i = 0; i < sizeof(speeds) / sizeof(*speeds); i++) {
        if (strcmp(baud, speeds[i].baud) == 0) {
            *speed = speeds[i].speed;
            return true;
        }
    }
    fprintf(stderr, "adept-trace: -b %s: no rate of a serial line\n", baud);
    return false;
}

/* Eight bits, nothing interpreted. */
static bool set_line(int input, speed_t speed)
{
    struct termios line;

    if (tcgetattr(input, &line) != 0)
        return false;
    line.c_iflag = IGNBRK;
    line.c_oflag = 0;
    line.c_lflag = 0;
    line.c_cflag = CS8 | CREAD | CLOCAL;
    line.c_cc[VMIN] = 1;
    line.c_cc[VTIME] = 0;
    return cfsetispeed(&line, speed) == 0 && cfsetospeed(&line, speed) == 0 &&
           tcsetattr(input, TCSANOW, &line) == 0;
}

/* Until the end of the input. false: it cannot be read. */
static bool copy(struct trace_decoder *decoder, int input, FILE *output)
{
    uint8_t bytes[4096];
    ssize_t count;

    while (!interrupted && (count = read(input, bytes, sizeof(bytes))) != 0) {
        if (count < 0) {
            /* A pseudo-terminal whose other side has gone. */
            if (errno == EIO || (errno == EINTR && interrupted))
                break;
            if (errno == EINTR)
                continue;
            return false;
        }
        for (ssize_t i = 0; i < count; i++)
            trace_decoder_byte(decoder, bytes[i]);
        fflush(output);
    }
    trace_decoder_end(decoder);
    return true;
}

static int run(int input, const char *name, FILE *output, enum trace_write_format format)
{
    static struct trace_decoder decoder;
    static struct trace_writer writer;
    bool whole, read;

    trace_writer_begin(&writer, output, format, &decoder);
    trace_decoder_init(&decoder, &trace_writer_events, &writer);
    read = copy(&decoder, input, output);
    trace_writer_end(&writer);
    if (!read)
        return fail("cannot read", name);
    if (ferror(output))
        return fail("cannot write", "the output");
    whole = decoder.damaged == 0 && decoder.missing == 0 && decoder.stray == 0;
    if (!whole)
        fprintf(stderr,
                "adept-trace: records=%" PRIu64 " frames=%" PRIu64 " missing=%" PRIu64 " damaged=%" PRIu64
                " stray_bytes=%" PRIu64 "\n",
                decoder.records, decoder.frames, decoder.missing, decoder.damaged, decoder.stray);
    trace_decoder_free(&decoder);
    return whole ? 0 : STATUS_DAMAGED;
}

static bool format_of(const char *word, enum trace_write_format *format)
{
    static const char *const words[] = {"text", "csv", "json"};

    for (unsigned i = 0; i < 3; i++) {
        if (strcmp(word, words[i]) == 0) {
            *format = (enum trace_write_format)i;
            return true;
        }
    }
    fprintf(stderr, "adept-trace: -f %s: text, csv or json expected\n", word);
    return false;
}

int main(int count, char **arguments)
{
    struct sigaction action = {.sa_handler = on_signal};
    enum trace_write_format format = TRACE_WRITE_TEXT;
    const char *name = "-", *output_name = NULL;
    speed_t speed = B115200;
    FILE *output = stdout;
    int option, input = STDIN_FILENO;

    while ((option = getopt(count, arguments, "f:o:b:h")) != -1) {
        if (option == 'h')
            return usage(stdout, 0);
        if (option == 'o')
            output_name = optarg;
        else if (option == '?' || (option == 'f' && !format_of(optarg, &format)) ||
                 (option == 'b' && !speed_of(optarg, &speed)))
            return usage(stderr, STATUS_FAILED);
    }
    if (optind + 1 < count)
        return usage(stderr, STATUS_FAILED);
    if (optind < count)
        name = arguments[optind];
    if (strcmp(name, "-") != 0 && (input = open(name, O_RDONLY | O_NOCTTY)) < 0)
        return fail("cannot open", name);
    if (isatty(input) && strcmp(name, "-") != 0 && !set_line(input, speed))
        return fail("cannot set up", name);
    if (output_name != NULL && (output = fopen(output_name, "w")) == NULL)
        return fail("cannot create", output_name);
    sigaction(SIGINT, &action, NULL); /* without SA_RESTART: a read in progress ends */
    return run(input, name, output, format);
}
