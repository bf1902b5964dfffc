/* SPDX-License-Identifier: MIT */
/* drivers/console.c and console_devices.c on a simulated machine: whole lines, no wait without a bound. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/console.h"
#include "drivers/font.h"
#include "drivers/vga_text.h"
#include "test/host/simulated_uart.h"

#define COM1            0x3f8u
#define COM2            0x2f8u
#define PIXELS_PHYSICAL UINT64_C(0xe0000000)
#define MMIO_PHYSICAL   UINT64_C(0xfe032000)

static struct simulated_uart com1, com2;
static uint16_t vga_cells[VGA_TEXT_COLUMNS * VGA_TEXT_ROWS];
static uint32_t pixels[640 * 64];
static volatile uint32_t mmio_registers[8];
static __thread uint32_t current_cpu;

static uint8_t port_in(uint16_t port)
{
    if (port >= COM1 && port < COM1 + 8) {
        return simulated_uart_in(&com1, port - COM1);
    }
    return port >= COM2 && port < COM2 + 8 ? simulated_uart_in(&com2, port - COM2) : 0xff;
}

static void port_out(uint16_t port, uint8_t value)
{
    if (port >= COM1 && port < COM1 + 8) {
        simulated_uart_out(&com1, port - COM1, value);
    } else if (port >= COM2 && port < COM2 + 8) {
        simulated_uart_out(&com2, port - COM2, value);
    }
}

static volatile void *map(uint64_t physical, uint64_t length, enum console_memory memory)
{
    if (physical == VGA_TEXT_PHYSICAL && length <= sizeof(vga_cells) && memory == CONSOLE_MEMORY_DEVICE) {
        return vga_cells;
    }
    if (physical == PIXELS_PHYSICAL && length <= sizeof(pixels) && memory == CONSOLE_MEMORY_PIXELS) {
        return pixels;
    }
    return physical == MMIO_PHYSICAL && length == sizeof(mmio_registers) ? mmio_registers : NULL;
}

static const struct console_hardware hardware = {.ports = {.in = port_in, .out = port_out}, .map = map};

static uint32_t cpu_index(void)
{
    return current_cpu;
}

static const struct console_config serial_only = {.serial = true, .uart_port = COM1, .baud = 115200};

static int fresh_console(void **state)
{
    (void)state;
    simulated_uart_reset(&com1);
    simulated_uart_reset(&com2);
    memset(vga_cells, 0, sizeof(vga_cells));
    memset(pixels, 0, sizeof(pixels));
    console_init_hardware(&hardware);
    console_set_cpu_index(cpu_index);
    current_cpu = 0;
    assert_int_equal(console_init(&serial_only).uart, UART_OK);
    return 0;
}

static const char *sent(struct simulated_uart *uart)
{
    console_flush();
    uart->sent[uart->sent_length] = '\0';
    assert_int_equal(uart->overruns, 0);
    return uart->sent;
}

static void write_text(const char *text)
{
    console_write(text, strlen(text));
}

static size_t try_text(const char *text)
{
    return console_try_write(text, strlen(text));
}

/* A CPU with a line to print, coming back as often as it must. */
static void try_until_taken(const char *text, size_t taken)
{
    while (taken < strlen(text)) {
        taken += try_text(text + taken);
    }
}

static void prints_with_carriage_returns(void **state)
{
    (void)state;
    console_printf("cpu=%u apic=%#x\n%s\n", 3u, 3u, "vmx=on");
    write_text("\n\nend");
    assert_string_equal(sent(&com1), "cpu=3 apic=0x3\r\nvmx=on\r\n\r\n\r\nend");
}

static uint64_t accesses(void)
{
    return com1.accesses;
}

/* The clock counts accesses to the UART. */
static void time_of_the_devices_is_counted(void **state)
{
    (void)state;
    write_text("no clock yet\n");
    assert_int_equal(console_ticks(), 0);
    com1.accesses = 0;
    console_set_clock(accesses);
    write_text("a line\n");
    console_printf("%s\n", "another one");
    assert_true(com1.accesses > 20);
    assert_int_equal(console_ticks(), com1.accesses);
    console_set_clock(NULL);
}

