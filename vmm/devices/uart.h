/* SPDX-License-Identifier: MIT */
/*
 * A guest's 16550 at COM1: what it sends becomes lines on the console, nothing ever arrives but in loopback
 * mode, and it raises no interrupt. Sending takes no time: the transmitter is always empty. Pure.
 */
#ifndef VMM_DEVICES_UART_H
#define VMM_DEVICES_UART_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/guest_line.h"

#define GUEST_UART_FIFO 16u

struct guest_uart {
    uint8_t interrupt_enable, line_control, modem_control, scratch;
    uint8_t divisor_low, divisor_high;
    bool fifo_enabled;
    bool overrun; /* a byte looped back had no room; until the line status is read */
    uint8_t received[GUEST_UART_FIFO];
    uint8_t received_first, received_count;
};

/* As a PC's firmware leaves it: 115200 8n1, everything else off. */
void guest_uart_reset(struct guest_uart *);

/* `offset` from the first port, 0 to 7; beyond, there is nothing: reads give 0xff, writes do nothing. */
uint8_t guest_uart_read(struct guest_uart *, uint16_t offset);
/* True when `out` became complete by it: show and take it. */
bool guest_uart_write(struct guest_uart *, uint16_t offset, uint8_t value, struct guest_line *out);

#endif
