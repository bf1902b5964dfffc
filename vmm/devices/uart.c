/* SPDX-License-Identifier: MIT */
/* A guest's 16550A. The bits are those of the National Semiconductor PC16550D. */
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

#define ENABLE_RECEIVED     0x01u
#define ENABLE_TRANSMITTER  0x02u
#define ENABLE_LINE_STATUS  0x04u
#define ENABLE_MODEM_STATUS 0x08u
#define ENABLE_BITS         0x0fu

/* Interrupt identification, the one of highest priority first. */
#define ID_LINE_STATUS  0x06u
#define ID_RECEIVED     0x04u
#define ID_TIMEOUT      0x0cu
#define ID_TRANSMITTER  0x02u
#define ID_MODEM_STATUS 0x00u
#define ID_NONE         0x01u
#define ID_FIFO         0xc0u

#define FIFO_CONTROL_ENABLE           0x01u
#define FIFO_CONTROL_CLEAR_RECEIVED   0x02u
#define LINE_CONTROL_LENGTH           0x03u /* data bits less 5 */
#define LINE_CONTROL_8N1              0x03u
#define LINE_CONTROL_TWO_STOP_BITS    0x04u
#define LINE_CONTROL_PARITY           0x08u
#define LINE_CONTROL_DIVISOR_LATCH    0x80u
#define MODEM_CONTROL_BITS            0x1fu
#define MODEM_CONTROL_DTR             0x01u
#define MODEM_CONTROL_RTS             0x02u
#define MODEM_CONTROL_OUT1            0x04u
#define MODEM_CONTROL_OUT2            0x08u
#define MODEM_CONTROL_LOOP            0x10u
#define LINE_STATUS_DATA_READY        0x01u
#define LINE_STATUS_OVERRUN           0x02u
#define LINE_STATUS_TRANSMITTER_EMPTY 0x60u /* THRE and TEMT */
#define MODEM_STATUS_CTS              0x10u
#define MODEM_STATUS_DSR              0x20u
#define MODEM_STATUS_RI               0x40u
#define MODEM_STATUS_DCD              0x80u
#define MODEM_STATUS_CHANGES          0x0fu

#define TIMEOUT_CHARACTERS 4u
/* One bit takes `divisor` periods of 115200 Hz. */
#define DIVISOR_NANOSECONDS(half_bits, divisor) ((half_bits) * (divisor)*DEVICE_SECOND / (2 * 115200u))

void guest_uart_reset(struct guest_uart *uart)
{
    *uart = (struct guest_uart){.output = uart->output,
                                .interrupt = uart->interrupt,
                                .line_control = LINE_CONTROL_8N1,
                                .data_bits = 0xff,
                                .divisor_low = 1,
                                .trigger = 1};
    device_line_set(&uart->interrupt, false);
}

static bool divisor_latch_open(const struct guest_uart *uart)
{
    return (uart->line_control & LINE_CONTROL_DIVISOR_LATCH) != 0;
}

static bool loopback(const struct guest_uart *uart)
{
    return (uart->modem_control & MODEM_CONTROL_LOOP) != 0;
}

/* What is pending and enabled, as the identification register shows it. */
static uint8_t pending(const struct guest_uart *uart)
{
    uint8_t enabled = uart->interrupt_enable;

    if ((enabled & ENABLE_LINE_STATUS) != 0 && uart->overrun)
        return ID_LINE_STATUS;
    if ((enabled & ENABLE_RECEIVED) != 0 && uart->received_count >= uart->trigger)
        return ID_RECEIVED;
    if ((enabled & ENABLE_RECEIVED) != 0 && uart->timed_out)
        return ID_TIMEOUT;
    if ((enabled & ENABLE_TRANSMITTER) != 0 && uart->transmitter_empty_due)
        return ID_TRANSMITTER;
    if ((enabled & ENABLE_MODEM_STATUS) != 0 && uart->modem_changes != 0)
        return ID_MODEM_STATUS;
    return ID_NONE;
}

/* On a PC, OUT2 lets the interrupt through to the bus; loopback mode takes the output pins away. */
static void update_interrupt(struct guest_uart *uart)
{
    bool open = (uart->modem_control & (MODEM_CONTROL_OUT2 | MODEM_CONTROL_LOOP)) == MODEM_CONTROL_OUT2;

    device_line_set(&uart->interrupt, open && pending(uart) != ID_NONE);
}

