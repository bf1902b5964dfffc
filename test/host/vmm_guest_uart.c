/* SPDX-License-Identifier: MIT */
/* vmm/devices/uart.c and debug_port.c: as a guest sees them, and driven by our own UART driver. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "drivers/uart16550.h"
#include "vmm/devices/debug_port.h"
#include "vmm/devices/uart.h"

static struct guest_uart uart;
static struct guest_line line;

static int reset(void **state)
{
    (void)state;
    memset(&line, 0, sizeof(line));
    memset(&uart, 0xff, sizeof(uart));
    guest_uart_reset(&uart);
    return 0;
}

static void write_register(uint16_t offset, uint8_t value)
{
    assert_false(guest_uart_write(&uart, offset, value, &line));
}

static void after_reset(void **state)
{
    static const uint8_t expected[8] = {0x00, 0x00, 0x01, 0x03, 0x00, 0x60, 0xb0, 0x00};

    (void)state;
    for (uint16_t offset = 0; offset < 8; offset++) {
        assert_int_equal(guest_uart_read(&uart, offset), expected[offset]);
    }
    assert_int_equal(guest_uart_read(&uart, 8), 0xff);
    assert_int_equal(guest_uart_read(&uart, 0xffff), 0xff);
    write_register(8, 'x');
    assert_int_equal(line.length, 0);
}

static void sends_lines(void **state)
{
    (void)state;
    write_register(0, 'h');
    write_register(0, 'i');
    write_register(0, '\r');
    assert_int_equal(guest_uart_read(&uart, 5), 0x60);
    assert_true(guest_uart_write(&uart, 0, '\n', &line));
    assert_string_equal(line.text, "hi");
}

static void divisor_latch(void **state)
{
    (void)state;
    assert_int_equal(uart.divisor_low, 1);
    write_register(1, 0xff);
    write_register(3, 0x83);
    write_register(0, 0x80);
    write_register(1, 0x01);
    assert_int_equal(guest_uart_read(&uart, 0), 0x80);
    assert_int_equal(guest_uart_read(&uart, 1), 0x01);
    write_register(3, 0x03);
    assert_int_equal(guest_uart_read(&uart, 0), 0x00);
    assert_int_equal(guest_uart_read(&uart, 1), 0x0f); /* only four interrupts exist */
    assert_int_equal(line.length, 0);
}

static void plain_registers(void **state)
{
    (void)state;
    write_register(7, 0xa5);
    assert_int_equal(guest_uart_read(&uart, 7), 0xa5);
    write_register(4, 0xff);
    assert_int_equal(guest_uart_read(&uart, 4), 0x1f);
    write_register(5, 0x00);
    write_register(6, 0x00);
    assert_int_equal(guest_uart_read(&uart, 5), 0x60);
    write_register(2, 0x01);
    assert_int_equal(guest_uart_read(&uart, 2), 0xc1);
    write_register(2, 0x00);
    assert_int_equal(guest_uart_read(&uart, 2), 0x01);
}

static void modem_lines_in_loopback(void **state)
{
    static const uint8_t expected[16] = {0x00, 0x20, 0x10, 0x30, 0x40, 0x60, 0x50, 0x70,
                                         0x80, 0xa0, 0x90, 0xb0, 0xc0, 0xe0, 0xd0, 0xf0};

    (void)state;
    for (uint8_t outputs = 0; outputs < 16; outputs++) {
        write_register(4, 0x10 | outputs);
        assert_int_equal(guest_uart_read(&uart, 6), expected[outputs]);
    }
    write_register(4, 0x0f);
    assert_int_equal(guest_uart_read(&uart, 6), 0xb0);
}

