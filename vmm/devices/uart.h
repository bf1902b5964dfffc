/* SPDX-License-Identifier: MIT */
/*
 * A guest's 16550A. Sending takes no time: the transmitter is empty again at once, and what it sent is with
 * `output`. Nothing disturbs the line, so there are no parity and framing errors and no breaks; overruns
 * there are. Not modelled: DMA mode, the factory-test writes to the status registers. Pure.
 */
#ifndef VMM_DEVICES_UART_H
#define VMM_DEVICES_UART_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/devices/bus.h"

#define GUEST_UART_FIFO 16u

struct guest_uart {
    struct device_output output;
    struct device_line interrupt;
    uint8_t interrupt_enable, line_control, modem_control, scratch;
    uint8_t data_bits; /* of a frame, by line_control: a mask */
    uint8_t divisor_low, divisor_high;
    uint8_t modem_changes; /* bits 3:0 of the modem status: what has changed since it was last read */
    uint8_t trigger;       /* characters in the FIFO that make data available */
    bool fifo_enabled;
    bool overrun;               /* a byte had no room; until the line status is read */
    bool transmitter_empty_due; /* the THRE interrupt waits to be delivered */
    bool timed_out;             /* characters lie in the FIFO for as long as four take */
    uint8_t received[GUEST_UART_FIFO];
    uint8_t received_first, received_count;
    uint64_t active_at; /* the last character came, or was taken, at this time */
};

/* As a PC's firmware leaves it: 115200 8n1, everything else off. Output and interrupt line stay. */
void guest_uart_reset(struct guest_uart *uart);

/* `offset` from the first port, 0 to 7; beyond, there is nothing: reads give 0xff, writes do nothing. */
uint8_t guest_uart_read(struct guest_uart *uart, uint16_t offset, uint64_t now);
void guest_uart_write(struct guest_uart *uart, uint16_t offset, uint8_t value, uint64_t now);

/* A character has come over the line. Without room for it, or in loopback mode, it is lost as on a real line.
 */
void guest_uart_receive(struct guest_uart *uart, uint8_t value, uint64_t now);
/* Whether one would find room. */
bool guest_uart_has_room(const struct guest_uart *uart);

/* Adds its eight ports from `base`, a multiple of 8, and its timer. false: as bus_add_ports(). */
must_check bool guest_uart_attach(struct guest_uart *uart, struct bus *bus, uint16_t base);

#endif
