/* SPDX-License-Identifier: MIT */
/* vmm/devices/uart.c: as a guest sees it, and driven by our own UART driver. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "drivers/uart16550.h"
#include "vmm/devices/uart.h"
#include "vmm/vm/line.h"

static struct guest_uart uart;
static struct bus bus;
static struct guest_line line;

/* When the device wants to be called: it was reached by other ways than its ports. */
static uint64_t next_moment(void)
{
    bus_device_accessed(&bus, &uart);
    return bus_next(&bus);
}
static bool line_complete;
static uint8_t sent_last;
static bool irq;
static unsigned irq_rises; /* edges, as an 8259A counts them */
static uint64_t now;

static void put(void *context, unsigned number, uint8_t byte)
{
    assert_ptr_equal(context, &line);
    assert_int_equal(number, 3);
    sent_last = byte;
    line_complete = guest_line_put(&line, (char)byte);
}

static void set_irq(void *context, unsigned number, bool level)
{
    assert_ptr_equal(context, &uart);
    assert_int_equal(number, 4);
    irq_rises += level && !irq;
    irq = level;
}

static int reset(void **state)
{
    (void)state;
    memset(&line, 0, sizeof(line));
    memset(&uart, 0xff, sizeof(uart));
    uart.output = (struct device_output){put, &line, 3};
    uart.interrupt = (struct device_line){set_irq, &uart, 4};
    irq = true;
    now = 1000;
    guest_uart_reset(&uart);
    bus_init(&bus);
    assert_true(guest_uart_attach(&uart, &bus, 0x2f8));
    assert_false(irq);
    irq_rises = 0;
    line_complete = false;
    return 0;
}

static void write_register(uint16_t offset, uint8_t value)
{
    guest_uart_write(&uart, offset, value, now);
    assert_false(line_complete);
}

static void after_reset(void **state)
{
    static const uint8_t expected[8] = {0x00, 0x00, 0x01, 0x03, 0x00, 0x60, 0xb0, 0x00};

    (void)state;
    for (uint16_t offset = 0; offset < 8; offset++) {
        assert_int_equal(guest_uart_read(&uart, offset, now), expected[offset]);
    }
    assert_int_equal(guest_uart_read(&uart, 8, now), 0xff);
    assert_int_equal(guest_uart_read(&uart, 0xffff, now), 0xff);
    write_register(8, 'x');
    assert_int_equal(line.length, 0);
}

static void sends_lines(void **state)
{
    (void)state;
    write_register(0, 'h');
    write_register(0, 'i');
    write_register(0, '\r');
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x60);
    guest_uart_write(&uart, 0, '\n', now);
    assert_true(line_complete);
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
    assert_int_equal(guest_uart_read(&uart, 0, now), 0x80);
    assert_int_equal(guest_uart_read(&uart, 1, now), 0x01);
    write_register(3, 0x03);
    assert_int_equal(guest_uart_read(&uart, 0, now), 0x00);
    assert_int_equal(guest_uart_read(&uart, 1, now), 0x0f); /* only four interrupts exist */
    assert_int_equal(line.length, 0);
}

static void plain_registers(void **state)
{
    (void)state;
    write_register(7, 0xa5);
    assert_int_equal(guest_uart_read(&uart, 7, now), 0xa5);
    write_register(4, 0xff);
    assert_int_equal(guest_uart_read(&uart, 4, now), 0x1f);
    write_register(5, 0x00);
    write_register(6, 0x00);
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x60);
    write_register(2, 0x01);
    assert_int_equal(guest_uart_read(&uart, 2, now), 0xc1);
    write_register(2, 0x00);
    assert_int_equal(guest_uart_read(&uart, 2, now), 0x01);
}

static void modem_lines_in_loopback(void **state)
{
    static const uint8_t expected[16] = {0x00, 0x20, 0x10, 0x30, 0x40, 0x60, 0x50, 0x70,
                                         0x80, 0xa0, 0x90, 0xb0, 0xc0, 0xe0, 0xd0, 0xf0};

    (void)state;
    for (uint8_t outputs = 0; outputs < 16; outputs++) {
        write_register(4, 0x10 | outputs);
        (void)guest_uart_read(&uart, 6, now);
        assert_int_equal(guest_uart_read(&uart, 6, now), expected[outputs]);
    }
    write_register(4, 0x0f);
    assert_int_equal(guest_uart_read(&uart, 6, now), 0xb4); /* the ring indicator has ended */
    assert_int_equal(guest_uart_read(&uart, 6, now), 0xb0);
}