/* In loopback mode the outputs come back as inputs; else a terminal is connected and ready. */
static uint8_t modem_lines(uint8_t outputs)
{
    uint8_t lines = 0;

    if ((outputs & MODEM_CONTROL_LOOP) == 0)
        return MODEM_STATUS_CTS | MODEM_STATUS_DSR | MODEM_STATUS_DCD;
    lines |= (outputs & MODEM_CONTROL_DTR) != 0 ? MODEM_STATUS_DSR : 0;
    lines |= (outputs & MODEM_CONTROL_RTS) != 0 ? MODEM_STATUS_CTS : 0;
    lines |= (outputs & MODEM_CONTROL_OUT1) != 0 ? MODEM_STATUS_RI : 0;
    lines |= (outputs & MODEM_CONTROL_OUT2) != 0 ? MODEM_STATUS_DCD : 0;
    return lines;
}

/* Bits 3:0 tell that bits 7:4 have changed; the ring indicator counts when it ends. */
static void write_modem_control(struct guest_uart *uart, uint8_t value)
{
    uint8_t before = modem_lines(uart->modem_control), after = modem_lines(value);
    uint8_t changed = before ^ after;

    if ((after & MODEM_STATUS_RI) != 0)
        changed &= (uint8_t)~MODEM_STATUS_RI;
    uart->modem_changes |= changed >> 4;
    uart->modem_control = value & MODEM_CONTROL_BITS;
}

static void take_in(struct guest_uart *uart, uint8_t value, uint64_t now)
{
    uint8_t room = uart->fifo_enabled ? GUEST_UART_FIFO : 1;

    uart->active_at = now;
    uart->timed_out = false;
    if (uart->received_count < room) {
        uart->received[(uart->received_first + uart->received_count) % GUEST_UART_FIFO] = value;
        uart->received_count++;
        return;
    }
    uart->overrun = true;
    if (!uart->fifo_enabled) /* the newer byte replaces the one unread */
        uart->received[uart->received_first] = value;
}

void guest_uart_receive(struct guest_uart *uart, uint8_t value, uint64_t now)
{
    if (loopback(uart)) /* the receiver listens to its own transmitter */
        return;
    take_in(uart, value & uart->data_bits, now);
    update_interrupt(uart);
}

bool guest_uart_has_room(const struct guest_uart *uart)
{
    return !loopback(uart) && uart->received_count < (uart->fifo_enabled ? GUEST_UART_FIFO : 1);
}

static uint8_t read_received(struct guest_uart *uart, uint64_t now)
{
    uint8_t value = uart->received[uart->received_first];

    if (uart->received_count == 0)
        return 0;
    uart->active_at = now;
    uart->timed_out = false;
    uart->received_first = (uart->received_first + 1) % GUEST_UART_FIFO;
    uart->received_count--;
    update_interrupt(uart);
    return value;
}

static uint8_t read_line_status(struct guest_uart *uart)
{
    uint8_t status = LINE_STATUS_TRANSMITTER_EMPTY;

    if (uart->received_count > 0)
        status |= LINE_STATUS_DATA_READY;
    if (uart->overrun) {
        status |= LINE_STATUS_OVERRUN;
        uart->overrun = false;
        update_interrupt(uart);
    }
    return status;
}

static uint8_t read_modem_status(struct guest_uart *uart)
{
    uint8_t status = modem_lines(uart->modem_control) | uart->modem_changes;

    uart->modem_changes = 0;
    update_interrupt(uart);
    return status;
}

/* Reading it takes the THRE interrupt back, if that is what it shows. */
static uint8_t read_interrupt_id(struct guest_uart *uart)
{
    uint8_t id = pending(uart);

    if (id == ID_TRANSMITTER) {
        uart->transmitter_empty_due = false;
        update_interrupt(uart);
    }
    return uart->fifo_enabled ? id | ID_FIFO : id;
}

static uint64_t next(const void *device)
{
    const struct guest_uart *uart = device;
    uint64_t half_bits, divisor;

    if (uart->received_count == 0 || !uart->fifo_enabled || uart->timed_out ||
        (uart->interrupt_enable & ENABLE_RECEIVED) == 0)
        return DEVICE_NEVER;
    divisor = uart->divisor_high * 256u + uart->divisor_low;
    if (divisor == 0)
        divisor = 0x10000;
    half_bits = 2 * (1u + 5u + (uart->line_control & LINE_CONTROL_LENGTH) + 1u);
    half_bits += (uart->line_control & LINE_CONTROL_PARITY) != 0 ? 2 : 0;
    if ((uart->line_control & LINE_CONTROL_TWO_STOP_BITS) != 0) /* one and a half with five data bits */
        half_bits += (uart->line_control & LINE_CONTROL_LENGTH) == 0 ? 1 : 2;
    return uart->active_at + DIVISOR_NANOSECONDS(TIMEOUT_CHARACTERS * half_bits, divisor);
}

