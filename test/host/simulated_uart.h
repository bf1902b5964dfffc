/* SPDX-License-Identifier: MIT */
/*
 * A 16550 for the tests: FIFO, shift register, divisor latch and loopback. Its time is the number of accesses
 * made to it. It counts what a real one would suffer silently: bytes written without room.
 */
#ifndef TEST_HOST_SIMULATED_UART_H
#define TEST_HOST_SIMULATED_UART_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct simulated_uart {
    /* How it behaves. */
    bool absent;            /* reads 0xff */
    bool dead;              /* registers work, nothing is ever sent */
    bool no_fifo;           /* an 8250 */
    bool no_modem_loopback; /* modem lines are not wired in loopback */
    bool no_data_loopback;
    unsigned accesses_per_byte;

    uint8_t divisor[2], interrupt_enable, fifo_control, line_control, modem_control, scratch;
    uint8_t received;
    bool data_ready;
    uint8_t queue[16];
    unsigned queued;
    bool shifting;
    uint8_t shift;
    unsigned shift_left;

    char sent[8192];
    size_t sent_length;
    unsigned overruns;
    uint64_t accesses;
};

static inline void simulated_uart_reset(struct simulated_uart *uart)
{
    memset(uart, 0, sizeof(*uart));
    uart->accesses_per_byte = 5;
    uart->divisor[0] = 1;
}

static inline void simulated_uart_start_shifting(struct simulated_uart *uart)
{
    if (!uart->shifting && uart->queued > 0 && !uart->dead) {
        uart->shifting = true;
        uart->shift = uart->queue[0];
        uart->shift_left = uart->accesses_per_byte;
        uart->queued--;
        memmove(uart->queue, uart->queue + 1, uart->queued);
    }
}

static inline void simulated_uart_tick(struct simulated_uart *uart)
{
    uart->accesses++;
    simulated_uart_start_shifting(uart);
    if (uart->shifting && !uart->dead && --uart->shift_left == 0) {
        uart->shifting = false;
        if ((uart->modem_control & 0x10) == 0) {
            if (uart->sent_length < sizeof(uart->sent) - 1) {
                uart->sent[uart->sent_length++] = (char)uart->shift;
            }
        } else if (!uart->no_data_loopback) {
            uart->received = uart->shift;
            uart->data_ready = true;
        }
        simulated_uart_start_shifting(uart);
    }
}

/* A byte arrives on the line. */
static inline void simulated_uart_arrives(struct simulated_uart *uart, uint8_t byte)
{
    uart->received = byte;
    uart->data_ready = true;
}

static inline unsigned simulated_uart_depth(const struct simulated_uart *uart)
{
    return (uart->fifo_control & 1) != 0 && !uart->no_fifo ? 16 : 1;
}

static inline uint8_t simulated_uart_modem_status(const struct simulated_uart *uart)
{
    uint8_t out = uart->modem_control;

    if ((out & 0x10) == 0 || uart->no_modem_loopback) {
        return 0xb0;
    }
    return (uint8_t)((out & 0x01) << 5 | (out & 0x02) << 3 | (out & 0x04) << 4 | (out & 0x08) << 4);
}

static inline uint8_t simulated_uart_in(struct simulated_uart *uart, unsigned index)
{
    bool latch = (uart->line_control & 0x80) != 0;
    uint8_t status;

    if (uart->absent) {
        uart->accesses++;
        return 0xff;
    }
    simulated_uart_tick(uart);
    switch (index) {
    case 0:
        if (latch) {
            return uart->divisor[0];
        }
        uart->data_ready = false;
        return uart->received;
    case 1:
        return latch ? uart->divisor[1] : uart->interrupt_enable;
    case 2:
        return simulated_uart_depth(uart) == 16 ? 0xc1 : 0x01;
    case 3:
        return uart->line_control;
    case 4:
        return uart->modem_control;
    case 5:
        status = uart->data_ready ? 0x01 : 0x00;
        status |= uart->queued == 0 ? 0x20 : 0x00;
        status |= uart->queued == 0 && !uart->shifting ? 0x40 : 0x00;
        return status;
    case 6:
        return simulated_uart_modem_status(uart);
    default:
        return uart->scratch;
    }
}

static inline void simulated_uart_out(struct simulated_uart *uart, unsigned index, uint8_t value)
{
    bool latch = (uart->line_control & 0x80) != 0;

    if (uart->absent) {
        uart->accesses++;
        return;
    }
    simulated_uart_tick(uart);
    switch (index) {
    case 0:
        if (latch) {
            uart->divisor[0] = value;
        } else if (uart->queued == simulated_uart_depth(uart)) {
            uart->overruns++;
        } else {
            uart->queue[uart->queued++] = value;
        }
        break;
    case 1:
        *(latch ? &uart->divisor[1] : &uart->interrupt_enable) = value;
        break;
    case 2:
        uart->fifo_control = value;
        if ((value & 0x04) != 0) {
            uart->queued = 0;
        }
        break;
    case 3:
        uart->line_control = value;
        break;
    case 4:
        uart->modem_control = value;
        break;
    case 7:
        uart->scratch = value;
        break;
    default:
        break;
    }
}

#endif