static void modem_changes(void **state)
{
    (void)state;
    write_register(4, 0x10); /* from a terminal to four lines down */
    assert_int_equal(guest_uart_read(&uart, 6, now), 0x0b);
    write_register(4, 0x14); /* ring: counts when it ends */
    assert_int_equal(guest_uart_read(&uart, 6, now), 0x40);
    write_register(4, 0x10);
    assert_int_equal(guest_uart_read(&uart, 6, now), 0x04);
    write_register(4, 0x11);
    write_register(4, 0x10); /* there and back is a change all the same */
    assert_int_equal(guest_uart_read(&uart, 6, now), 0x02);
    assert_int_equal(guest_uart_read(&uart, 6, now), 0x00);
}

static void data_in_loopback(void **state)
{
    (void)state;
    write_register(4, 0x10);
    write_register(0, 0xae);
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x61);
    assert_int_equal(guest_uart_read(&uart, 0, now), 0xae);
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x60);
    write_register(0, 1);
    write_register(0, 2); /* no FIFO: the first is gone */
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x63);
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x61);
    assert_int_equal(guest_uart_read(&uart, 0, now), 2);
    assert_int_equal(line.length, 0);

    write_register(2, 0x01);
    for (uint8_t round = 0; round < 3; round++) {
        for (uint8_t i = 0; i < 17; i++) {
            write_register(0, i);
        }
        assert_int_equal(guest_uart_read(&uart, 5, now), 0x63);
        for (uint8_t i = 0; i < 16; i++) {
            assert_int_equal(guest_uart_read(&uart, 0, now), i);
        }
        assert_int_equal(guest_uart_read(&uart, 5, now), 0x60);
        write_register(0, 9); /* the next round starts elsewhere in the ring */
        assert_int_equal(guest_uart_read(&uart, 0, now), 9);
    }
    write_register(0, 7);
    write_register(2, 0x03);
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x60);
    write_register(0, 7);
    write_register(2, 0x00); /* switching the FIFO empties it */
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x60);
}

/* A frame has 5 to 8 data bits: what is above is sent neither round nor out, and does not come in. */
static void word_length(void **state)
{
    static const uint8_t masks[4] = {0x1f, 0x3f, 0x7f, 0xff};

    (void)state;
    for (uint8_t length = 0; length < 4; length++) {
        write_register(3, length);
        write_register(4, 0x10);
        write_register(0, 0xff);
        assert_int_equal(guest_uart_read(&uart, 0, now), masks[length]);
        write_register(0, 0xaa);
        assert_int_equal(guest_uart_read(&uart, 0, now), 0xaa & masks[length]);
        write_register(4, 0x00);
        guest_uart_receive(&uart, 0xfe, now);
        assert_int_equal(guest_uart_read(&uart, 0, now), 0xfe & masks[length]);
        line.length = 0;
        write_register(0, 0xc3);
        assert_int_equal(sent_last, 0xc3 & masks[length]);
    }
}

/* What the host's driver wants of a UART, a guest's UART has. */
static uint8_t port_in(uint16_t port)
{
    return guest_uart_read(&uart, port, now);
}

