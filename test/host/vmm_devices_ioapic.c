/* SPDX-License-Identifier: MIT */
/* vmm/devices/ioapic.c: the 82093AA's data sheet. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/devices/ioapic.h"

static struct ioapic ioapic;
static struct device_memory memory;
static struct interrupt_message last;
static unsigned delivered;
static bool accept;

static bool deliver(void *context, const struct interrupt_message *message)
{
    assert_ptr_equal(context, &delivered);
    last = *message;
    delivered++;
    return accept;
}

static int reset(void **state)
{
    (void)state;
    memset(&ioapic, 0, sizeof(ioapic));
    ioapic.deliver = deliver;
    ioapic.context = &delivered;
    ioapic_reset(&ioapic);
    memory = ioapic_memory(&ioapic);
    delivered = 0;
    accept = true;
    return 0;
}

static uint32_t get(uint8_t index)
{
    memory.write(memory.device, 0, 4, index, 0);
    return (uint32_t)memory.read(memory.device, 0x10, 4, 0);
}

static void set(uint8_t index, uint32_t value)
{
    memory.write(memory.device, 0, 4, index, 0);
    memory.write(memory.device, 0x10, 4, value, 0);
}

static void entry(unsigned pin, uint32_t low)
{
    set((uint8_t)(0x11 + 2 * pin), 0x05000000);
    set((uint8_t)(0x10 + 2 * pin), low);
}

static void registers(void **state)
{
    (void)state;
    assert_true(memory.gpa == 0xfec00000);
    assert_int_equal(memory.size, 0x1000);
    assert_int_equal(get(0), 0);
    assert_int_equal(get(1), 0x00170020);
    set(0, 0xffffffff);
    assert_int_equal(get(0), 0x0f000000);
    assert_int_equal(get(2), 0x0f000000);
    set(1, 0);
    assert_int_equal(get(1), 0x00170020);
    set(2, 0);
    assert_int_equal(get(2), 0x0f000000);
    for (unsigned pin = 0; pin < 24; pin++) {
        assert_int_equal(get((uint8_t)(0x10 + 2 * pin)), 0x00010000);
        assert_int_equal(get((uint8_t)(0x11 + 2 * pin)), 0);
        set((uint8_t)(0x10 + 2 * pin), 0xffffffff);
        set((uint8_t)(0x11 + 2 * pin), 0xffffffff);
        assert_int_equal(get((uint8_t)(0x10 + 2 * pin)), 0x0001afff);
        assert_int_equal(get((uint8_t)(0x11 + 2 * pin)), 0xff000000);
    }
    for (unsigned index = 3; index < 256; index++) {
        if (index >= 0x10 && index < 0x40)
            continue;
        set((uint8_t)index, 0xffffffff);
        assert_int_equal(get((uint8_t)index), 0);
    }
    assert_int_equal(delivered, 0);
}

static void access_widths(void **state)
{
    (void)state;
    memory.write(memory.device, 0, 1, 1, 0);
    assert_int_equal(memory.read(memory.device, 0, 4, 0), 1);
    assert_int_equal(memory.read(memory.device, 0, 1, 0), 1);
    assert_int_equal(memory.read(memory.device, 0x10, 1, 0), 0x20);
    assert_int_equal(memory.read(memory.device, 0x12, 1, 0), 0x17);
    assert_int_equal(memory.read(memory.device, 0x10, 8, 0), 0x170020);
    assert_int_equal(memory.read(memory.device, 0x18, 4, 0), 0);
    assert_int_equal(memory.read(memory.device, 0x20, 4, 0), 0);
    assert_int_equal(memory.read(memory.device, 0xffc, 4, 0), 0);
    memory.write(memory.device, 0, 4, 0x10, 0);
    memory.write(memory.device, 0x10, 2, 0x55, 0); /* registers are written whole */
    assert_int_equal(get(0x10), 0x10000);
}

static void edge(void **state)
{
    (void)state;
    entry(1, 0x831);
    ioapic_set_pin(&ioapic, 1, true);
    assert_int_equal(delivered, 1);
    assert_int_equal(last.vector, 0x31);
    assert_int_equal(last.mode, DELIVERY_FIXED);
    assert_int_equal(last.destination, 5);
    assert_true(last.logical);
    assert_false(last.level);
    ioapic_set_pin(&ioapic, 1, true);
    ioapic_set_pin(&ioapic, 1, false);
    assert_int_equal(delivered, 1);
    assert_int_equal(get(0x12), 0x831); /* no remote IRR, idle */
    ioapic_set_pin(&ioapic, 1, true);
    assert_int_equal(delivered, 2);
    ioapic_set_pin(&ioapic, 24, true);
    ioapic_set_pin(&ioapic, 255, true);
    assert_int_equal(delivered, 2);
}

static void masked_edge_is_lost(void **state)
{
    (void)state;
    entry(4, 0x10034);
    ioapic_set_pin(&ioapic, 4, true);
    entry(4, 0x00034);
    assert_int_equal(delivered, 0);
    ioapic_set_pin(&ioapic, 4, false);
    ioapic_set_pin(&ioapic, 4, true);
    assert_int_equal(delivered, 1);
}