static void data_in_loopback(void **state)
{
    (void)state;
    write_register(4, 0x10);
    write_register(0, 0xae);
    assert_int_equal(guest_uart_read(&uart, 5), 0x61);
    assert_int_equal(guest_uart_read(&uart, 0), 0xae);
    assert_int_equal(guest_uart_read(&uart, 5), 0x60);
    write_register(0, 1);
    write_register(0, 2); /* no FIFO: the first is gone */
    assert_int_equal(guest_uart_read(&uart, 5), 0x63);
    assert_int_equal(guest_uart_read(&uart, 5), 0x61);
    assert_int_equal(guest_uart_read(&uart, 0), 2);
    assert_int_equal(line.length, 0);

    write_register(2, 0x01);
    for (uint8_t round = 0; round < 3; round++) {
        for (uint8_t i = 0; i < 17; i++) {
            write_register(0, i);
        }
        assert_int_equal(guest_uart_read(&uart, 5), 0x63);
        for (uint8_t i = 0; i < 16; i++) {
            assert_int_equal(guest_uart_read(&uart, 0), i);
        }
        assert_int_equal(guest_uart_read(&uart, 5), 0x60);
        write_register(0, 9); /* the next round starts elsewhere in the ring */
        assert_int_equal(guest_uart_read(&uart, 0), 9);
    }
    write_register(0, 7);
    write_register(2, 0x03);
    assert_int_equal(guest_uart_read(&uart, 5), 0x60);
    write_register(0, 7);
    write_register(2, 0x00); /* switching the FIFO empties it */
    assert_int_equal(guest_uart_read(&uart, 5), 0x60);
}

/* What the host's driver wants of a UART, a guest's UART has. */
static uint8_t port_in(uint16_t port)
{
    return guest_uart_read(&uart, port);
}

static void port_out(uint16_t port, uint8_t value)
{
    (void)guest_uart_write(&uart, port, value, &line);
}

static void our_own_driver_accepts_it(void **state)
{
    static const struct uart_ports ports = {.in = port_in, .out = port_out};
    struct uart16550 driver;

    (void)state;
    assert_int_equal(uart_init_ports(&driver, &ports, 0, 38400), UART_OK);
    assert_int_equal(driver.fifo_size, 16);
    assert_int_equal(uart.divisor_low, 3);
    uart_write(&driver, "Adept in Adept, more than a FIFO\n", 33);
    assert_true(uart_flush(&driver));
    assert_true(line.complete);
    assert_string_equal(line.text, "Adept in Adept, more than a FIFO");
}

static void any_access_is_survived(void **state)
{
    unsigned random = 1;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        uint16_t offset;

        random = random * 1103515245u + 12345u;
        offset = (random >> 28) == 0 ? (uint16_t)(random >> 8) : (random >> 24) & 7;
        if ((random >> 16) & 1) {
            (void)guest_uart_read(&uart, offset);
        } else {
            (void)guest_uart_write(&uart, offset, (uint8_t)(random >> 8), &line);
        }
        assert_in_range(uart.received_count, 0, GUEST_UART_FIFO);
        assert_in_range(uart.received_first, 0, GUEST_UART_FIFO - 1);
    }
}

static void debug_ports(void **state)
{
    (void)state;
    assert_int_equal(debug_port_read(0xe9), 0xe9);
    assert_int_equal(debug_port_read(0x402), 0xe9);
    assert_int_equal(debug_port_read(0x403), 0xff);
    assert_false(debug_port_write(0xe9, 'o', &line));
    assert_false(debug_port_write(0x402, 'k', &line));
    assert_false(debug_port_write(0x80, '!', &line));
    assert_true(debug_port_write(0xe9, '\n', &line));
    assert_string_equal(line.text, "ok");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_reset, reset),
        cmocka_unit_test_setup(sends_lines, reset),
        cmocka_unit_test_setup(divisor_latch, reset),
        cmocka_unit_test_setup(plain_registers, reset),
        cmocka_unit_test_setup(modem_lines_in_loopback, reset),
        cmocka_unit_test_setup(data_in_loopback, reset),
        cmocka_unit_test_setup(our_own_driver_accepts_it, reset),
        cmocka_unit_test_setup(any_access_is_survived, reset),
        cmocka_unit_test_setup(debug_ports, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
