/* SPDX-License-Identifier: MIT */
/* drivers/uart16550.c against a simulated UART: present, absent, stuck, without FIFO. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "drivers/uart16550.h"
#include "test/host/simulated_uart.h"

#define PORT 0x3f8u

static struct simulated_uart device;

static uint8_t port_in(uint16_t port)
{
    assert_in_range(port, PORT, PORT + 7);
    return simulated_uart_in(&device, port - PORT);
}

static void port_out(uint16_t port, uint8_t value)
{
    assert_in_range(port, PORT, PORT + 7);
    simulated_uart_out(&device, port - PORT, value);
}

static const struct uart_ports ports = {.in = port_in, .out = port_out};

static int fresh_device(void **state)
{
    (void)state;
    simulated_uart_reset(&device);
    return 0;
}

static enum uart_status start(struct uart16550 *uart, uint32_t baud)
{
    return uart_init_ports(uart, &ports, PORT, baud);
}

static void assert_sent(const char *text)
{
    device.sent[device.sent_length] = '\0';
    assert_string_equal(device.sent, text);
    assert_int_equal(device.overruns, 0);
}

static void starts_8n1_with_fifo_and_no_interrupts(void **state)
{
    struct uart16550 uart;

    (void)state;
    device.interrupt_enable = 0x0f;
    device.line_control = 0x80;
    assert_int_equal(start(&uart, 9600), UART_OK);
    assert_int_equal(device.divisor[0], 12);
    assert_int_equal(device.divisor[1], 0);
    assert_int_equal(device.line_control, 0x03);
    assert_int_equal(device.interrupt_enable, 0);
    assert_int_equal(device.fifo_control & 1, 1);
    assert_int_equal(device.modem_control, 0x03);
    assert_int_equal(uart.fifo_size, 16);
    assert_sent("");
}

static void divisors(void **state)
{
    struct uart16550 uart;

    (void)state;
    assert_int_equal(start(&uart, 115200), UART_OK);
    assert_int_equal(device.divisor[0], 1);
    assert_int_equal(start(&uart, 300), UART_OK);
    assert_int_equal(device.divisor[0], 384 % 256);
    assert_int_equal(device.divisor[1], 384 / 256);
    assert_int_equal(start(&uart, 115201), UART_BAD_BAUD);
    assert_int_equal(start(&uart, UINT32_MAX), UART_BAD_BAUD);
    assert_int_equal(start(&uart, 1), UART_BAD_BAUD);
    assert_false(uart.present);
    assert_int_equal(device.divisor[1], 384 / 256);
    assert_int_equal(start(&uart, 0), UART_OK); /* keeps 300 */
    assert_int_equal(device.divisor[0], 384 % 256);
    assert_int_equal(device.divisor[1], 384 / 256);
    assert_int_equal(device.line_control, 0x03);
}

static void writes_all_and_flushes(void **state)
{
    static const char text[] = "The tour begins: 0123456789 0123456789 0123456789, and ends.";
    struct uart16550 uart;

    (void)state;
    assert_int_equal(start(&uart, 115200), UART_OK);
    uart_write(&uart, text, strlen(text));
    assert_true(device.sent_length < strlen(text));
    assert_true(uart_flush(&uart));
    assert_sent(text);
    assert_int_equal(uart.lost, 0);
}

static void put_takes_what_the_fifo_holds(void **state)
{
    static const char text[] = "abcdefghijklmnopqrstuvwxyz";
    struct uart16550 uart;

    (void)state;
    device.accesses_per_byte = 1000;
    assert_int_equal(start(&uart, 115200), UART_OK);
    assert_int_equal(uart_put(&uart, text, 3), 3);
    assert_int_equal(uart_put(&uart, text + 3, 23), 13); /* room is remembered */
    assert_int_equal(uart_put(&uart, text + 16, 10), 0);
    assert_int_equal(uart_put(&uart, text + 16, 0), 0);
    device.accesses_per_byte = 2;
    uart_write(&uart, text + 16, 10);
    assert_true(uart_flush(&uart));
    assert_sent(text);
}

