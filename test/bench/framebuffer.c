/* SPDX-License-Identifier: MIT */
/*
 * What a line of ordinary text costs on a full framebuffer, in instructions: how many cells are compared and
 * drawn for it, on the average over as many lines as the screen has, times what one costs, and the same of
 * its characters. What one costs is counted instruction by instruction, with RFLAGS.TF set. Exit status 1:
 * more than MOST.
 */
#define _GNU_SOURCE
#include "drivers/framebuffer.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 100000u

static struct framebuffer screen;
static volatile uint64_t instructions;

static void stepped(int signal)
{
    (void)signal;
    instructions++;
}

static void count(bool on)
{
    if (on)
        __asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" : : : "memory", "cc");
    else
        __asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" : : : "memory", "cc");
}

/* As the trace and the reports write them: 60 to 110 characters, no two alike. */
static size_t make_line(unsigned n, char *line, size_t size)
{
    static const char *const rest[] = {
        "EPT_VIOLATION(48) cs:ip=0000:7c3e gpa=0x%x access=w page=--- -> map 4K WB (%u)",
        "CPUID(10) cs:ip=0000:%04x leaf=0x1 subleaf=0x0 -> emulated (%u)",
        "IO(30) cs:ip=0008:0000%04x port=0x3f8 out size=1 value=0x41 -> uart (%u) x1234",
    };
    char text[100];

    (void)snprintf(text, sizeof(text), rest[n % 3], n * 4099u % 0xffff, n * 7u);
    return (size_t)snprintf(line, size, "#%u cpu=0 vm=guest t=%u %s\n", n, n * 65537u, text);
}

static uint64_t count_put(const char *text, size_t length)
{
    instructions = 0;
    count(true);
    framebuffer_put(&screen, text, length);
    count(false);
    return instructions;
}

static uint64_t count_refresh(void)
{
    instructions = 0;
    count(true);
    framebuffer_refresh(&screen);
    count(false);
    return instructions;
}

struct costs {
    uint64_t put, compare, draw, refresh; /* a character, a cell, a cell, and what is left of a refresh */
};

/* On the first row of an empty screen. */
static struct costs measure_costs(void)
{
    struct costs costs;
    uint64_t nothing, same, one, two;

    framebuffer_refresh(&screen);
    nothing = count_refresh();
    costs.put = count_put("abcdefghijklmnop", 16) / 16 + 1;
    framebuffer_refresh(&screen);
    framebuffer_put(&screen, "\rabc", 4);
    same = count_refresh();
    framebuffer_put(&screen, "\rABc", 4);
    two = count_refresh();
    framebuffer_put(&screen, "\rab", 3);
    framebuffer_refresh(&screen);
    framebuffer_put(&screen, "\rA", 2);
    one = count_refresh();
    costs.refresh = nothing;
    costs.compare = (same - nothing) / screen.grid.columns + 1;
    costs.draw = two - one;
    return costs;
}

/* The cost of a line and its refresh. */
static uint64_t write_line(unsigned n, const struct costs *costs)
{
    static uint8_t before[sizeof(screen.drawn)];
    unsigned cells = screen.grid.columns * screen.grid.rows, compared = 0, drawn = 0;
    char line[200];
    size_t length = make_line(n, line, sizeof(line));

    memcpy(before, screen.drawn, cells);
    framebuffer_put(&screen, line, length);
    for (unsigned row = 0; row < screen.grid.rows; row++)
        compared += screen.grid.changed[row] ? screen.grid.columns : 0;
    framebuffer_refresh(&screen);
    for (unsigned cell = 0; cell < cells; cell++)
        drawn += before[cell] != screen.drawn[cell];
    return length * costs->put + compared * costs->compare + drawn * costs->draw + costs->refresh;
}

/* Instructions a line on a screen of this size. */
static uint64_t measure(uint32_t width, uint32_t height, uint8_t bits)
{
    uint32_t pitch = width * bits / 8;
    struct framebuffer_config config = {.present = true,
                                        .address = 0xc0000000,
                                        .pitch = pitch,
                                        .width = width,
                                        .height = height,
                                        .bits_per_pixel = bits,
                                        .red_position = 16,
                                        .red_size = 8,
                                        .green_position = 8,
                                        .green_size = 8,
                                        .blue_size = 8};
    void *pixels = malloc((size_t)pitch * height);
    unsigned rows = height / 16;
    struct costs costs;
    uint64_t sum = 0;

    if (pixels == NULL || framebuffer_init(&screen, &config, pixels) != FRAMEBUFFER_OK) {
        printf("no framebuffer\n");
        exit(2);
    }
    costs = measure_costs();
    for (unsigned n = 0; n < rows; n++)
        (void)write_line(n, &costs);
    for (unsigned n = rows; n < 2 * rows; n++)
        sum += write_line(n, &costs);
    printf("%ux%u of %u bits: %llu instructions a line, at most %u (a character %llu, a cell compared %llu, "
           "drawn %llu)\n",
           width, height, bits, (unsigned long long)(sum / rows), MOST, (unsigned long long)costs.put,
           (unsigned long long)costs.compare, (unsigned long long)costs.draw);
    free(pixels);
    return sum / rows;
}

int main(void)
{
    bool good;

    (void)signal(SIGTRAP, stepped);
    good = measure(1024, 768, 32) <= MOST;
    good = measure(1920, 1080, 32) <= MOST && good;
    good = measure(1024, 768, 24) <= MOST && good;
    return good ? 0 : 1;
}
