/* SPDX-License-Identifier: MIT */
/* vmm/devices/pic.c: the 8259A's data sheet, point by point. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "device_ports.h"
#include "vmm/devices/pic.h"

#define MASTER 0x20
#define SLAVE  0xa0

static struct pic pic;
static struct wire intr;

static void initialize(uint8_t icw4)
{
    static const uint8_t bases[2] = {0x08, 0x70};

    for (unsigned i = 0; i < 2; i++) {
        uint16_t port = i == 0 ? MASTER : SLAVE;

        out(port, 0x11);
        out(port + 1, bases[i]);
        out(port + 1, i == 0 ? 0x04 : 0x02);
        out(port + 1, icw4);
    }
}

static int reset(void **state)
{
    (void)state;
    memset(&pic, 0, sizeof(pic));
    memset(&intr, 0, sizeof(intr));
    pic.output = wire_line(&intr, 0);
    pic_reset(&pic);
    test_port_ranges = PIC_PORT_RANGES;
    pic_ports(&pic, test_ports);
    initialize(0x01);
    return 0;
}

static void raise(unsigned irq)
{
    pic_set_line(&pic, irq, true);
}

static void lower(unsigned irq)
{
    pic_set_line(&pic, irq, false);
}

static uint8_t irr(uint16_t port)
{
    out(port, 0x0a);
    return in(port);
}

static uint8_t isr(uint16_t port)
{
    out(port, 0x0b);
    return in(port);
}

static void expect_vector(uint8_t vector)
{
    assert_true(intr.level);
    assert_int_equal(pic_acknowledge(&pic), vector);
}

static void ports(void **state)
{
    (void)state;
    assert_int_equal(test_ports[0].first, 0x20);
    assert_int_equal(test_ports[0].last, 0x21);
    assert_int_equal(test_ports[1].first, 0xa0);
    assert_int_equal(test_ports[1].last, 0xa1);
    assert_int_equal(test_ports[2].first, 0x4d0);
    assert_int_equal(test_ports[2].last, 0x4d1);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(test_ports[i].width, 1);
        assert_ptr_equal(test_ports[i].device, &pic);
    }
}

static void nothing_before_initialization(void **state)
{
    (void)state;
    pic_reset(&pic);
    raise(0);
    raise(9);
    assert_false(intr.level);
    assert_false(pic_requests(&pic));
    lower(0);
    out(MASTER, 0x11);
    out(MASTER + 1, 0x20);
    raise(0);
    assert_false(intr.level); /* between ICW2 and ICW4 */
    out(MASTER + 1, 0x04);
    assert_false(intr.level);
    out(MASTER + 1, 0x01);
    expect_vector(0x20);
}

static void edge(void **state)
{
    (void)state;
    raise(3);
    assert_true(pic_requests(&pic));
    assert_int_equal(irr(MASTER), 0x08);
    assert_int_equal(isr(MASTER), 0x00);
    expect_vector(0x0b);
    assert_false(intr.level);
    assert_int_equal(irr(MASTER), 0x00);
    assert_int_equal(isr(MASTER), 0x08);
    out(MASTER, 0x20);
    assert_int_equal(isr(MASTER), 0x00);
    assert_false(intr.level); /* still high: no other edge */
    raise(3);
    assert_false(intr.level);
    lower(3);
    raise(3);
    expect_vector(0x0b);
    assert_int_equal(intr.rises, 2);
    assert_int_equal(intr.falls, 2);
}

static void edge_that_goes_away(void **state)
{
    (void)state;
    raise(5);
    assert_true(intr.level);
    lower(5);
    assert_false(intr.level);
    assert_int_equal(irr(MASTER), 0);
    assert_int_equal(pic_acknowledge(&pic), 0x0f);
    assert_int_equal(isr(MASTER), 0); /* that is how a spurious one is told from IRQ 7 */
    raise(7);
    expect_vector(0x0f);
    assert_int_equal(isr(MASTER), 0x80);
}

static void spurious_of_the_slave(void **state)
{
    (void)state;
    raise(12);
    assert_true(intr.level);
    lower(12);
    assert_false(intr.level);
    assert_int_equal(pic_acknowledge(&pic), 0x77);
    assert_int_equal(isr(SLAVE), 0);
    assert_int_equal(isr(MASTER), 0x04);
    out(MASTER, 0x20);
    assert_int_equal(pic_acknowledge(&pic), 0x0f); /* nothing has been requested since */
    raise(15);
    expect_vector(0x77);
    assert_int_equal(isr(SLAVE), 0x80);
}

