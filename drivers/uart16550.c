/* SPDX-License-Identifier: MIT */
/* A 16550 UART, polled. Every loop here is bounded: an absent or clock-gated UART never answers. */
#include "drivers/uart16550.h"

/* Registers. */
#define UART_DATA             0u
#define UART_DIVISOR_LOW      0u /* with LCR_DIVISOR_LATCH */
#define UART_DIVISOR_HIGH     1u /* with LCR_DIVISOR_LATCH */
#define UART_INTERRUPT_ENABLE 1u
#define UART_INTERRUPT_ID     2u /* read */
#define UART_FIFO_CONTROL     2u /* write */
#define UART_LINE_CONTROL     3u
#define UART_MODEM_CONTROL    4u
#define UART_LINE_STATUS      5u
#define UART_MODEM_STATUS     6u

#define INTERRUPT_ID_FIFO_WORKS       0xc0u
#define FIFO_CONTROL_ENABLE_AND_CLEAR 0x07u
#define LINE_CONTROL_8N1              0x03u
#define LINE_CONTROL_DIVISOR_LATCH    0x80u
#define MODEM_CONTROL_DTR             0x01u
#define MODEM_CONTROL_RTS             0x02u
#define MODEM_CONTROL_OUT1            0x04u
#define MODEM_CONTROL_OUT2            0x08u
#define MODEM_CONTROL_LOOP            0x10u
#define LINE_STATUS_DATA_READY        0x01u
#define LINE_STATUS_HOLDING_EMPTY     0x20u /* THRE: the FIFO, or the holding register, is empty */
#define LINE_STATUS_TRANSMITTER_EMPTY 0x40u /* TEMT: nothing left in the shift register either */
#define NOTHING_THERE                 0xffu

#define FIFO_BYTES 16u

/*
 * A full FIFO takes 1.4 ms at divisor 1. One read of a register takes about 1 us on a PC, a few instructions
 * in an emulator: 2^20 reads are ample in both, and grow with the divisor up to a few seconds.
 */
#define POLLS_AT_DIVISOR_1 (1u << 20)
#define POLLS_MAX          (1u << 23)

static uint8_t uart_read(const struct uart16550 *uart, unsigned index)
{
    volatile uint8_t *at;

    if (uart->ports != NULL) {
        return uart->ports->in((uint16_t)(uart->port + index));
    }
    at = uart->registers + (size_t)index * uart->layout.stride;
    return uart->layout.access == 4 ? (uint8_t) * (volatile uint32_t *)(volatile void *)at : *at;
}

static void uart_write_register(const struct uart16550 *uart, unsigned index, uint8_t value)
{
    volatile uint8_t *at;

    if (uart->ports != NULL) {
        uart->ports->out((uint16_t)(uart->port + index), value);
        return;
    }
    at = uart->registers + (size_t)index * uart->layout.stride;
    if (uart->layout.access == 4) {
        *(volatile uint32_t *)(volatile void *)at = value;
    } else {
        *at = value;
    }
}

static bool wait_for_line_status(const struct uart16550 *uart, uint8_t bits)
{
    for (uint32_t polls = 0; polls < uart->poll_limit; polls++) {
        if ((uart_read(uart, UART_LINE_STATUS) & bits) == bits) {
            return true;
        }
    }
    return false;
}

/*
 * In loopback mode the four modem-control outputs come back as the modem-status inputs; that needs no clock
 * and sends nothing. A UART that does not wire them may still loop data back.
 */
static bool modem_lines_loop_back(const struct uart16550 *uart)
{
    uart_write_register(uart, UART_MODEM_CONTROL,
                        MODEM_CONTROL_LOOP | MODEM_CONTROL_RTS | MODEM_CONTROL_OUT2);
    if ((uart_read(uart, UART_MODEM_STATUS) & 0xf0u) != 0x90u) { /* DCD and CTS */
        return false;
    }
    uart_write_register(uart, UART_MODEM_CONTROL,
                        MODEM_CONTROL_LOOP | MODEM_CONTROL_DTR | MODEM_CONTROL_OUT1);
    return (uart_read(uart, UART_MODEM_STATUS) & 0xf0u) == 0x60u; /* RI and DSR */
}

static bool data_loops_back(const struct uart16550 *uart)
{
    const uint8_t sent = 0x5a;

    uart_write_register(uart, UART_MODEM_CONTROL, MODEM_CONTROL_LOOP);
    uart_write_register(uart, UART_FIFO_CONTROL, FIFO_CONTROL_ENABLE_AND_CLEAR);
    uart_write_register(uart, UART_DATA, sent);
    return wait_for_line_status(uart, LINE_STATUS_DATA_READY) && uart_read(uart, UART_DATA) == sent;
}

/* Returns the divisor in force afterwards: the wanted one, or with 0 the one found. */
static uint16_t set_divisor(const struct uart16550 *uart, uint16_t wanted)
{
    uint16_t divisor = wanted;

    uart_write_register(uart, UART_LINE_CONTROL, LINE_CONTROL_DIVISOR_LATCH | LINE_CONTROL_8N1);
    if (wanted != 0) {
        uart_write_register(uart, UART_DIVISOR_LOW, (uint8_t)wanted);
        uart_write_register(uart, UART_DIVISOR_HIGH, (uint8_t)(wanted >> 8));
    } else {
        divisor = (uint16_t)(uart_read(uart, UART_DIVISOR_LOW) | uart_read(uart, UART_DIVISOR_HIGH) << 8);
    }
    uart_write_register(uart, UART_LINE_CONTROL, LINE_CONTROL_8N1);
    return divisor;
}