static void long_text_is_cut_visibly(void **state)
{
    static char text[3001];

    (void)state;
    memset(text, 'x', 3000);
    console_printf("%s", text);
    assert_int_equal(strlen(sent(&com1)), 2047 + strlen("[text cut]\r\n"));
    assert_string_equal(com1.sent + 2047, "[text cut]\r\n");
}

static void try_write_never_waits(void **state)
{
    static const char line[] = "#1 cpu=0 vm=tour CPUID(10)\n";
    size_t first;

    (void)state;
    com1.accesses_per_byte = 1000000; /* nothing moves */
    com1.accesses = 0;
    first = try_text(line);
    assert_int_equal(first, 16);
    assert_int_equal(try_text(line + first), 0);
    assert_true(com1.accesses < 30);
    com1.accesses_per_byte = com1.shift_left = 3;
    try_until_taken(line, first);
    assert_string_equal(sent(&com1), "#1 cpu=0 vm=tour CPUID(10)\r\n");
}

/* A room of one byte between '\r' and '\n' must neither lose nor double one of them. */
static void try_read_never_waits(void **state)
{
    (void)state;
    assert_int_equal(console_try_read(), -1);
    simulated_uart_arrives(&com1, 'k');
    assert_int_equal(console_try_read(), 'k');
    assert_int_equal(console_try_read(), -1);
    simulated_uart_arrives(&com1, 'l');
    console_panic_mode();
    assert_int_equal(console_try_read(), -1);
}

static int read_meanwhile;

/* Called within a write, with the console's lock held. */
static uint64_t read_in_a_write(void)
{
    int key = console_try_read();

    if (key >= 0)
        read_meanwhile = key;
    return 0;
}

/* Who writes without end keeps no reader away. */
static void a_writer_keeps_no_reader_away(void **state)
{
    (void)state;
    read_meanwhile = -1;
    console_set_clock(read_in_a_write);
    simulated_uart_arrives(&com1, 'm');
    write_text("a line\n");
    assert_int_equal(read_meanwhile, 'm');
    console_set_clock(NULL);
}

static void write_prompt(const char *text, bool taken)
{
    assert_int_equal(console_prompt_write(text, strlen(text)), taken);
}

/* The line in which somebody types is no line of the console: what is written takes it away and stays whole.
 */
static void a_prompt_goes_and_comes_back(void **state)
{
    (void)state;
    assert_false(console_prompt_shown());
    write_prompt("> ab", true);
    assert_true(console_prompt_shown());
    current_cpu = 1;
    write_text("from another\n");
    assert_false(console_prompt_shown());
    write_prompt("> ab", true);
    try_until_taken("tried\n", 0);
    write_prompt("> ab", true);
    console_prompt_end();
    assert_false(console_prompt_shown());
    write_text("done\n");
    console_prompt_end();
    write_prompt("> c", true);
    console_prompt_erase();
    assert_false(console_prompt_shown());
    assert_string_equal(sent(&com1),
                        "> ab\r\x1b[Kfrom another\r\n> ab\r\x1b[Ktried\r\n> ab\r\ndone\r\n> c\r\x1b[K");
}

static void no_prompt_in_an_open_line(void **state)
{
    (void)state;
    write_text("half ");
    write_prompt("> ", false);
    assert_false(console_prompt_shown());
    write_text("line\n");
    write_prompt("> ", true);
    assert_string_equal(sent(&com1), "half line\r\n> ");
}

static unsigned asked;

static bool refuse_the_second(const char *format)
{
    assert_string_equal(format, "%u\n");
    return ++asked != 2;
}

static void a_pager_decides(void **state)
{
    (void)state;
    asked = 0;
    console_set_pager(refuse_the_second);
    for (unsigned i = 1; i <= 3; i++)
        console_printf("%u\n", i);
    console_set_pager(NULL);
    console_printf("%u\n", 4u);
    assert_int_equal(asked, 3);
    assert_string_equal(sent(&com1), "1\r\n3\r\n4\r\n");
}