static void run(void *device, uint64_t now)
{
    struct guest_uart *uart = device;

    if (next(uart) > now)
        return;
    uart->timed_out = true;
    update_interrupt(uart);
}

uint8_t guest_uart_read(struct guest_uart *uart, uint16_t offset, uint64_t now)
{
    switch (offset) {
    case DATA:
        return divisor_latch_open(uart) ? uart->divisor_low : read_received(uart, now);
    case INTERRUPT_ENABLE:
        return divisor_latch_open(uart) ? uart->divisor_high : uart->interrupt_enable;
    case INTERRUPT_ID:
        run(uart, now);
        return read_interrupt_id(uart);
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

/* The other bits count only together with the enable bit. */
static void write_fifo_control(struct guest_uart *uart, uint8_t value)
{
    static const uint8_t triggers[4] = {1, 4, 8, 14};
    bool enable = (value & FIFO_CONTROL_ENABLE) != 0;

    if (enable != uart->fifo_enabled || (enable && (value & FIFO_CONTROL_CLEAR_RECEIVED) != 0)) {
        uart->received_first = uart->received_count = 0;
        uart->timed_out = false;
    }
    uart->fifo_enabled = enable;
    uart->trigger = enable ? triggers[value >> 6] : 1;
}

static void send(struct guest_uart *uart, uint8_t value, uint64_t now)
{
    value &= uart->data_bits;
    if (loopback(uart))
        take_in(uart, value, now);
    else
        device_output_put(&uart->output, value);
}

/* The holding register fills and is empty again: what was pending goes, and comes anew as an edge. */
static void transmit(struct guest_uart *uart, uint8_t value, uint64_t now)
{
    if (uart->interrupt_enable == 0) { /* a guest that prints by polling: every instruction counts */
        uart->transmitter_empty_due = true;
        send(uart, value, now);
        return;
    }
    uart->transmitter_empty_due = false;
    update_interrupt(uart);
    send(uart, value, now);
    uart->transmitter_empty_due = true;
    update_interrupt(uart);
}

/* Enabling the transmitter's interrupt while it is empty raises it. */
static void write_interrupt_enable(struct guest_uart *uart, uint8_t value)
{
    if ((value & ~uart->interrupt_enable & ENABLE_TRANSMITTER) != 0)
        uart->transmitter_empty_due = true;
    uart->interrupt_enable = value & ENABLE_BITS;
}

void guest_uart_write(struct guest_uart *uart, uint16_t offset, uint8_t value, uint64_t now)
{
    switch (offset) {
    case DATA:
        if (!divisor_latch_open(uart)) {
            transmit(uart, value, now);
            return;
        }
        uart->divisor_low = value;
        break;
    case INTERRUPT_ENABLE:
        if (divisor_latch_open(uart))
            uart->divisor_high = value;
        else
            write_interrupt_enable(uart, value);
        break;
    case FIFO_CONTROL:
        write_fifo_control(uart, value);
        break;
    case LINE_CONTROL:
        uart->line_control = value;
        /* A frame carries the lowest of a character's bits, as many as this says; the others read as 0. */
        uart->data_bits = (uint8_t)(0xffu >> (3 - (value & LINE_CONTROL_LENGTH)));
        return;
    case MODEM_CONTROL:
        write_modem_control(uart, value);
        break;
    case SCRATCH:
        uart->scratch = value;
        return;
    default: /* the status registers cannot be written */
        return;
    }
    update_interrupt(uart);
}

static uint32_t port_read(void *device, uint16_t port, unsigned size, uint64_t now)
{
    (void)size;
    return guest_uart_read(device, port & 7, now);
}

static void port_write(void *device, uint16_t port, unsigned size, uint32_t value, uint64_t now)
{
    struct guest_uart *uart = device;

    (void)size;
    if ((port & 7) == DATA && !divisor_latch_open(uart))
        transmit(uart, (uint8_t)value, now);
    else
        guest_uart_write(uart, port & 7, (uint8_t)value, now);
}

bool guest_uart_attach(struct guest_uart *uart, struct bus *bus, uint16_t base)
{
    const struct device_ports ports = {"uart", base, (uint16_t)(base + 7), 1, uart, port_read, port_write};
    const struct device_timer timer = {uart, next, run};

    return bus_add_ports(bus, &ports) && bus_add_timer(bus, &timer);
}
