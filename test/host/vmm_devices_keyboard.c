/* SPDX-License-Identifier: MIT */
/* vmm/devices/keyboard.c and keyboard_device.c: the controller's commands, the keyboard's, and typing. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/devices/keyboard.h"

static struct keyboard keyboard;
static struct bus bus;
static uint64_t now;

/* When the device wants to be called: it was reached by other ways than its ports. */
static uint64_t next_moment(void)
{
    bus_device_accessed(&bus, &keyboard);
    return bus_next(&bus);
}
static bool irq;
static unsigned irq_rises, resets;

static void set_irq(void *context, unsigned number, bool level)
{
    assert_ptr_equal(context, &keyboard);
    assert_int_equal(number, 1);
    irq_rises += level && !irq;
    irq = level;
}

static void set_reset(void *context, unsigned number, bool level)
{
    (void)context;
    assert_int_equal(number, 0x64);
    resets += level;
}

static int reset(void **state)
{
    (void)state;
    memset(&keyboard, 0xff, sizeof(keyboard));
    keyboard.interrupt = (struct device_line){set_irq, &keyboard, 1};
    keyboard.reset = (struct device_line){set_reset, &keyboard, 0x64};
    irq_rises = resets = 0;
    now = 1000000;
    keyboard_reset(&keyboard);
    assert_false(irq);
    bus_init(&bus);
    assert_true(keyboard_attach(&keyboard, &bus));
    return 0;
}

static uint8_t in(uint16_t port)
{
    const char *name;
    uint8_t value = (uint8_t)bus_port_read(&bus, port, 1, now, &name);

    assert_string_equal(name, "keyboard");
    return value;
}

static void out(uint16_t port, uint8_t value)
{
    const char *name;

    bus_port_write(&bus, port, 1, value, now, &name);
}

/* The next byte, when it is there; 256 if none comes. */
static unsigned next_byte(void)
{
    for (unsigned tries = 0; tries < 3; tries++, now += KEYBOARD_BYTE_NS)
        if (in(0x64) & 1)
            return in(0x60);
    return 256;
}

static void expect(const uint8_t *bytes, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(next_byte(), bytes[i]);
    assert_int_equal(next_byte(), 256);
}

#define EXPECT(...)                                                                                          \
    do {                                                                                                     \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                                       \
        expect(bytes_, sizeof(bytes_));                                                                      \
    } while (0)

static void type(const char *text)
{
    for (; *text != '\0'; text++)
        assert_true(keyboard_receive(&keyboard, *text, now));
}

static void after_reset(void **state)
{
    (void)state;
    assert_int_equal(in(0x64), 0x14); /* not inhibited, self test passed, nothing to read */
    out(0x64, 0x20);
    assert_int_equal(in(0x64), 0x1d);
    EXPECT(0x65);
    assert_true(keyboard_a20(&keyboard));
}

static void controller_commands(void **state)
{
    (void)state;
    out(0x64, 0xaa);
    EXPECT(0x55);
    out(0x64, 0xab);
    EXPECT(0x00);
    out(0x64, 0xa9); /* no auxiliary device: its test fails, and it stays disabled */
    EXPECT(0x01);
    out(0x64, 0xa8);
    out(0x64, 0x20);
    EXPECT(0x65);
    out(0x64, 0xd4);
    out(0x60, 0xf4);
    assert_int_equal(next_byte(), 256);
    out(0x64, 0xd3);
    out(0x60, 0x5a);
    assert_int_equal(next_byte(), 256);
    out(0x64, 0xc0);
    EXPECT(0xa0);
    out(0x64, 0xe0);
    EXPECT(0x03);
    out(0x64, 0xd2);
    assert_int_equal(in(0x64), 0x1c);
    out(0x60, 0xf0); /* not translated */
    assert_int_equal(in(0x64), 0x15);
    EXPECT(0xf0);
    out(0x64, 0x65); /* memory */
    out(0x60, 0x77);
    out(0x64, 0x25);
    EXPECT(0x77);
    out(0x64, 0x7f);
    out(0x60, 0x11);
    out(0x64, 0x3f);
    EXPECT(0x11);
    out(0x64, 0x60); /* what follows is not its parameter: another command came first */
    out(0x64, 0x20);
    EXPECT(0x65);
    out(0x60, 0xee);
    EXPECT(0xee);
    out(0x64, 0x20);
    EXPECT(0x65);
    out(0x64, 0x60);
    out(0x60, 0x00); /* system flag off: shows in the status */
    assert_int_equal(in(0x64), 0x10);
    out(0x64, 0x99); /* no such command */
    assert_int_equal(next_byte(), 256);
}