static void newline_split_at_any_place(void **state)
{
    (void)state;
    com1.no_fifo = true;
    com1.accesses_per_byte = 7;
    console_init_hardware(&hardware);
    assert_int_equal(console_init(&serial_only).uart, UART_OK);
    for (int i = 0; i < 10; i++) {
        try_until_taken("ab\n\nc\n", 0);
    }
    assert_int_equal(strlen(sent(&com1)), 10 * strlen("ab\r\n\r\nc\r\n"));
    for (int i = 0; i < 10; i++) {
        assert_memory_equal(com1.sent + i * 9, "ab\r\n\r\nc\r\n", 9);
    }
}

static void an_open_line_keeps_others_out(void **state)
{
    (void)state;
    com1.accesses_per_byte = 1;
    assert_int_equal(try_text("first half, "), 12);
    current_cpu = 1;
    assert_int_equal(try_text("intruder\n"), 0);
    current_cpu = 0;
    try_until_taken("second half\n", 0);
    current_cpu = 1;
    try_until_taken("my turn\n", 0);
    assert_string_equal(sent(&com1), "first half, second half\r\nmy turn\r\n");
}

static void a_blocking_write_ends_anothers_line(void **state)
{
    (void)state;
    try_until_taken("of cpu 0, cut", 0);
    current_cpu = 1;
    write_text("adept: urgent\n");
    current_cpu = 0;
    try_until_taken("the rest\n", 0);
    assert_string_equal(sent(&com1), "of cpu 0, cut\r\nadept: urgent\r\nthe rest\r\n");
}

static void a_blocking_write_continues_its_own_line(void **state)
{
    (void)state;
    try_until_taken("one ", 0);
    write_text("line ");
    console_printf("%s\n", "only");
    assert_string_equal(sent(&com1), "one line only\r\n");
}

/* The UART has the '\r' of a newline whose '\n' did not fit. */
static void a_blocking_write_after_half_a_newline(void **state)
{
    (void)state;
    com1.accesses_per_byte = 1000000;
    assert_int_equal(try_text("fifteen letters\n"), 15);
    com1.accesses_per_byte = com1.shift_left = 3;
    current_cpu = 1;
    write_text("next\n");
    assert_string_equal(sent(&com1), "fifteen letters\r\nnext\r\n");
}

static void without_an_uart_all_is_taken(void **state)
{
    const struct console_config none = {.serial = false};
    struct console_state what;

    (void)state;
    what = console_init(&none);
    assert_int_equal(what.uart, UART_ABSENT);
    assert_int_equal(what.framebuffer, FRAMEBUFFER_NOT_PRESENT);
    assert_int_equal(try_text("nobody hears\n"), 13);
    console_printf("%d\n", 1);
    console_flush();
    assert_int_equal(com1.sent_length, 0);
}

static void before_any_initialisation_it_is_harmless(void **state)
{
    (void)state;
    console_init_hardware(NULL);
    console_printf("%d\n", 1);
    assert_int_equal(try_text("x\n"), 2);
    console_flush();
    assert_int_equal(console_init(&serial_only).uart, UART_ABSENT);
}

static void a_stuck_uart_costs_text_not_the_machine(void **state)
{
    (void)state;
    com1.dead = true;
    for (int i = 0; i < 1000; i++) {
        console_printf("line %d\n", i);
        try_until_taken("trace\n", 0);
    }
    assert_true(console_lost() > 10000);
    assert_true(com1.accesses < 10 * 1000 * 1000);
}

static void another_uart(void **state)
{
    struct console_config config = {.serial = true, .uart_port = COM2, .baud = 9600};

    (void)state;
    write_text("early\n");
    assert_int_equal(console_init(&config).uart, UART_OK);
    write_text("later\n");
    assert_string_equal(sent(&com2), "later\r\n");
    assert_int_equal(com2.divisor[0], 12);
    config.uart_port = 0x3e8;
    assert_int_equal(console_init(&config).uart, UART_ABSENT); /* the one before stays */
    write_text("still\n");
    assert_string_equal(sent(&com2), "later\r\nstill\r\n");
}