static void level(void **state)
{
    (void)state;
    entry(9, 0x8039);
    ioapic_set_pin(&ioapic, 9, true);
    assert_int_equal(delivered, 1);
    assert_true(last.level);
    assert_int_equal(get(0x22), 0xc039);
    set(0x22, 0x8039); /* remote IRR cannot be written */
    assert_int_equal(get(0x22), 0xc039);
    ioapic_set_pin(&ioapic, 9, false);
    ioapic_set_pin(&ioapic, 9, true);
    assert_int_equal(delivered, 1); /* until the end of interrupt */
    ioapic_end_of_interrupt(&ioapic, 0x38);
    assert_int_equal(delivered, 1);
    ioapic_end_of_interrupt(&ioapic, 0x39);
    assert_int_equal(delivered, 2); /* still active */
    ioapic_set_pin(&ioapic, 9, false);
    ioapic_end_of_interrupt(&ioapic, 0x39);
    assert_int_equal(delivered, 2);
    assert_int_equal(get(0x22), 0x8039);
}

static void masked_level_waits(void **state)
{
    (void)state;
    entry(9, 0x18039);
    ioapic_set_pin(&ioapic, 9, true);
    assert_int_equal(delivered, 0);
    entry(9, 0x08039);
    assert_int_equal(delivered, 1);
    entry(9, 0x18039); /* the mask does not take it back */
    assert_int_equal(get(0x22), 0x1c039);
    ioapic_end_of_interrupt(&ioapic, 0x39);
    assert_int_equal(delivered, 1);
    entry(9, 0x08039);
    assert_int_equal(delivered, 2);
    entry(9, 0x00039); /* edge-triggered: remote IRR goes */
    assert_int_equal(get(0x22), 0x39);
    entry(9, 0x08039);
    assert_int_equal(delivered, 3);
}

static void polarity(void **state)
{
    (void)state;
    ioapic_set_pin(&ioapic, 3, true);
    entry(3, 0x2033);
    ioapic_set_pin(&ioapic, 3, false);
    assert_int_equal(delivered, 1);
    ioapic_set_pin(&ioapic, 3, true);
    assert_int_equal(delivered, 1);
    entry(16, 0xa040); /* level, active low: its wire is low */
    assert_int_equal(delivered, 2);
    ioapic_set_pin(&ioapic, 16, true);
    ioapic_end_of_interrupt(&ioapic, 0x40);
    assert_int_equal(delivered, 2);
}

static void end_of_interrupt_register(void **state)
{
    (void)state;
    entry(9, 0x8039);
    entry(10, 0x8039); /* two pins may share a vector */
    ioapic_set_pin(&ioapic, 9, true);
    ioapic_set_pin(&ioapic, 10, true);
    assert_int_equal(delivered, 2);
    ioapic_set_pin(&ioapic, 9, false);
    memory.write(memory.device, 0x40, 4, 0x39, 0);
    assert_int_equal(delivered, 3);
    assert_int_equal(get(0x22), 0x8039);
    assert_int_equal(get(0x24), 0xc039);
}

static void delivery_modes(void **state)
{
    static const struct {
        uint32_t mode;
        unsigned messages;
        bool level;
    } modes[] = {{DELIVERY_FIXED, 1, true},    {DELIVERY_LOWEST_PRIORITY, 1, true},
                 {DELIVERY_SMI, 0, false},     {DELIVERY_RESERVED, 0, false},
                 {DELIVERY_NMI, 1, false},     {DELIVERY_INIT, 1, false},
                 {DELIVERY_STARTUP, 0, false}, {DELIVERY_EXTINT, 1, false}};

    (void)state;
    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        delivered = 0;
        entry(i, 0x8040 | modes[i].mode << 8);
        ioapic_set_pin(&ioapic, i, true);
        assert_int_equal(delivered, modes[i].messages);
        if (delivered > 0) {
            assert_int_equal(last.mode, modes[i].mode);
            assert_int_equal(last.level, modes[i].level);
        }
        assert_int_equal(get((uint8_t)(0x10 + 2 * i)) >> 14 & 1, modes[i].level);
    }
}

static void nobody_accepts(void **state)
{
    (void)state;
    accept = false;
    entry(9, 0x8039);
    ioapic_set_pin(&ioapic, 9, true);
    assert_int_equal(get(0x22), 0x8039);
    accept = true;
    entry(9, 0x8039);
    assert_int_equal(get(0x22), 0xc039);
    ioapic_reset(&ioapic);
    ioapic.deliver = NULL;
    entry(9, 0x8039);
    assert_int_equal(get(0x22), 0x8039);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(registers, reset),
        cmocka_unit_test_setup(access_widths, reset),
        cmocka_unit_test_setup(edge, reset),
        cmocka_unit_test_setup(masked_edge_is_lost, reset),
        cmocka_unit_test_setup(level, reset),
        cmocka_unit_test_setup(masked_level_waits, reset),
        cmocka_unit_test_setup(polarity, reset),
        cmocka_unit_test_setup(end_of_interrupt_register, reset),
        cmocka_unit_test_setup(delivery_modes, reset),
        cmocka_unit_test_setup(nobody_accepts, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
