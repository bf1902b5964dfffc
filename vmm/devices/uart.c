/* SPDX-License-Identifier: MIT */
/* A guest's 16550. The bits are those of the National Semiconductor PC16550D. */
#include "vmm/devices/uart.h"

/* Offsets. */
#define DATA             0u /* RBR and THR; with the divisor latch open, DLL */
#define INTERRUPT_ENABLE 1u /* with the divisor latch open, DLM */
#define INTERRUPT_ID     2u /* read */
#define FIFO_CONTROL     2u /* write */
#define LINE_CONTROL     3u
#define MODEM_CONTROL    4u
#define LINE_STATUS      5u
#define MODEM_STATUS     6u
#define SCRATCH          7u

#define INTERRUPT_ENABLE_BITS       0x0fu
#define INTERRUPT_ID_NONE           0x01u
#define INTERRUPT_ID_FIFO           0xc0u
#define FIFO_CONTROL_ENABLE         0x01u
#define FIFO_CONTROL_CLEAR_RECEIVED 0x02u
#define LINE_CONTROL_8N1            0x03u
#define LINE_CONTROL_DIVISOR_LATCH  0x80u
#define MODEM_CONTROL_BITS          0x1fu
#define MODEM_CONTROL_DTR           0x01u
#define MODEM_CONTROL_RTS           0x02u
#define MODEM_CONTROL_OUT1          0x04u
#define MODEM_CONTROL_OUT2          0x08u
#define MODEM_CONTROL_LOOP          0x10u
#define LINE_STATUS_DATA_READY      0x01u
#define LINE_STATUS_OVERRUN         0x02u
#define LINE_STATUS_SENT            0x60u /* THRE and TEMT */
#define MODEM_STATUS_CTS            0x10u
#define MODEM_STATUS_DSR            0x20u
#define MODEM_STATUS_RI             0x40u
#define MODEM_STATUS_DCD            0x80u

void guest_uart_reset(struct guest_uart *uart)
{
    *uart = (struct guest_uart){.line_control = LINE_CONTROL_8N1, .divisor_low = 1};
}

static bool divisor_latch_open(const struct guest_uart *uart)
{
    return (uart->line_control & LINE_CONTROL_DIVISOR_LATCH) != 0;
}

static void receive(struct guest_uart *uart, uint8_t value)
{
    uint8_t room = uart->fifo_enabled ? GUEST_UART_FIFO : 1;

    if (uart->received_count < room) {
        uart->received[(uart->received_first + uart->received_count) % GUEST_UART_FIFO] = value;
        uart->received_count++;
        return;
    }
    uart->overrun = true;
    if (!uart->fifo_enabled) {
        uart->received[uart->received_first % GUEST_UART_FIFO] =
            value; /* the newer byte replaces the one unread */
    }
}

static uint8_t read_received(struct guest_uart *uart)
{
    uint8_t value = 0;

    if (uart->received_count > 0) {
        value = uart->received[uart->received_first];
        uart->received_first = (uart->received_first + 1) % GUEST_UART_FIFO;
        uart->received_count--;
    }
    return value;
}

static uint8_t read_line_status(struct guest_uart *uart)
{
    uint8_t status = LINE_STATUS_SENT;

    if (uart->received_count > 0) {
        status |= LINE_STATUS_DATA_READY;
    }
    if (uart->overrun) {
        status |= LINE_STATUS_OVERRUN;
        uart->overrun = false;
    }
    return status;
}

/* In loopback mode the outputs come back as inputs; else a terminal is connected and ready. */
static uint8_t read_modem_status(const struct guest_uart *uart)
{
    uint8_t outputs = uart->modem_control, status = 0;

    if ((outputs & MODEM_CONTROL_LOOP) == 0) {
        return MODEM_STATUS_CTS | MODEM_STATUS_DSR | MODEM_STATUS_DCD;
    }
    status |= (outputs & MODEM_CONTROL_DTR) != 0 ? MODEM_STATUS_DSR : 0;
    status |= (outputs & MODEM_CONTROL_RTS) != 0 ? MODEM_STATUS_CTS : 0;
    status |= (outputs & MODEM_CONTROL_OUT1) != 0 ? MODEM_STATUS_RI : 0;
    status |= (outputs & MODEM_CONTROL_OUT2) != 0 ? MODEM_STATUS_DCD : 0;
    return status;
}

uint8_t guest_uart_read(struct guest_uart *uart, uint16_t offset)
{
    switch (offset) {
    case DATA:
        return divisor_latch_open(uart) ? uart->divisor_low : read_received(uart);
    case INTERRUPT_ENABLE:
        return divisor_latch_open(uart) ? uart->divisor_high : uart->interrupt_enable;
    case INTERRUPT_ID:
        return uart->fifo_enabled ? INTERRUPT_ID_NONE | INTERRUPT_ID_FIFO : INTERRUPT_ID_NONE;
    case LINE_CONTROL:
        return uart->line_control;
    case MODEM_CONTROL:
        return uart->modem_control;
    case LINE_STATUS:
        return read_line_status(uart);
    case MODEM_STATUS:
        return read_modem_status(uart);
    case SCRATCH:
        return uart->scratch;
    default:
        return 0xff;
    }
}

static void write_fifo_control(struct guest_uart *uart, uint8_t value)
{
    bool enable = (value & FIFO_CONTROL_ENABLE) != 0;

    if (enable != uart->fifo_enabled || (value & FIFO_CONTROL_CLEAR_RECEIVED) != 0) {
        uart->received_first = uart->received_count = 0;
    }
    uart->fifo_enabled = enable;
}

bool guest_uart_write(struct guest_uart *uart, uint16_t offset, uint8_t value, struct guest_line *out)
{
    switch (offset) {
    case DATA:
        if (divisor_latch_open(uart)) {
            uart->divisor_low = value;
        } else if ((uart->modem_control & MODEM_CONTROL_LOOP) != 0) {
            receive(uart, value);
        } else {
            return guest_line_put(out, (char)value);
        }
        break;
    case INTERRUPT_ENABLE:
        if (divisor_latch_open(uart)) {
            uart->divisor_high = value;
        } else {
            uart->interrupt_enable = value & INTERRUPT_ENABLE_BITS;
        }
        break;
    case FIFO_CONTROL:
        write_fifo_control(uart, value);
        break;
    case LINE_CONTROL:
        uart->line_control = value;
        break;
    case MODEM_CONTROL:
        uart->modem_control = value & MODEM_CONTROL_BITS;
        break;
    case SCRATCH:
        uart->scratch = value;
        break;
    default: /* the status registers cannot be written */
        break;
    }
    return false;
}