static void the_same_uart_is_left_as_it_is(void **state)
{
    (void)state;
    com1.accesses_per_byte = 100;
    write_text("in flight\n");
    com1.accesses = 0;
    assert_int_equal(console_init(&serial_only).uart, UART_OK);
    assert_int_equal(com1.accesses, 0);
    assert_string_equal(sent(&com1), "in flight\r\n");
}

static void memory_mapped_uart(void **state)
{
    struct console_config config = {
        .serial = true, .uart_mmio = MMIO_PHYSICAL, .uart_layout = UART_LAYOUT_WORDS};

    (void)state;
    mmio_registers[5] = 0x61; /* ready, empty, and data is there */
    mmio_registers[6] = 0;
    assert_int_equal(console_init(&config).uart, UART_OK);
    write_text("Z");
    assert_int_equal(mmio_registers[0], 'Z');
    config.uart_mmio = MMIO_PHYSICAL + 2;
    assert_int_equal(console_init(&config).uart, UART_ABSENT);
    config.uart_mmio = 0x1000; /* cannot be mapped */
    assert_int_equal(console_init(&config).uart, UART_ABSENT);
}

static struct console_config all_devices(void)
{
    struct console_config config = serial_only;

    config.vga_text = true;
    config.fb = (struct framebuffer_config){.present = true,
                                            .address = PIXELS_PHYSICAL,
                                            .pitch = 2560,
                                            .width = 640,
                                            .height = 64,
                                            .bits_per_pixel = 32,
                                            .red_position = 16,
                                            .red_size = 8,
                                            .green_position = 8,
                                            .green_size = 8,
                                            .blue_size = 8};
    return config;
}

static void assert_pixels(unsigned row, unsigned column, char character)
{
    const uint8_t *glyph = font_glyph((uint8_t)character);

    for (unsigned y = 0; y < 16; y++) {
        for (unsigned x = 0; x < 8; x++) {
            assert_int_equal(pixels[(row * 16 + y) * 640 + column * 8 + x] != 0, (glyph[y] >> (7 - x)) & 1);
        }
    }
}

static void every_device_gets_the_same(void **state)
{
    struct console_config config = all_devices();
    struct console_state what = console_init(&config);

    (void)state;
    assert_int_equal(what.uart, UART_OK);
    assert_int_equal(what.framebuffer, FRAMEBUFFER_OK);
    assert_true(what.vga_text);
    console_printf("A%c\n", 'b');
    try_until_taken("cD\n", 0);
    assert_string_equal(sent(&com1), "Ab\r\ncD\r\n");
    assert_int_equal(vga_cells[1], 0x0700 | 'b');
    assert_int_equal(vga_cells[80], 0x0700 | 'c');
    assert_pixels(0, 1, 'b');
    assert_pixels(1, 1, 'D');

    config.baud = 9600; /* what is on the screens stays when they are asked for again */
    (void)console_init(&config);
    write_text("e");
    assert_int_equal(vga_cells[1], 0x0700 | 'b');
    assert_int_equal(vga_cells[160], 0x0700 | 'e');
    assert_pixels(2, 0, 'e');

    config.vga_text = config.fb.present = false;
    (void)console_init(&config);
    write_text("f");
    assert_int_equal(vga_cells[161], 0x0700 | ' ');
}

static void bad_framebuffers_are_refused(void **state)
{
    struct console_config config = all_devices();

    (void)state;
    config.fb.pitch = 4;
    assert_int_equal(console_init(&config).framebuffer, FRAMEBUFFER_BAD_PITCH);
    config = all_devices();
    config.fb.address = 0x1000; /* cannot be mapped */
    assert_int_equal(console_init(&config).framebuffer, FRAMEBUFFER_BAD_ADDRESS);
    write_text("serial goes on\n");
    assert_string_equal(sent(&com1), "serial goes on\r\n");
}

