/* SPDX-License-Identifier: MIT */
/* vmm/devices/system_ports.c: post code, A20 and resets, the end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/devices/system_ports.h"

static struct system_ports ports;
static struct bus bus;
static unsigned resets[2], ends;
static uint8_t end_value;

static void count_reset(void *context, unsigned number, bool level)
{
    assert_ptr_equal(context, &ports);
    assert_true(level);
    resets[number]++;
}

static void take_end(void *context, unsigned number, uint8_t byte)
{
    assert_ptr_equal(context, &ports);
    (void)number;
    ends++;
    end_value = byte;
}

static int reset(void **state)
{
    (void)state;
    ports = (struct system_ports){.reset_control_a = {count_reset, &ports, 0},
                                  .reset_control = {count_reset, &ports, 1},
                                  .end = {take_end, &ports, 0}};
    resets[0] = resets[1] = ends = 0;
    system_ports_reset(&ports);
    bus_init(&bus);
    assert_true(system_ports_attach(&ports, &bus));
    return 0;
}

static uint8_t in(uint16_t port)
{
    const char *name;

    return (uint8_t)bus_port_read(&bus, port, 1, 0, &name);
}

static void out(uint16_t port, uint8_t value)
{
    const char *name;

    bus_port_write(&bus, port, 1, value, 0, &name);
    assert_non_null(name);
}

static void post_code(void **state)
{
    (void)state;
    out(0x80, 0x5a);
    assert_int_equal(in(0x80), 0x5a);
    assert_int_equal(in(0x81), 0xff);
}

static void control_port_a(void **state)
{
    (void)state;
    assert_int_equal(in(0x92), 0x02);
    out(0x92, 0xfc);
    assert_int_equal(in(0x92), 0x00);
    assert_false(ports.a20);
    out(0x92, 0x02);
    assert_int_equal(in(0x92), 0x02);
    assert_int_equal(resets[0], 0);
    out(0x92, 0x03);
    assert_int_equal(resets[0], 1);
    assert_int_equal(resets[1], 0);
}

static void reset_control(void **state)
{
    (void)state;
    assert_int_equal(in(0xcf9), 0x00);
    out(0xcf9, 0x02); /* says what kind, does nothing yet */
    assert_int_equal(resets[1], 0);
    assert_int_equal(in(0xcf9), 0x02);
    out(0xcf9, 0x06);
    assert_int_equal(resets[1], 1);
    out(0xcf9, 0x06); /* no edge */
    assert_int_equal(resets[1], 1);
    out(0xcf9, 0xf0);
    out(0xcf9, 0x04);
    assert_int_equal(resets[1], 2);
    assert_int_equal(in(0xcf9), 0x04);
}

static void end(void **state)
{
    (void)state;
    assert_int_equal(in(0xf4), 0xff);
    assert_int_equal(ends, 0);
    out(0xf4, 7);
    assert_int_equal(ends, 1);
    assert_int_equal(end_value, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(post_code, reset),
        cmocka_unit_test_setup(control_port_a, reset),
        cmocka_unit_test_setup(reset_control, reset),
        cmocka_unit_test_setup(end, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
