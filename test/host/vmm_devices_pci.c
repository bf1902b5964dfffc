/* SPDX-License-Identifier: MIT */
/* vmm/devices/pci.c: a bridge, and nothing else. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/devices/pci.h"
#include "vmm/devices/system_ports.h"

static struct pci pci;
static struct system_ports system_ports;
static struct bus bus;
static const char *name;

static int reset(void **state)
{
    (void)state;
    pci.address = 0xffffffff;
    pci_reset(&pci);
    system_ports_reset(&system_ports);
    bus_init(&bus);
    assert_true(system_ports_attach(&system_ports, &bus)); /* 0xcf9 is between PCI's */
    assert_true(pci_attach(&pci, &bus));
    return 0;
}

static uint32_t in(uint16_t port, unsigned size)
{
    return bus_port_read(&bus, port, size, 0, &name);
}

static void out(uint16_t port, unsigned size, uint32_t value)
{
    bus_port_write(&bus, port, size, value, 0, &name);
}

static uint32_t config(unsigned bus_number, unsigned device, unsigned function, unsigned number)
{
    out(0xcf8, 4, 0x80000000u | bus_number << 16 | device << 11 | function << 8 | number);
    return in(0xcfc, 4);
}

static void mechanism_1(void **state)
{
    (void)state;
    assert_int_equal(in(0xcf8, 4), 0);
    assert_int_equal(in(0xcfc, 4), 0xffffffff); /* not enabled */
    out(0xcf8, 4, 0xffffffff);
    assert_int_equal(in(0xcf8, 4), 0x80fffffc); /* by which programs know the mechanism */
    out(0xcf8, 4, 0x80000000);
    out(0xcf8, 1, 0x04); /* not the register */
    out(0xcf8, 2, 0x04);
    out(0xcfa, 2, 0x04);
    assert_int_equal(in(0xcf8, 4), 0x80000000);
    out(0xcf9, 1, 0x02); /* the reset control register */
    assert_string_equal(name, "reset control");
    assert_int_equal(in(0xcf9, 1), 0x02);
    assert_int_equal(in(0xcf8, 1), 0xff);
}

static void host_bridge(void **state)
{
    (void)state;
    assert_int_equal(config(0, 0, 0, 0), 0x12378086);
    assert_string_equal(name, "pci");
    assert_int_equal(in(0xcfc, 1), 0x86);
    assert_int_equal(in(0xcfd, 1), 0x80);
    assert_int_equal(in(0xcfe, 2), 0x1237);
    assert_int_equal(in(0xcff, 1), 0x12);
    assert_int_equal(in(0xcfe, 4), 0xffff1237); /* beyond its ports */
    assert_int_equal(config(0, 0, 0, 8), 0x06000002);
    assert_int_equal(in(0xcfe, 2), 0x0600);
    assert_int_equal(config(0, 0, 0, 4), 0x02800006);
    out(0xcfc, 4, 0); /* fixed */
    assert_int_equal(config(0, 0, 0, 4), 0x02800006);
    for (unsigned number = 12; number < 256; number += 4) { /* no BARs: sizing finds none */
        (void)config(0, 0, 0, number);
        out(0xcfc, 4, 0xffffffff);
        assert_int_equal(in(0xcfc, 4), 0);
    }
}

static void nothing_else(void **state)
{
    (void)state;
    for (unsigned function = 1; function < 256; function++)
        assert_int_equal(config(0, function / 8, function % 8, 0), 0xffffffff);
    for (unsigned bus_number = 1; bus_number < 256; bus_number++)
        assert_int_equal(config(bus_number, 0, 0, 0), 0xffffffff);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(mechanism_1, reset),
        cmocka_unit_test_setup(host_bridge, reset),
        cmocka_unit_test_setup(nothing_else, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