static void frames_never_cut_a_line(void **state)
{
    static const uint8_t frame[] = {0xff, 0x83, 0x8a, 0x90, 0x91};

    (void)state;
    try_until_taken("half a line", 0);
    assert_int_equal(console_try_write_frames(frame, sizeof(frame)), 0);
    try_until_taken(", the rest\n", 0);
    assert_int_equal(console_try_write_frames(frame, sizeof(frame)), sizeof(frame));
    console_write_frames(frame, 1);
    current_cpu = 1; /* in the middle of a frame anybody may write */
    console_write("open", 4);
    console_write_frames(frame + 1, sizeof(frame) - 1);
    assert_string_equal(sent(&com1), "half a line, the rest\r\n\xff\x83\x8a\x90\x91\xff"
                                     "open\r\n\x83\x8a\x90\x91");
    console_panic_mode();
    assert_int_equal(console_try_write_frames(frame, sizeof(frame)), 0);
}

static void a_second_uart_for_frames(void **state)
{
    struct uart16550 uart;

    (void)state;
    assert_true(console_uses_uart(COM1, 0));
    assert_false(console_uses_uart(COM2, 0));
    assert_false(console_uses_uart(0, MMIO_PHYSICAL));
    assert_int_equal(console_open_uart(&uart, COM2, 0, 9600), UART_OK);
    uart_write(&uart, "\xff\x83", 2);
    assert_true(uart_flush(&uart));
    console_write("text\n", 5);
    assert_string_equal(sent(&com2), "\xff\x83");
    assert_string_equal(sent(&com1), "text\r\n");
    assert_int_equal(console_open_uart(&uart, 0x5000, 0, 115200), UART_ABSENT);
    assert_int_equal(console_open_uart(&uart, COM2, 0, 230400), UART_BAD_BAUD);
    assert_int_equal(console_open_uart(&uart, 0, MMIO_PHYSICAL + 2, 115200), UART_ABSENT);
}

/* A screen follows console_try_write in small steps. */
static void try_write_draws_a_little(void **state)
{
    struct console_config config = all_devices();
    unsigned drawn = 0;

    (void)state;
    config.serial = false;
    (void)console_init(&config);
    assert_int_equal(try_text("x\n"), 2);
    for (unsigned i = 0; i < VGA_TEXT_COLUMNS * VGA_TEXT_ROWS; i++) {
        drawn += vga_cells[i] != 0;
    }
    assert_in_range(drawn, 1, 16);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(console_try_write(NULL, 0), 0);
    }
    for (unsigned i = 0; i < VGA_TEXT_COLUMNS * VGA_TEXT_ROWS; i++) {
        assert_int_equal(vga_cells[i], i == 0 ? 0x0778 : 0x0720);
    }
}

static void panic_ends_an_open_line_and_keeps_trace_out(void **state)
{
    (void)state;
    current_cpu = 5;
    try_until_taken("#9 cpu=5", 0);
    console_panic_mode();
    console_panic_mode();
    console_printf("adept: panic: %s", "why");
    console_printf(" (%s)\n", "where");
    assert_int_equal(try_text("trace\n"), 0);
    assert_string_equal(sent(&com1), "#9 cpu=5\r\nadept: panic: why (where)\r\n");
}

/* The "CPU" that holds the lock is interrupted within a port access and writes itself: as in a host
 * exception. */
static unsigned interrupted;

static void port_out_that_faults(uint16_t port, uint8_t value)
{
    port_out(port, value);
    if (port == COM1 && value == 'Q' && interrupted++ == 0) {
        console_panic_mode();
        console_printf("adept: panic\n");
        console_printf("adept: more\n");
    }
}

static void panic_breaks_the_lock(void **state)
{
    static const struct console_hardware faulting = {.ports = {.in = port_in, .out = port_out_that_faults},
                                                     .map = map};

    (void)state;
    console_init_hardware(&faulting);
    assert_int_equal(console_init(&serial_only).uart, UART_OK);
    interrupted = 0;
    write_text("before Q after\n");
    assert_int_equal(interrupted, 1);
    assert_non_null(strstr(sent(&com1), "adept: panic\r\nadept: more\r\n"));
    console_printf("and on\n"); /* the lock was given back and works again */
    assert_non_null(strstr(sent(&com1), "and on\r\n"));
}

