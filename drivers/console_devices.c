/* SPDX-License-Identifier: MIT */
/* The devices behind the console: choosing and starting them, and writing the same text to all. */
#include "drivers/console_devices.h"

/* What console_devices_put may spend on each screen. */
#define PUT_CELLS_COMPARED 256u
#define PUT_CELLS_DRAWN    16u

#define UART_REGISTERS 8u

static size_t length_before_newline(const char *text, size_t length)
{
    size_t count = 0;

    while (count < length && text[count] != '\n') {
        count++;
    }
    return count;
}

static void uart_write_newline(struct console_devices *devices)
{
    if (!devices->half_newline) {
        uart_write(&devices->uart, "\r", 1);
    }
    devices->half_newline = false;
    uart_write(&devices->uart, "\n", 1);
}

static void uart_write_text(struct console_devices *devices, const char *text, size_t length)
{
    for (;;) {
        size_t count = length_before_newline(text, length);

        if (count > 0) {
            devices->half_newline = false;
            uart_write(&devices->uart, text, count);
        }
        if (count == length) {
            return;
        }
        uart_write_newline(devices);
        text += count + 1;
        length -= count + 1;
    }
}

/* As much of it as fits now; returns how much. */
static size_t uart_put_text(struct console_devices *devices, const char *text, size_t length)
{
    size_t taken = 0;

    while (taken < length) {
        if (text[taken] == '\n') {
            if (!devices->half_newline) {
                devices->half_newline = uart_put(&devices->uart, "\r", 1) == 1;
            }
            if (!devices->half_newline || uart_put(&devices->uart, "\n", 1) == 0) {
                return taken;
            }
            devices->half_newline = false;
            taken++;
        } else {
            size_t wanted = length_before_newline(text + taken, length - taken);
            size_t count = uart_put(&devices->uart, text + taken, wanted);

            devices->half_newline = devices->half_newline && count == 0;
            taken += count;
            if (count < wanted) {
                return taken;
            }
        }
    }
    return taken;
}

static void screens_put(struct console_devices *devices, const char *text, size_t length)
{
    if (devices->vga_present) {
        vga_text_put(&devices->vga, text, length);
    }
    if (devices->framebuffer_config.present) {
        framebuffer_put(&devices->framebuffer, text, length);
    }
}

static void screens_refresh(struct console_devices *devices)
{
    if (devices->vga_present) {
        vga_text_refresh(&devices->vga);
    }
    if (devices->framebuffer_config.present) {
        framebuffer_refresh(&devices->framebuffer);
    }
}

void console_devices_write(struct console_devices *devices, const char *text, size_t length)
{
    uart_write_text(devices, text, length);
    screens_put(devices, text, length);
    screens_refresh(devices);
}

size_t console_devices_put(struct console_devices *devices, const char *text, size_t length)
{
    size_t taken = uart_put_text(devices, text, length);

    if (taken == 0 && length > 0) {
        return 0; /* the caller will be back soon, and often */
    }
    screens_put(devices, text, taken);
    if (devices->vga_present) {
        vga_text_refresh_some(&devices->vga, PUT_CELLS_COMPARED, PUT_CELLS_DRAWN);
    }
    if (devices->framebuffer_config.present) {
        framebuffer_refresh_some(&devices->framebuffer, PUT_CELLS_COMPARED, PUT_CELLS_DRAWN);
    }
    return taken;
}

void console_devices_flush(struct console_devices *devices)
{
    screens_refresh(devices);
    (void)uart_flush(&devices->uart); /* nothing to be done about a stuck UART */
}

/* A UART's registers in memory; NULL: they cannot be reached. */
static volatile void *map_uart(const struct console_devices *devices, uint64_t mmio,
                               struct uart_layout layout)
{
    if (mmio % layout.access != 0) {
        return NULL;
    }
    return devices->hardware->map(mmio, (uint64_t)UART_REGISTERS * layout.stride, CONSOLE_MEMORY_DEVICE);
}

enum uart_status console_devices_open_uart(const struct console_devices *devices, struct uart16550 *uart,
                                           uint16_t port, uint64_t mmio, struct uart_layout layout,
                                           uint32_t baud)
{
    volatile void *registers;

    if (devices->hardware == NULL) {
        return UART_ABSENT;
    }
    if (mmio == 0) {
        return uart_init_ports(uart, &devices->hardware->ports, port, baud);
    }
    registers = map_uart(devices, mmio, layout);
    return registers != NULL ? uart_init_mmio(uart, registers, layout, baud) : UART_ABSENT;
}

/* The one in use stays when it is the one asked for: starting it again would garble what it is sending. */
static enum uart_status start_uart(struct console_devices *devices, const struct console_config *config)
{
    struct uart16550 uart;
    enum uart_status status;

    if (devices->uart.present && devices->uart_baud == config->baud &&
        devices->uart_mmio == config->uart_mmio &&
        (config->uart_mmio != 0 || devices->uart.port == config->uart_port)) {
        return UART_OK;
    }
    status = console_devices_open_uart(devices, &uart, config->uart_port, config->uart_mmio,
                                       config->uart_layout, config->baud);
    if (status == UART_OK) {
        uart.lost = devices->uart.lost;
        devices->uart = uart;
        devices->uart_baud = config->baud;
        devices->uart_mmio = config->uart_mmio;
        devices->half_newline = false;
    }
    return status;
}

static bool same_framebuffer(const struct framebuffer_config *one, const struct framebuffer_config *other)
{
    return one->present == other->present && one->address == other->address && one->pitch == other->pitch &&
           one->width == other->width && one->height == other->height &&
           one->bits_per_pixel == other->bits_per_pixel;
}

static enum framebuffer_status start_framebuffer(struct console_devices *devices,
                                                 const struct framebuffer_config *config)
{
    enum framebuffer_status status = framebuffer_check(config);
    volatile void *pixels = NULL;

    if (status == FRAMEBUFFER_OK) {
        pixels = devices->hardware->map(config->address, framebuffer_bytes(config), CONSOLE_MEMORY_PIXELS);
        if (pixels != NULL && pixels == devices->framebuffer.pixels &&
            same_framebuffer(config, &devices->framebuffer_config)) {
            return FRAMEBUFFER_OK;
        }
        status = framebuffer_init(&devices->framebuffer, config, pixels);
    }
    devices->framebuffer_config = *config;
    devices->framebuffer_config.present = status == FRAMEBUFFER_OK;
    return status;
}

static bool start_vga_text(struct console_devices *devices, bool wanted)
{
    volatile uint16_t *cells =
        wanted ? devices->hardware->map(VGA_TEXT_PHYSICAL, VGA_TEXT_BYTES, CONSOLE_MEMORY_DEVICE) : NULL;

    if (cells != NULL && !(devices->vga_present && devices->vga.cells == cells)) {
        vga_text_init(&devices->vga, cells, devices->hardware->ports.out);
    }
    devices->vga_present = cells != NULL;
    return devices->vga_present;
}

struct console_state console_devices_start(struct console_devices *devices,
                                           const struct console_config *config)
{
    struct console_state state = {.uart = UART_ABSENT};

    if (devices->hardware == NULL) { /* no way to any device */
        state.framebuffer = FRAMEBUFFER_NOT_PRESENT;
        return state;
    }
    if (config->serial) {
        state.uart = start_uart(devices, config);
    } else {
        devices->uart.present = false;
    }
    state.vga_text = start_vga_text(devices, config->vga_text);
    state.framebuffer = start_framebuffer(devices, &config->fb);
    return state;
}