static void get_never_waits(void **state)
{
    struct uart16550 uart;
    uint64_t before;

    (void)state;
    assert_int_equal(start(&uart, 115200), UART_OK);
    before = device.accesses;
    assert_int_equal(uart_get(&uart), -1);
    assert_int_equal(device.accesses, before + 1);
    simulated_uart_arrives(&device, 0xe4);
    assert_int_equal(uart_get(&uart), 0xe4);
    assert_int_equal(uart_get(&uart), -1);
    simulated_uart_arrives(&device, 'x');
    device.absent = true; /* unplugged: its status reads 0xff, "data ready" among it */
    assert_int_equal(uart_get(&uart), -1);
    assert_int_equal(start(&uart, 115200), UART_ABSENT);
    assert_int_equal(uart_get(&uart), -1);
    assert_sent("");
}

static void without_fifo(void **state)
{
    struct uart16550 uart;

    (void)state;
    device.no_fifo = true;
    assert_int_equal(start(&uart, 115200), UART_OK);
    assert_int_equal(uart.fifo_size, 1);
    uart_write(&uart, "one by one", 10);
    assert_true(uart_flush(&uart));
    assert_sent("one by one");
}

static void absent(void **state)
{
    struct uart16550 uart;

    (void)state;
    device.absent = true;
    assert_int_equal(start(&uart, 115200), UART_ABSENT);
    assert_true(device.accesses < 10);
    device.accesses = 0;
    assert_int_equal(uart_put(&uart, "text", 4), 4);
    uart_write(&uart, "text", 4);
    assert_true(uart_flush(&uart));
    assert_int_equal(device.accesses, 0);
}

static void answers_but_never_loops_back(void **state)
{
    struct uart16550 uart;

    (void)state;
    device.no_modem_loopback = true;
    device.dead = true; /* THRE is on, and the byte looped back never comes */
    assert_int_equal(start(&uart, 115200), UART_ABSENT);
    assert_false(uart.present);
    assert_true(device.accesses < 10 * 1000 * 1000);
}

static void either_loopback_will_do(void **state)
{
    struct uart16550 uart;

    (void)state;
    device.no_modem_loopback = true;
    assert_int_equal(start(&uart, 115200), UART_OK);
    device.no_modem_loopback = false;
    device.no_data_loopback = true;
    assert_int_equal(start(&uart, 115200), UART_OK);
    device.no_modem_loopback = true;
    assert_int_equal(start(&uart, 115200), UART_ABSENT);
    assert_sent("");
}

static void lets_the_boot_loaders_text_out_first(void **state)
{
    struct uart16550 uart;

    (void)state;
    device.fifo_control = 1;
    for (const char *c = "from GRUB"; *c != '\0'; c++) {
        simulated_uart_out(&device, 0, (uint8_t)*c);
    }
    assert_int_equal(start(&uart, 115200), UART_OK);
    assert_sent("from GRUB");
}

static void stuck_is_bounded_then_cheap_then_recovers(void **state)
{
    static const char text[] = "0123456789abcdefXYZ";
    struct uart16550 uart;

    (void)state;
    assert_int_equal(start(&uart, 115200), UART_OK);
    device.dead = true;
    uart_write(&uart, text, 19); /* 16 into the FIFO, 3 lost after the bound */
    assert_true(uart.stuck);
    assert_int_equal(uart.lost, 3);
    assert_true(device.accesses < 10 * 1000 * 1000);

    device.accesses = 0;
    for (int i = 0; i < 100; i++) {
        uart_write(&uart, "more", 4);
    }
    assert_int_equal(uart.lost, 403);
    assert_false(uart_flush(&uart));
    assert_true(device.accesses < 1000); /* one look each, no wait */

    device.dead = false;
    assert_false(uart_flush(&uart)); /* one look: not empty yet */
    for (int i = 0; i < 200; i++) {
        (void)simulated_uart_in(&device, 5);
    }
    uart_write(&uart, "!", 1);
    assert_false(uart.stuck);
    assert_true(uart_flush(&uart));
    assert_sent("0123456789abcdef!");
    assert_int_equal(uart.lost, 403);
}

/* Nobody who retries uart_put until all is taken does so for ever. */
static void put_gives_up_on_a_stuck_uart(void **state)
{
    static const char text[] = "0123456789abcdef0123";
    struct uart16550 uart;
    size_t taken = 0;
    uint64_t calls = 0;

    (void)state;
    assert_int_equal(start(&uart, 115200), UART_OK);
    device.dead = true;
    while (taken < 20) {
        taken += uart_put(&uart, text + taken, 20 - taken);
        assert_true(++calls < 10 * 1000 * 1000);
    }
    assert_true(uart.stuck);
    assert_int_equal(uart.lost, 4);
}