/* Two writers, one tracing, one printing: every line arrives whole and nothing is lost. */
#define LINES_EACH 60

static void *tracing_cpu(void *unused)
{
    (void)unused;
    current_cpu = 1;
    for (int i = 0; i < LINES_EACH; i++) {
        try_until_taken("[trace-line-that-is-longer-than-a-fifo]\n", 0);
    }
    return NULL;
}

static void *other_tracing_cpu(void *unused)
{
    (void)unused;
    current_cpu = 2;
    for (int i = 0; i < LINES_EACH; i++) {
        try_until_taken("{another-line-of-another-processor}\n", 0);
    }
    return NULL;
}

static void two_writers_keep_lines_whole(void **state)
{
    pthread_t one, two;
    char *line;
    unsigned traces = 0, others = 0;

    (void)state;
    com1.accesses_per_byte = 1;
    assert_int_equal(pthread_create(&one, NULL, tracing_cpu, NULL), 0);
    assert_int_equal(pthread_create(&two, NULL, other_tracing_cpu, NULL), 0);
    assert_int_equal(pthread_join(one, NULL), 0);
    assert_int_equal(pthread_join(two, NULL), 0);
    (void)sent(&com1);
    for (line = strtok(com1.sent, "\r\n"); line != NULL; line = strtok(NULL, "\r\n")) {
        bool trace = line[0] == '[';

        assert_string_equal(line, trace ? "[trace-line-that-is-longer-than-a-fifo]"
                                        : "{another-line-of-another-processor}");
        traces += trace;
        others += !trace;
    }
    assert_int_equal(traces, LINES_EACH);
    assert_int_equal(others, LINES_EACH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(prints_with_carriage_returns, fresh_console),
        cmocka_unit_test_setup(time_of_the_devices_is_counted, fresh_console),
        cmocka_unit_test_setup(long_text_is_cut_visibly, fresh_console),
        cmocka_unit_test_setup(try_write_never_waits, fresh_console),
        cmocka_unit_test_setup(try_read_never_waits, fresh_console),
        cmocka_unit_test_setup(a_writer_keeps_no_reader_away, fresh_console),
        cmocka_unit_test_setup(a_prompt_goes_and_comes_back, fresh_console),
        cmocka_unit_test_setup(no_prompt_in_an_open_line, fresh_console),
        cmocka_unit_test_setup(a_pager_decides, fresh_console),
        cmocka_unit_test_setup(newline_split_at_any_place, fresh_console),
        cmocka_unit_test_setup(an_open_line_keeps_others_out, fresh_console),
        cmocka_unit_test_setup(a_blocking_write_ends_anothers_line, fresh_console),
        cmocka_unit_test_setup(a_blocking_write_continues_its_own_line, fresh_console),
        cmocka_unit_test_setup(a_blocking_write_after_half_a_newline, fresh_console),
        cmocka_unit_test_setup(without_an_uart_all_is_taken, fresh_console),
        cmocka_unit_test_setup(before_any_initialisation_it_is_harmless, fresh_console),
        cmocka_unit_test_setup(a_stuck_uart_costs_text_not_the_machine, fresh_console),
        cmocka_unit_test_setup(another_uart, fresh_console),
        cmocka_unit_test_setup(the_same_uart_is_left_as_it_is, fresh_console),
        cmocka_unit_test_setup(memory_mapped_uart, fresh_console),
        cmocka_unit_test_setup(every_device_gets_the_same, fresh_console),
        cmocka_unit_test_setup(bad_framebuffers_are_refused, fresh_console),
        cmocka_unit_test_setup(frames_never_cut_a_line, fresh_console),
        cmocka_unit_test_setup(a_second_uart_for_frames, fresh_console),
        cmocka_unit_test_setup(try_write_draws_a_little, fresh_console),
        cmocka_unit_test_setup(panic_ends_an_open_line_and_keeps_trace_out, fresh_console),
        cmocka_unit_test_setup(panic_breaks_the_lock, fresh_console),
        cmocka_unit_test_setup(two_writers_keep_lines_whole, fresh_console),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