static enum uart_status uart_start(struct uart16550 *uart, uint32_t baud)
{
    uint32_t divisor = 0;

    if (baud != 0) {
        divisor = (UART_BASE_BAUD + baud / 2) / baud;
        if (divisor == 0 || divisor > UINT16_MAX || baud > UART_BASE_BAUD) {
            return UART_BAD_BAUD;
        }
    }
    if (uart_read(uart, UART_LINE_STATUS) == NOTHING_THERE) {
        return UART_ABSENT;
    }
    /* What firmware and boot loader wrote last may still be on its way; if it never ends, go on all the same.
     */
    uart->poll_limit = POLLS_AT_DIVISOR_1;
    (void)wait_for_line_status(uart, LINE_STATUS_TRANSMITTER_EMPTY);

    uart_write_register(uart, UART_LINE_CONTROL,
                        LINE_CONTROL_8N1); /* the divisor latch may have been left open */
    uart_write_register(uart, UART_INTERRUPT_ENABLE, 0);
    divisor = set_divisor(uart, (uint16_t)divisor);
    if (divisor > POLLS_MAX / POLLS_AT_DIVISOR_1) {
        uart->poll_limit = POLLS_MAX;
    } else if (divisor > 1) {
        uart->poll_limit = POLLS_AT_DIVISOR_1 * divisor;
    }
    if (!modem_lines_loop_back(uart) && !data_loops_back(uart)) {
        uart_write_register(uart, UART_MODEM_CONTROL, MODEM_CONTROL_DTR | MODEM_CONTROL_RTS);
        return UART_ABSENT;
    }
    uart_write_register(uart, UART_MODEM_CONTROL, MODEM_CONTROL_DTR | MODEM_CONTROL_RTS);
    uart_write_register(uart, UART_FIFO_CONTROL, FIFO_CONTROL_ENABLE_AND_CLEAR);
    if ((uart_read(uart, UART_INTERRUPT_ID) & INTERRUPT_ID_FIFO_WORKS) == INTERRUPT_ID_FIFO_WORKS) {
        uart->fifo_size = FIFO_BYTES;
    }
    uart->present = true;
    return UART_OK;
}

enum uart_status uart_init_ports(struct uart16550 *uart, const struct uart_ports *ports, uint16_t port,
                                 uint32_t baud)
{
    *uart = (struct uart16550){.ports = ports, .port = port, .fifo_size = 1};
    return uart_start(uart, baud);
}

enum uart_status uart_init_mmio(struct uart16550 *uart, volatile void *registers, struct uart_layout layout,
                                uint32_t baud)
{
    *uart = (struct uart16550){.registers = registers, .layout = layout, .fifo_size = 1};
    return uart_start(uart, baud);
}

const char *uart_status_text(enum uart_status status)
{
    switch (status) {
    case UART_OK:
        return "ok";
    case UART_ABSENT:
        return "absent or failing its loopback test";
    case UART_BAD_BAUD:
        return "rate impossible";
    }
    return "unknown UART status";
}

/* True when the transmitter takes at least one more byte. Counts fruitless looks, so that callers who come
 * again and again are bounded like those who wait in here. */
static bool has_room(struct uart16550 *uart)
{
    if (uart->room > 0) {
        return true;
    }
    if ((uart_read(uart, UART_LINE_STATUS) & LINE_STATUS_HOLDING_EMPTY) == 0) {
        if (uart->refused < uart->poll_limit) {
            uart->refused++;
        } else {
            uart->stuck = true;
        }
        return false;
    }
    uart->room = uart->fifo_size;
    uart->refused = 0;
    uart->stuck = false;
    return true;
}

size_t uart_put(struct uart16550 *uart, const char *text, size_t length)
{
    if (!uart->present) {
        return length;
    }
    for (size_t count = 0; count < length; count++) {
        if (!has_room(uart)) {
            if (!uart->stuck) {
                return count;
            }
            uart->lost += length - count;
            return length;
        }
        uart_write_register(uart, UART_DATA, (uint8_t)text[count]);
        uart->room--;
    }
    return length;
}

void uart_write(struct uart16550 *uart, const char *text, size_t length)
{
    for (;;) {
        size_t count = uart_put(uart, text, length);

        if (count == length) {
            return;
        }
        text += count;
        length -= count;
        if (!wait_for_line_status(uart, LINE_STATUS_HOLDING_EMPTY)) {
            uart->stuck = true;
        }
    }
}

int uart_get(struct uart16550 *uart)
{
    uint8_t status;

    if (!uart->present) {
        return -1;
    }
    status = uart_read(uart, UART_LINE_STATUS);
    if (status == NOTHING_THERE || (status & LINE_STATUS_DATA_READY) == 0) {
        return -1;
    }
    return uart_read(uart, UART_DATA);
}

bool uart_flush(struct uart16550 *uart)
{
    if (!uart->present) {
        return true;
    }
    if (uart->stuck) {
        return (uart_read(uart, UART_LINE_STATUS) & LINE_STATUS_TRANSMITTER_EMPTY) != 0;
    }
    if (!wait_for_line_status(uart, LINE_STATUS_TRANSMITTER_EMPTY)) {
        uart->stuck = true;
        return false;
    }
    return true;
}
