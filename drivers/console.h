/* SPDX-License-Identifier: MIT */
/*
 * The console: one stream of text to every device that the machine has for it (UART, VGA text, framebuffer).
 *
 * Lines stay whole. A line that was begun and not ended belongs to the CPU that began it: until its newline,
 * console_try_write of other CPUs takes nothing, and console_write of another CPU ends it with a newline
 * first. So a CPU that stops writing for good ends its line. Nothing here waits without a bound: a UART that
 * does not move, or a lock whose holder died, costs time and then text, never the machine.
 */
#ifndef DRIVERS_CONSOLE_H
#define DRIVERS_CONSOLE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/compiler.h"
#include "drivers/framebuffer.h"
#include "drivers/uart16550.h"

struct console_config {
    bool serial;
    uint16_t uart_port;             /* used when uart_mmio is 0 */
    uint64_t uart_mmio;             /* physical address of a UART in memory... */
    struct uart_layout uart_layout; /* ...and how its registers lie there */
    uint32_t baud;                  /* 0 keeps what the firmware set */
    bool vga_text;                  /* 80x25 text at 0xb8000 is known to be there */
    struct framebuffer_config fb;
};

/* What came of the devices that were asked for. */
struct console_state {
    enum uart_status uart;               /* UART_ABSENT also when none was asked for */
    enum framebuffer_status framebuffer; /* FRAMEBUFFER_NOT_PRESENT also when none was asked for */
    bool vga_text;
};

enum console_memory {
    CONSOLE_MEMORY_DEVICE, /* registers: uncached */
    CONSOLE_MEMORY_PIXELS, /* written once, never read: write combining where possible */
};

/* How the devices are reached: console_hardware.c for the machine, something simulated in the tests. */
struct console_hardware {
    struct uart_ports ports;
    /* Where that physical memory can be reached, NULL when it cannot. */
    volatile void *(*map)(uint64_t physical, uint64_t length, enum console_memory);
};

/* The machine's own devices: COM1 at 115200 8n1 if it is there; no screen yet. Boot CPU, before all else. */
void console_init_early(void);
/*
 * The devices for the rest of the run. Devices in use before are dropped unless asked for again (then they
 * are left as they are), except that a UART that was asked for and cannot be used leaves the one before in
 * use. May be called again, say when more of the machine is mapped. Boot CPU only.
 */
struct console_state console_init(const struct console_config *);
/* Resets the console: no device, and from now on this way to them. console_init_early does it for the
 * machine. */
void console_init_hardware(const struct console_hardware *);
/* Tells the console how to know the calling CPU. Until then all callers count as one. */
void console_set_cpu_index(uint32_t (*cpu_index)(void));
/* Tells the console a clock, by which it takes the time that its devices need. */
void console_set_clock(uint64_t (*clock)(void));
/* Ticks of the clock while text was written, waiting for the devices included; 0 without a clock. Any CPU. */
uint64_t console_ticks(void);

/* Written whole under the lock, waiting for the devices. '\n' goes out as "\r\n" on the UART. */
void console_write(const char *text, size_t length);
/* As console_write. A text of more than 2047 characters is cut, visibly. */
void console_printf(const char *format, ...) printf_like(1, 2);
void console_vprintf(const char *format, va_list arguments) printf_like(1, 0);

/*
 * Never waits: takes the lock only if it is free and gives the UART what it has room for now. Returns how
 * many bytes were taken; 0 = busy, as always in panic mode. A call that takes something brings the screens a
 * few cells nearer to what they should show; so does a call with length 0.
 */
size_t console_try_write(const char *text, size_t length) must_check;

/*
 * Bytes that are no text, for the console's UART alone: only while no line is open, so that no line is cut.
 * console_try_write_frames() never waits and returns how many were taken; console_write_frames() waits for
 * the UART, and ends an open line first.
 */
size_t console_try_write_frames(const uint8_t *bytes, size_t length) must_check;
void console_write_frames(const uint8_t *bytes, size_t length);

/* Whether this is the console's UART. */
bool console_uses_uart(uint16_t port, uint64_t mmio);
/* Opens another UART of the machine, for somebody else: port, or `mmio` with one register in every 32-bit
 * word. Boot CPU only. */
enum uart_status console_open_uart(struct uart16550 *uart, uint16_t port, uint64_t mmio,
                                   uint32_t baud) must_check;

/* The next character that was typed at the UART, -1 for none, or while another CPU reads. Never waits, and
 * does not ask who writes. */
int console_try_read(void);

/*
 * The line in which somebody types: on the UART alone, with the terminal's own control sequences, and no line
 * of the console. Text that is written takes it away first; then it is to be drawn anew. false, and nothing
 * is written, while a line is open.
 */
must_check bool console_prompt_write(const char *bytes, size_t length);

/* Whether it stands there now. */
bool console_prompt_shown(void);

/* It is done: it stays, and what comes next begins a new line; or it goes. */
void console_prompt_end(void);
void console_prompt_erase(void);

/*
 * Asks `pager` before each text of console_printf, outside of the lock; false: the text goes nowhere. NULL:
 * no longer.
 */
void console_set_pager(bool (*pager)(const char *format));

/* Waits, bounded, until the screens show everything and the UART has sent everything. */
void console_flush(void);

/* The machine is going down: do not insist on the lock any more. Any CPU, any context. */
void console_panic_mode(void);

/* Bytes that a stuck UART did not take, in all. */
uint64_t console_lost(void);

#endif