static void a20_and_reset(void **state)
{
    (void)state;
    out(0x64, 0xd0);
    EXPECT(0xc3);
    out(0x64, 0xd1);
    out(0x60, 0xdd);
    assert_false(keyboard_a20(&keyboard));
    out(0x64, 0xdf);
    assert_true(keyboard_a20(&keyboard));
    out(0x64, 0xdd);
    assert_false(keyboard_a20(&keyboard));
    out(0x64, 0xd0);
    EXPECT(0xc1);
    out(0x64, 0xff);
    out(0x64, 0xf1);
    assert_int_equal(resets, 0);
    out(0x64, 0xfe);
    assert_int_equal(resets, 1);
    out(0x64, 0xd1);
    out(0x60, 0xde);
    assert_int_equal(resets, 2);
}

static void keyboard_commands(void **state)
{
    (void)state;
    out(0x60, 0xff);
    EXPECT(0xfa, 0xaa);
    out(0x60, 0xfe); /* again */
    EXPECT(0xaa);
    out(0x60, 0xee);
    EXPECT(0xee);
    out(0x60, 0xf2); /* 0xab, 0x83, of which the latter is translated */
    EXPECT(0xfa, 0xab, 0x41);
    out(0x60, 0xed);
    EXPECT(0xfa);
    out(0x60, 0x05);
    EXPECT(0xfa);
    assert_int_equal(keyboard.leds, 5);
    out(0x60, 0xf3);
    EXPECT(0xfa);
    out(0x60, 0x7f);
    EXPECT(0xfa);
    assert_int_equal(keyboard.rate, 0x7f);
    out(0x60, 0xf0);
    EXPECT(0xfa);
    out(0x60, 0x00);
    EXPECT(0xfa, 0x41); /* set 2, translated */
    out(0x60, 0xf0);
    EXPECT(0xfa);
    out(0x60, 0x03); /* not modelled */
    EXPECT(0xfe);
    out(0x60, 0xed);
    EXPECT(0xfa);
    out(0x60, 0xee); /* a command where a parameter should be */
    EXPECT(0xee);
    assert_int_equal(keyboard.leds, 5);
    out(0x60, 0xf6);
    EXPECT(0xfa);
    assert_int_equal(keyboard.leds, 0);
    assert_int_equal(keyboard.rate, 0x2b);
    out(0x60, 0xf7);
    EXPECT(0xfe);
}

static void typing(void **state)
{
    (void)state;
    type("aB\r");
    EXPECT(0x1e, 0x9e, 0x2a, 0x30, 0xb0, 0xaa, 0x1c, 0x9c);
    type("\x03");
    EXPECT(0x1d, 0x2e, 0xae, 0x9d);
    type("\x1b[A");
    EXPECT(0xe0, 0x48, 0xe0, 0xc8);
    out(0x60, 0xf5); /* not scanning */
    EXPECT(0xfa);
    type("a");
    assert_int_equal(next_byte(), 256);
    out(0x60, 0xf4);
    EXPECT(0xfa);
    type("a");
    EXPECT(0x1e, 0x9e);
}

static void scan_code_sets(void **state)
{
    (void)state;
    out(0x64, 0x60);
    out(0x60, 0x25); /* not translated: set 2 as it is */
    type("A\x1b[B");
    EXPECT(0x12, 0x1c, 0xf0, 0x1c, 0xf0, 0x12, 0xe0, 0x72, 0xe0, 0xf0, 0x72);
    out(0x60, 0xf0);
    EXPECT(0xfa);
    out(0x60, 0x01);
    EXPECT(0xfa);
    type("A");
    EXPECT(0x2a, 0x1e, 0x9e, 0xaa);
    out(0x60, 0xf0);
    EXPECT(0xfa);
    out(0x60, 0x00);
    EXPECT(0xfa, 0x01);
}

