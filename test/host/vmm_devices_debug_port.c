/* SPDX-License-Identifier: MIT */
/* vmm/devices/debug_port.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/devices/debug_port.h"
#include "vmm/vm/line.h"

static struct guest_line line;

static void put(void *context, unsigned number, uint8_t byte)
{
    assert_int_equal(number, 9);
    (void)guest_line_put(context, (char)byte);
}

static void both_ports(void **state)
{
    struct debug_port debug = {.output = {put, &line, 9}};
    struct bus bus;
    const char *name;

    (void)state;
    bus_init(&bus);
    assert_true(debug_port_attach(&debug, &bus));
    assert_int_equal(bus_port_read(&bus, 0xe9, 1, 0, &name), 0xe9);
    assert_int_equal(bus_port_read(&bus, 0x402, 1, 0, &name), 0xe9);
    assert_string_equal(name, "debug port");
    assert_int_equal(bus_port_read(&bus, 0x403, 1, 0, &name), 0xff);
    bus_port_write(&bus, 0xe9, 1, 'o', 0, &name);
    bus_port_write(&bus, 0x402, 1, 'k', 0, &name);
    bus_port_write(&bus, 0x80, 1, '!', 0, &name);
    bus_port_write(&bus, 0xe9, 1, '\n', 0, &name);
    assert_true(line.complete);
    assert_string_equal(line.text, "ok");
    debug.output.put = NULL;
    bus_port_write(&bus, 0xe9, 1, 'x', 0, &name);
    assert_string_equal(line.text, "ok");
    assert_false(debug_port_attach(&debug, &bus)); /* taken */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(both_ports)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