static void port_out(uint16_t port, uint8_t value)
{
    guest_uart_write(&uart, port, value, now);
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

/* Interrupts: what raises them, what takes them back, and which of several is shown. */

static void expect_id(uint8_t id)
{
    assert_int_equal(guest_uart_read(&uart, 2, now), id);
}

static void run_to(uint64_t moment)
{
    now = moment;
    bus_run(&bus, now);
}

static void gated_by_out2(void **state)
{
    (void)state;
    write_register(1, 0x01);
    guest_uart_receive(&uart, 'a', now);
    expect_id(0x04);
    assert_false(irq);
    write_register(4, 0x08);
    assert_true(irq);
    write_register(4, 0x18); /* loopback takes the pin away */
    assert_false(irq);
    write_register(4, 0x08);
    assert_true(irq);
    write_register(1, 0x00);
    assert_false(irq);
    expect_id(0x01);
    write_register(1, 0x01);
    assert_int_equal(guest_uart_read(&uart, 0, now), 'a');
    assert_false(irq);
    expect_id(0x01);
}

static void transmitter_empty(void **state)
{
    (void)state;
    write_register(4, 0x08);
    write_register(0, 'a');
    assert_false(irq);
    write_register(1, 0x02); /* enabled while empty: at once */
    assert_true(irq);
    expect_id(0x02);
    assert_false(irq); /* shown, so taken back */
    expect_id(0x01);
    write_register(1, 0x02); /* nothing new */
    assert_false(irq);
    irq_rises = 0;
    write_register(0, 'b');
    write_register(0, 'c'); /* each character is an edge of its own */
    assert_int_equal(irq_rises, 2);
    assert_true(irq);
    expect_id(0x02);
    write_register(1, 0x00);
    write_register(1, 0x02);
    expect_id(0x02);
    /* Shown is another one: this one stays. */
    write_register(0, 'd');
    write_register(1, 0x03);
    guest_uart_receive(&uart, 'x', now);
    expect_id(0x04);
    assert_true(irq);
    (void)guest_uart_read(&uart, 0, now);
    expect_id(0x02);
    expect_id(0x01);
}

static void priorities(void **state)
{
    (void)state;
    write_register(4, 0x08);
    write_register(4, 0x18);
    write_register(4, 0x08); /* lines fall and rise: modem status */
    write_register(1, 0x0f); /* transmitter */
    guest_uart_receive(&uart, 1, now);
    guest_uart_receive(&uart, 2, now); /* received, and overrun */
    expect_id(0x06);
    expect_id(0x06);
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x63);
    expect_id(0x04);
    assert_int_equal(guest_uart_read(&uart, 0, now), 2);
    expect_id(0x02);
    expect_id(0x00);
    assert_true(irq);
    assert_int_equal(guest_uart_read(&uart, 6, now) & 0x0f, 0x03);
    expect_id(0x01);
    assert_false(irq);
}

static void trigger_levels(void **state)
{
    static const uint8_t levels[4] = {1, 4, 8, 14};

    (void)state;
    write_register(4, 0x08);
    write_register(1, 0x01);
    for (unsigned i = 0; i < 4; i++) {
        write_register(2, (uint8_t)(i << 6 | 0x07));
        for (unsigned n = 1; n <= levels[i]; n++) {
            assert_false(irq);
            guest_uart_receive(&uart, (uint8_t)n, now);
        }
        expect_id(0xc4);
        assert_true(irq);
        assert_int_equal(guest_uart_read(&uart, 0, now), 1);
        assert_false(irq); /* below the level */
        expect_id(0xc1);
    }
    write_register(2,
                   0xc2); /* without the enable bit the others say nothing, but the FIFO is off, and empty */
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x60);
    guest_uart_receive(&uart, 1, now);
    write_register(2, 0x02); /* nor do they while it is off */
    expect_id(0x04);
}

static void timeout(void **state)
{
    const uint64_t four = 4 * 10 * 1000000000ull / 115200; /* 8n1: ten bits each */

    (void)state;
    write_register(4, 0x08);
    write_register(2, 0xc1);
    guest_uart_receive(&uart, 'a', now);
    assert_true(next_moment() == DEVICE_NEVER); /* nobody would be told */
    write_register(1, 0x01);
    assert_int_equal(next_moment(), now + four);
    run_to(now + four - 1);
    assert_false(irq);
    run_to(now + 1);
    assert_true(irq);
    assert_true(next_moment() == DEVICE_NEVER);
    expect_id(0xcc);
    guest_uart_receive(&uart, 'b', now); /* a new one begins it anew */
    assert_false(irq);
    now += four - 1;
    assert_int_equal(guest_uart_read(&uart, 0, now), 'a'); /* so does taking one */
    assert_int_equal(next_moment(), now + four);
    now += four;
    expect_id(0xcc); /* polled: no timer had to run */
    assert_int_equal(guest_uart_read(&uart, 0, now), 'b');
    expect_id(0xc1);
    assert_true(next_moment() == DEVICE_NEVER);
    /* 300 bit/s, five data bits, parity, one and a half stop bits: 8.5 bits. */
    write_register(3, 0x80);
    write_register(0, 0x80);
    write_register(1, 0x01);
    write_register(3, 0x0c);
    guest_uart_receive(&uart, 'c', now);
    assert_int_equal(next_moment(), now + 4 * 17 * 384 * 1000000000ull / (2 * 115200));
    /* A divisor of 0 counts 65536. */
    write_register(3, 0x80);
    write_register(0, 0);
    write_register(1, 0);
    write_register(3, 0x03);
    assert_int_equal(next_moment(), now + 40 * 65536 * 1000000000ull / 115200);
}