static void interrupt(void **state)
{
    (void)state;
    type("a");
    assert_true(irq);
    assert_int_equal(irq_rises, 1);
    assert_true(next_moment() == DEVICE_NEVER); /* it waits for the guest */
    assert_int_equal(in(0x60), 0x1e);
    assert_false(irq);
    /* The next byte takes its time; one that is read twice is the same. */
    assert_int_equal(in(0x60), 0x1e);
    assert_int_equal(next_moment(), now + KEYBOARD_BYTE_NS);
    now += KEYBOARD_BYTE_NS - 1;
    bus_run(&bus, now);
    assert_false(irq);
    now += 1;
    bus_run(&bus, now);
    assert_true(irq);
    assert_int_equal(irq_rises, 2);
    assert_int_equal(in(0x60), 0x9e);
    /* Masked by the command byte, and unmasked. */
    out(0x64, 0x60);
    out(0x60, 0x44);
    now += KEYBOARD_BYTE_NS;
    type("b");
    assert_false(irq);
    assert_int_equal(in(0x64) & 1, 1);
    out(0x64, 0x60);
    out(0x60, 0x45);
    assert_true(irq);
    EXPECT(0x30, 0xb0);
    /* A disabled interface holds the keyboard back until something is sent to it. */
    out(0x64, 0xad);
    type("c");
    assert_int_equal(next_byte(), 256);
    out(0x64, 0x20);
    assert_int_equal(next_byte(), 0x75);
    out(0x64, 0xae);
    EXPECT(0x2e, 0xae);
}

static void escape_alone(void **state)
{
    (void)state;
    type("\x1b");
    assert_int_equal(next_moment(), now + KEYBOARD_ESCAPE_NS);
    now += KEYBOARD_ESCAPE_NS;
    bus_run(&bus, now);
    EXPECT(0x01, 0x81);
    assert_true(next_moment() == DEVICE_NEVER);
}

static void full_queue(void **state)
{
    unsigned taken = 0;

    (void)state;
    while (keyboard_receive(&keyboard, 'Q', now) && taken < 100)
        taken++;
    assert_in_range(taken, 3, 10);
    for (unsigned i = 0; i < taken; i++) {
        assert_int_equal(next_byte(), 0x2a);
        assert_int_equal(next_byte(), 0x10);
        assert_int_equal(next_byte(), 0x90);
        assert_int_equal(next_byte(), 0xaa);
    }
    assert_int_equal(next_byte(), 256);
    for (unsigned i = 0; i < 100; i++) /* answers that nobody reads */
        out(0x60, 0xee);
    assert_int_equal(keyboard.queue_count, KEYBOARD_QUEUE);
}

static void any_access_is_survived(void **state)
{
    unsigned random = 7, taken = 0;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        random = random * 1103515245u + 12345u;
        now += random >> 12;
        if ((random >> 16) % 3 == 0)
            (void)in((random >> 20) & 1 ? 0x60 : 0x64);
        else if ((random >> 16) % 3 == 1)
            out((random >> 20) & 1 ? 0x60 : 0x64, (uint8_t)(random >> 8));
        else
            taken += keyboard_receive(&keyboard, (char)(random >> 8), now);
        bus_run(&bus, now);
        assert_in_range(keyboard.queue_count, 0, KEYBOARD_QUEUE);
        assert_in_range(keyboard.queue_first, 0, KEYBOARD_QUEUE - 1);
        assert_true(next_moment() > now);
    }
    assert_int_not_equal(taken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_reset, reset),   cmocka_unit_test_setup(controller_commands, reset),
        cmocka_unit_test_setup(a20_and_reset, reset), cmocka_unit_test_setup(keyboard_commands, reset),
        cmocka_unit_test_setup(typing, reset),        cmocka_unit_test_setup(scan_code_sets, reset),
        cmocka_unit_test_setup(interrupt, reset),     cmocka_unit_test_setup(escape_alone, reset),
        cmocka_unit_test_setup(full_queue, reset),    cmocka_unit_test_setup(any_access_is_survived, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