static void level(void **state)
{
    (void)state;
    out(0x4d0, 0xff);
    out(0x4d1, 0xff);
    assert_int_equal(in(0x4d0), 0xf8);
    assert_int_equal(in(0x4d1), 0xde);
    raise(5);
    expect_vector(0x0d);
    assert_int_equal(irr(MASTER), 0x20); /* the level is still there */
    assert_false(intr.level);
    out(MASTER, 0x20);
    expect_vector(0x0d);
    lower(5);
    out(MASTER, 0x20);
    assert_false(intr.level);
    raise(5);
    lower(5);
    assert_false(intr.level);
    raise(11);
    expect_vector(0x73);
    out(SLAVE, 0x20);
    out(MASTER, 0x20);
    expect_vector(0x73);
    out(0x4d1, 0x00); /* edge-triggered again, and no edge is left */
    out(SLAVE, 0x20);
    out(MASTER, 0x20);
    assert_false(intr.level);
    raise(0);
    expect_vector(0x08);
    out(MASTER, 0x20);
    assert_false(intr.level); /* IRQ 0 stays edge-triggered */
}

static void level_ignores_ltim(void **state)
{
    (void)state;
    out(MASTER, 0x19); /* LTIM */
    out(MASTER + 1, 0x08);
    out(MASTER + 1, 0x04);
    out(MASTER + 1, 0x01);
    raise(1);
    expect_vector(0x09);
    out(MASTER, 0x20);
    assert_false(intr.level);
}

static void fully_nested(void **state)
{
    (void)state;
    raise(4);
    expect_vector(0x0c);
    raise(6);
    raise(4);
    assert_false(intr.level);
    raise(1);
    expect_vector(0x09);
    assert_int_equal(isr(MASTER), 0x12);
    raise(3);
    assert_false(intr.level); /* 1 is in service */
    out(MASTER, 0x20);        /* ends 1, the highest */
    assert_int_equal(isr(MASTER), 0x10);
    expect_vector(0x0b);
    out(MASTER, 0x20);
    assert_false(intr.level); /* 4 still blocks 6 */
    out(MASTER, 0x20);
    expect_vector(0x0e);
    out(MASTER, 0x20);
    out(MASTER, 0x20); /* nothing in service: does nothing */
    assert_int_equal(isr(MASTER), 0);
}

static void masks(void **state)
{
    (void)state;
    out(MASTER + 1, 0x0a);
    assert_int_equal(in(MASTER + 1), 0x0a);
    raise(1);
    raise(3);
    assert_false(intr.level);
    assert_int_equal(irr(MASTER), 0x0a);
    raise(6);
    expect_vector(0x0e);
    out(MASTER + 1, 0x02);
    expect_vector(0x0b);
    out(MASTER + 1, 0x06); /* the cascade */
    raise(8);
    out(MASTER, 0x20);
    out(MASTER, 0x20);
    assert_false(intr.level);
    out(MASTER + 1, 0x02);
    expect_vector(0x70);
    out(SLAVE + 1, 0xa5);
    assert_int_equal(in(SLAVE + 1), 0xa5);
}

static void cascade(void **state)
{
    (void)state;
    raise(2); /* the slave's wire, not a device's */
    assert_false(intr.level);
    raise(16);
    assert_false(intr.level);
    raise(10);
    assert_int_equal(irr(MASTER), 0x04);
    expect_vector(0x72);
    assert_int_equal(isr(MASTER), 0x04);
    assert_int_equal(isr(SLAVE), 0x04);
    raise(9); /* higher in the slave, but the master has 2 in service */
    assert_false(intr.level);
    raise(1);
    expect_vector(0x09);
    out(MASTER, 0x20);
    out(SLAVE, 0x20);
    assert_int_equal(isr(SLAVE), 0);
    assert_false(intr.level);
    out(MASTER, 0x20);
    expect_vector(0x71);
    raise(3); /* lower than IR2 */
    assert_false(intr.level);
    out(SLAVE, 0x20);
    out(MASTER, 0x20);
    expect_vector(0x0b);
}