static void line_input(void **state)
{
    (void)state;
    assert_true(guest_uart_has_room(&uart));
    guest_uart_receive(&uart, 'a', now);
    assert_false(guest_uart_has_room(&uart));
    write_register(2, 0x01);
    for (unsigned i = 0; i < 16; i++) {
        assert_true(guest_uart_has_room(&uart));
        guest_uart_receive(&uart, (uint8_t)i, now);
    }
    assert_false(guest_uart_has_room(&uart));
    write_register(2, 0x03);
    write_register(4, 0x10);
    assert_false(guest_uart_has_room(&uart));
    guest_uart_receive(&uart, 'l', now); /* the line is cut off */
    assert_int_equal(guest_uart_read(&uart, 5, now), 0x60);
}

static void ports(void **state)
{
    const char *name;

    (void)state;
    bus_port_write(&bus, 0x2ff, 1, 0x5a, now, &name);
    assert_string_equal(name, "uart");
    assert_int_equal(uart.scratch, 0x5a);
    assert_int_equal(bus_port_read(&bus, 0x2ff, 1, now, &name), 0x5a);
    assert_int_equal(bus_port_read(&bus, 0x2fd, 1, now, &name), 0x60);
    assert_int_equal(bus_port_read(&bus, 0x2f7, 1, now, &name), 0xff);
    assert_int_equal(bus_port_read(&bus, 0x300, 1, now, &name), 0xff);
    assert_false(guest_uart_attach(&uart, &bus, 0x2f8)); /* taken */
}

static void nobody_listens(void **state)
{
    (void)state;
    uart.output.put = NULL;
    uart.interrupt.set = NULL;
    write_register(1, 0x0f);
    write_register(4, 0x08);
    write_register(0, 'a');
    assert_int_equal(line.length, 0);
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
            (void)guest_uart_read(&uart, offset, now);
        } else {
            guest_uart_write(&uart, offset, (uint8_t)(random >> 8), now);
        }
        now += random >> 20;
        if ((random >> 20) % 8 == 0)
            guest_uart_receive(&uart, (uint8_t)random, now);
        run_to(now);
        assert_in_range(uart.received_count, 0, GUEST_UART_FIFO);
        assert_in_range(uart.received_first, 0, GUEST_UART_FIFO - 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_reset, reset),
        cmocka_unit_test_setup(sends_lines, reset),
        cmocka_unit_test_setup(divisor_latch, reset),
        cmocka_unit_test_setup(plain_registers, reset),
        cmocka_unit_test_setup(modem_lines_in_loopback, reset),
        cmocka_unit_test_setup(modem_changes, reset),
        cmocka_unit_test_setup(data_in_loopback, reset),
        cmocka_unit_test_setup(word_length, reset),
        cmocka_unit_test_setup(gated_by_out2, reset),
        cmocka_unit_test_setup(transmitter_empty, reset),
        cmocka_unit_test_setup(priorities, reset),
        cmocka_unit_test_setup(trigger_levels, reset),
        cmocka_unit_test_setup(timeout, reset),
        cmocka_unit_test_setup(line_input, reset),
        cmocka_unit_test_setup(ports, reset),
        cmocka_unit_test_setup(nobody_listens, reset),
        cmocka_unit_test_setup(our_own_driver_accepts_it, reset),
        cmocka_unit_test_setup(any_access_is_survived, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