static void flush_is_bounded(void **state)
{
    struct uart16550 uart;

    (void)state;
    assert_int_equal(start(&uart, 1200), UART_OK);
    device.dead = true;
    uart_write(&uart, "x", 1);
    assert_false(uart_flush(&uart));
    assert_true(uart.stuck);
    assert_true(device.accesses < 100 * 1000 * 1000);
}

/* A memory-mapped one cannot react in user space: a page of constants serves for presence and register
 * places. */
static void memory_mapped(void **state)
{
    volatile uint32_t registers[8];
    struct uart16550 uart;

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        registers[i] = UINT32_MAX;
    }
    assert_int_equal(uart_init_mmio(&uart, registers, UART_LAYOUT_WORDS, 115200), UART_ABSENT);
    for (unsigned i = 0; i < 8; i++) {
        assert_int_equal(registers[i], UINT32_MAX);
    }

    registers[5] = 0xffffff61; /* bits above the register are noise; data ready, so data "loops back" */
    registers[6] = 0;
    assert_int_equal(uart_init_mmio(&uart, registers, UART_LAYOUT_WORDS, 0), UART_OK);
    assert_int_equal(registers[1], 0);
    assert_int_equal(registers[2], 0x07);
    assert_int_equal(registers[3], 0x03);
    assert_int_equal(registers[4], 0x03);
    assert_int_equal(uart.fifo_size,
                     1); /* what was written to the FIFO control is read as interrupt id 0x07 */
    uart_write(&uart, "A", 1);
    assert_int_equal(registers[0], 'A');
    assert_true(uart_flush(&uart));
    registers[5] = 0;
    assert_int_equal(uart_put(&uart, "B", 1), 0);
    assert_int_equal(registers[0], 'A');
}

/* The same with registers that are bytes, next to each other, in half-words and in words: no access is wider.
 */
static void memory_mapped_by_bytes(void **state)
{
    (void)state;
    for (uint8_t stride = 1; stride <= 4; stride *= 2) {
        volatile uint8_t registers[8 * 4];
        struct uart16550 uart;

        for (unsigned i = 0; i < sizeof(registers); i++) {
            registers[i] = i % stride == 0 ? 0 : 0xee;
        }
        registers[5 * stride] = 0x61;
        assert_int_equal(uart_init_mmio(&uart, registers, (struct uart_layout){stride, 1}, 0), UART_OK);
        assert_int_equal(registers[2 * stride], 0x07);
        assert_int_equal(registers[3 * stride], 0x03);
        assert_int_equal(registers[4 * stride], 0x03);
        assert_int_equal(registers[6 * stride], 0);
        uart_write(&uart, "A", 1);
        assert_int_equal(registers[0], 'A');
        assert_int_equal(uart_get(&uart), 'A');
        for (unsigned i = 0; i < 8u * stride; i++) {
            if (i % stride != 0) {
                assert_int_equal(registers[i], 0xee);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(starts_8n1_with_fifo_and_no_interrupts, fresh_device),
        cmocka_unit_test_setup(divisors, fresh_device),
        cmocka_unit_test_setup(writes_all_and_flushes, fresh_device),
        cmocka_unit_test_setup(put_takes_what_the_fifo_holds, fresh_device),
        cmocka_unit_test_setup(get_never_waits, fresh_device),
        cmocka_unit_test_setup(without_fifo, fresh_device),
        cmocka_unit_test_setup(absent, fresh_device),
        cmocka_unit_test_setup(answers_but_never_loops_back, fresh_device),
        cmocka_unit_test_setup(either_loopback_will_do, fresh_device),
        cmocka_unit_test_setup(lets_the_boot_loaders_text_out_first, fresh_device),
        cmocka_unit_test_setup(stuck_is_bounded_then_cheap_then_recovers, fresh_device),
        cmocka_unit_test_setup(put_gives_up_on_a_stuck_uart, fresh_device),
        cmocka_unit_test_setup(flush_is_bounded, fresh_device),
        cmocka_unit_test_setup(memory_mapped, fresh_device),
        cmocka_unit_test_setup(memory_mapped_by_bytes, fresh_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
