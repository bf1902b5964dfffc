/* SPDX-License-Identifier: MIT */
/* A 16550 UART, polled: behind I/O ports, or memory-mapped. */
#ifndef DRIVERS_UART16550_H
#define DRIVERS_UART16550_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

/* The crystal of the PC's UARTs divided by 16: the rate at divisor 1. */
#define UART_BASE_BAUD 115200u

enum uart_status {
    UART_OK,
    UART_ABSENT,   /* nothing answers there, or it fails the loopback test */
    UART_BAD_BAUD, /* no 16-bit divisor makes this rate from 115200 */
};

/* How I/O ports are reached: the instructions in the hypervisor, a simulated device in the tests. */
struct uart_ports {
    uint8_t (*in)(uint16_t port);
    void (*out)(uint16_t port, uint8_t value);
};

/* How registers lie in memory, in bytes: from one to the next (at most 4), and what one access reads or
 * writes, 1 or 4, which is not more. */
struct uart_layout {
    uint8_t stride, access;
};

#define UART_LAYOUT_WORDS ((struct uart_layout){4, 4}) /* one register in every 32-bit word */

struct uart16550 {
    const struct uart_ports *ports; /* NULL when memory-mapped */
    uint16_t port;
    volatile uint8_t *registers; /* NULL when behind ports */
    struct uart_layout layout;
    bool present;
    bool stuck;          /* a wait ran out: look once a call, until it moves again */
    uint8_t fifo_size;   /* 16, or 1 for a UART without a working FIFO */
    uint8_t room;        /* bytes that the transmitter takes without another look at it */
    uint32_t poll_limit; /* reads of the line status without any progress before it counts as stuck */
    uint32_t refused;    /* looks by uart_put that found no room, since there was some */
    uint64_t lost;       /* bytes given up while it was stuck */
};

/*
 * Both set 8n1, FIFO on, interrupts off, and leave the UART absent (every later call is then harmless) unless
 * UART_OK is returned. `baud` 0 keeps the rate that the firmware set. Characters still being sent are let out
 * first. All waits are bounded.
 */
enum uart_status uart_init_ports(struct uart16550 *, const struct uart_ports *, uint16_t port,
                                 uint32_t baud) must_check;
enum uart_status uart_init_mmio(struct uart16550 *, volatile void *registers, struct uart_layout layout,
                                uint32_t baud) must_check;
const char *uart_status_text(enum uart_status);

/*
 * Hands over what the transmitter takes now and returns how many bytes that was; never waits. What a stuck
 * UART does not take is counted in `lost` and returned as taken, so that no caller tries for ever. An absent
 * UART takes everything.
 */
size_t uart_put(struct uart16550 *, const char *text, size_t length);

/* Hands over everything, waiting for room as often as needed; when none comes within poll_limit, the UART is
 * stuck and the rest lost. */
void uart_write(struct uart16550 *, const char *text, size_t length);

/* The next byte that has arrived, -1 without one. Never waits; what the line mangled is taken as it came. */
int uart_get(struct uart16550 *);

/* Waits until the last stop bit is out. False when it did not get there in time. */
bool uart_flush(struct uart16550 *);

#endif