static void special_fully_nested(void **state)
{
    (void)state;
    initialize(0x11);
    raise(12);
    expect_vector(0x74);
    raise(9);
    expect_vector(0x71); /* the master's own level does not block its slave */
    raise(13);
    assert_false(intr.level); /* but the slave does */
    raise(4);
    assert_false(intr.level); /* and the master what is lower */
    raise(0);
    expect_vector(0x08);
}

static void wrong_slave(void **state)
{
    (void)state;
    out(SLAVE, 0x11);
    out(SLAVE + 1, 0x70);
    out(SLAVE + 1, 0x03);
    out(SLAVE + 1, 0x01);
    raise(8);
    expect_vector(0xff);
    assert_int_equal(isr(SLAVE), 0);

    out(MASTER, 0x13); /* single: no ICW3, IR2 is its own */
    out(MASTER + 1, 0x40);
    out(MASTER + 1, 0x01);
    lower(8);
    raise(8);
    expect_vector(0x42);

    out(MASTER, 0x12); /* single and no ICW4: not automatic */
    out(MASTER + 1, 0x5f);
    raise(1);
    expect_vector(0x59);
    assert_int_equal(isr(MASTER), 0x02);
}

static void icw1_resets(void **state)
{
    (void)state;
    raise(0);
    expect_vector(0x08);
    raise(1);
    out(MASTER + 1, 0xf0);
    out(MASTER, 0xc2); /* lowest 2 */
    out(MASTER, 0x68); /* special mask */
    out(MASTER, 0x0b);
    out(MASTER, 0x11);
    assert_int_equal(in(MASTER), 0); /* IRR is read, and has lost its edge */
    out(MASTER + 1, 0x08);
    out(MASTER + 1, 0x04);
    out(MASTER + 1, 0x01);
    assert_int_equal(in(MASTER + 1), 0);
    assert_int_equal(isr(MASTER), 0);
    assert_false(intr.level);
    lower(0);
    lower(1);
    raise(3);
    raise(0);
    expect_vector(0x08); /* IR7 is the lowest again */
    assert_false(pic.master.special_mask);
}

static void icw1_keeps_levels(void **state)
{
    (void)state;
    out(0x4d0, 0x20);
    raise(5);
    initialize(0x01);
    expect_vector(0x0d);
    assert_int_equal(in(0x4d0), 0x20);
}

static void specific_end(void **state)
{
    (void)state;
    raise(5);
    expect_vector(0x0d);
    raise(1);
    expect_vector(0x09);
    out(MASTER, 0x65);
    assert_int_equal(isr(MASTER), 0x02);
    out(MASTER, 0x67);
    assert_int_equal(isr(MASTER), 0x02);
    out(MASTER, 0x40); /* no operation */
    assert_int_equal(isr(MASTER), 0x02);
    out(MASTER, 0x61);
    assert_int_equal(isr(MASTER), 0);
}

static void rotation(void **state)
{
    (void)state;
    raise(3);
    raise(5);
    expect_vector(0x0b);
    out(MASTER, 0xa0); /* rotate on non-specific EOI: 3 is the lowest */
    assert_int_equal(isr(MASTER), 0);
    assert_int_equal(pic.master.lowest, 3);
    lower(3);
    raise(3);
    expect_vector(0x0d);
    out(MASTER, 0xe5); /* rotate on specific EOI: 5 is the lowest, 6 the highest */
    assert_int_equal(pic.master.lowest, 5);
    raise(6);
    raise(0);
    expect_vector(0x0e);
    out(MASTER, 0x20);
    expect_vector(0x08);
    out(MASTER, 0x20);
    expect_vector(0x0b);
    out(MASTER, 0x20);
    out(MASTER, 0xc0); /* set priority: 0 is the lowest */
    lower(0);
    raise(0);
    raise(7);
    expect_vector(0x0f);
    raise(1);
    expect_vector(0x09); /* 1 is now above 7 */
}

static void automatic_end(void **state)
{
    (void)state;
    initialize(0x03);
    raise(4);
    expect_vector(0x0c);
    assert_int_equal(isr(MASTER), 0);
    raise(8);
    expect_vector(0x70);
    assert_int_equal(isr(MASTER), 0);
    assert_int_equal(isr(SLAVE), 0);
    assert_int_equal(pic.master.lowest, 7);
    out(MASTER, 0x80); /* rotate */
    lower(4);
    raise(4);
    expect_vector(0x0c);
    assert_int_equal(pic.master.lowest, 4);
    out(MASTER, 0x00);
    lower(4);
    raise(4);
    raise(5);
    expect_vector(0x0d);
    assert_int_equal(pic.master.lowest, 4);
}

