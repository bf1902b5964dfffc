/* SPDX-License-Identifier: MIT */
/*
 * The devices behind the console, written to together. No lock in here: the console holds its own around
 * every call. console.h is what the rest of the hypervisor uses.
 */
#ifndef DRIVERS_CONSOLE_DEVICES_H
#define DRIVERS_CONSOLE_DEVICES_H

#include "drivers/console.h"
#include "drivers/vga_text.h"

struct console_devices {
    const struct console_hardware *hardware; /* NULL: none of the devices can be reached */
    struct uart16550 uart;
    uint32_t uart_baud; /* as asked for */
    uint64_t uart_mmio; /* likewise; 0: behind ports */
    bool half_newline;  /* of the "\r\n" for a '\n' not yet taken, the UART has the '\r' */
    bool vga_present;
    struct vga_text vga;
    struct framebuffer_config framebuffer_config; /* .present: it is in use */
    struct framebuffer framebuffer;
};

/* As console_init. */
struct console_state console_devices_start(struct console_devices *, const struct console_config *);
/* As console_open_uart. */
enum uart_status console_devices_open_uart(const struct console_devices *, struct uart16550 *, uint16_t port,
                                           uint64_t mmio, struct uart_layout layout,
                                           uint32_t baud) must_check;
/* All of it, waiting for the UART; the UART first: if drawing faults, its text is out. */
void console_devices_write(struct console_devices *, const char *text, size_t length);
/* As much as the UART takes now; returns how much. When that is something, or length is 0, draws a few cells.
 */
size_t console_devices_put(struct console_devices *, const char *text, size_t length);
/* Waits, bounded, until all is seen and sent. */
void console_devices_flush(struct console_devices *);

#endif