static void special_mask(void **state)
{
    (void)state;
    raise(1);
    expect_vector(0x09);
    out(MASTER, 0x08); /* ESMM clear: nothing changes */
    out(MASTER, 0x68);
    raise(4);
    assert_false(intr.level); /* 1 is in service and not masked */
    out(MASTER + 1, 0x02);
    expect_vector(0x0c);
    assert_int_equal(isr(MASTER), 0x12);
    out(MASTER, 0x20); /* does not find the masked one */
    assert_int_equal(isr(MASTER), 0x02);
    out(MASTER, 0x20);
    assert_int_equal(isr(MASTER), 0x02);
    lower(4);
    raise(4);
    assert_true(intr.level);
    out(MASTER, 0x28); /* SMM without ESMM: nothing changes */
    assert_true(intr.level);
    out(MASTER, 0x48);
    assert_false(intr.level);
    out(MASTER, 0x20);
    assert_int_equal(isr(MASTER), 0);
    assert_true(intr.level);
}

static void polling(void **state)
{
    (void)state;
    out(MASTER, 0x0c);
    assert_int_equal(in(MASTER), 0);
    raise(6);
    raise(3);
    out(MASTER, 0x0c);
    assert_int_equal(in(MASTER), 0x83);
    assert_int_equal(in(MASTER), 0x40); /* one read alone polls */
    assert_int_equal(isr(MASTER), 0x08);
    out(MASTER, 0x0c);
    assert_int_equal(in(MASTER), 0); /* 3 blocks 6 */
    assert_int_equal(in(MASTER), 0x08);
    out(MASTER, 0x20);
    out(MASTER, 0x0f); /* P wins over RR */
    assert_int_equal(in(MASTER + 1), 0x86);
    assert_int_equal(in(MASTER + 1), 0x00);
    out(MASTER, 0x20);
    assert_false(intr.level);

    raise(9);
    assert_true(intr.level);
    out(SLAVE, 0x0c);
    assert_int_equal(in(SLAVE), 0x81);
    assert_int_equal(isr(SLAVE), 0x02);
    assert_false(intr.level);
    out(SLAVE, 0x20);
    raise(10);
    out(MASTER, 0x0c);
    assert_int_equal(in(MASTER), 0x82);
    assert_int_equal(isr(MASTER), 0x04);
}

static void two_of_the_slave(void **state)
{
    (void)state;
    raise(8);
    raise(14);
    expect_vector(0x70);
    out(SLAVE, 0x20);
    out(MASTER, 0x20);
    expect_vector(0x76);
    out(SLAVE, 0x20);
    out(MASTER, 0x20);
    assert_false(intr.level);

    initialize(0x03); /* automatic: the slave's second edge comes at once */
    lower(8);
    lower(14);
    raise(8);
    raise(14);
    expect_vector(0x70);
    expect_vector(0x76);
    assert_false(intr.level);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ports, reset),
        cmocka_unit_test_setup(nothing_before_initialization, reset),
        cmocka_unit_test_setup(edge, reset),
        cmocka_unit_test_setup(edge_that_goes_away, reset),
        cmocka_unit_test_setup(spurious_of_the_slave, reset),
        cmocka_unit_test_setup(level, reset),
        cmocka_unit_test_setup(level_ignores_ltim, reset),
        cmocka_unit_test_setup(fully_nested, reset),
        cmocka_unit_test_setup(masks, reset),
        cmocka_unit_test_setup(cascade, reset),
        cmocka_unit_test_setup(special_fully_nested, reset),
        cmocka_unit_test_setup(wrong_slave, reset),
        cmocka_unit_test_setup(icw1_resets, reset),
        cmocka_unit_test_setup(icw1_keeps_levels, reset),
        cmocka_unit_test_setup(specific_end, reset),
        cmocka_unit_test_setup(rotation, reset),
        cmocka_unit_test_setup(automatic_end, reset),
        cmocka_unit_test_setup(special_mask, reset),
        cmocka_unit_test_setup(polling, reset),
        cmocka_unit_test_setup(two_of_the_slave, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
