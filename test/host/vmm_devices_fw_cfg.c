/* SPDX-License-Identifier: MIT */
/* vmm/devices/fw_cfg.c: what a firmware written for QEMU reads. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/devices/fw_cfg.h"

static struct fw_cfg fw_cfg;
static struct bus bus;
static const char *name;
static const struct e820_entry map[] = {{0, 0xa0000, E820_RAM},
                                        {0xf0000, 0x10000, E820_RESERVED},
                                        {0x100000, 0xf00000, E820_RAM},
                                        {UINT64_C(0x100000000), UINT64_C(0x123456789a), E820_RAM}};

static int reset(void **state)
{
    (void)state;
    memset(&fw_cfg, 0xff, sizeof(fw_cfg));
    fw_cfg_reset(&fw_cfg, UINT64_C(0x123456789a), 3, map, 4);
    bus_init(&bus);
    assert_true(fw_cfg_attach(&fw_cfg, &bus));
    return 0;
}

static void select_key(uint16_t key)
{
    bus_port_write(&bus, 0x510, 2, key, 0, &name);
    assert_string_equal(name, "fw_cfg");
}

static uint8_t in(void)
{
    return (uint8_t)bus_port_read(&bus, 0x511, 1, 0, &name);
}

static uint64_t little(unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)in() << (8 * i);
    return value;
}

static uint64_t big(unsigned size)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < size; i++)
        value = value << 8 | in();
    return value;
}

static void items(void **state)
{
    (void)state;
    select_key(0);
    assert_int_equal(big(4), 0x51454d55); /* QEMU */
    assert_int_equal(in(), 0);            /* and no more */
    select_key(1);
    assert_int_equal(little(4), 1);
    select_key(3);
    assert_true(little(8) == UINT64_C(0x123456789a));
    select_key(5);
    assert_int_equal(little(2), 3);
    select_key(0xf);
    assert_int_equal(little(2), 3);
    select_key(0x1234);
    assert_int_equal(little(8), 0);
    select_key(0); /* from its beginning again */
    assert_int_equal(in(), 'Q');
}

static void directory(void **state)
{
    char file[57] = {0};

    (void)state;
    select_key(0x19);
    assert_int_equal(big(4), 1);
    assert_int_equal(big(4), 4 * 20);
    assert_int_equal(big(2), 0x20);
    assert_int_equal(big(2), 0);
    for (unsigned i = 0; i < 56; i++)
        file[i] = (char)in();
    assert_string_equal(file, "etc/e820");
    assert_int_equal(big(4), 0);
    select_key(0x20);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(little(8) == map[i].base);
        assert_true(little(8) == map[i].length);
        assert_int_equal(little(4), map[i].type);
    }
    assert_int_equal(little(8), 0);
}

static void accesses(void **state)
{
    (void)state;
    select_key(5);
    bus_port_write(&bus, 0x510, 1, 0, 0, &name); /* half a selector is none */
    bus_port_write(&bus, 0x511, 1, 0, 0, &name);
    assert_int_equal(little(2), 3);
    assert_int_equal(bus_port_read(&bus, 0x510, 2, 0, &name), 0xffff);
    select_key(0);
    assert_int_equal(bus_port_read(&bus, 0x511, 4, 0, &name), 0xffffff51); /* a byte of it is the data port */
    fw_cfg.offset = UINT32_MAX - 1;
    assert_int_equal(little(4), 0); /* it does not come round */
    assert_true(fw_cfg.offset == UINT32_MAX);
}

static void too_many_entries(void **state)
{
    struct e820_entry many[FW_CFG_E820_MAX + 1];

    (void)state;
    for (unsigned i = 0; i <= FW_CFG_E820_MAX; i++)
        many[i] = (struct e820_entry){i, 1, E820_RAM};
    fw_cfg_reset(&fw_cfg, 0, 1, many, FW_CFG_E820_MAX + 1);
    assert_int_equal(fw_cfg.e820_size, FW_CFG_E820_MAX * 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(items, reset),
        cmocka_unit_test_setup(directory, reset),
        cmocka_unit_test_setup(accesses, reset),
        cmocka_unit_test_setup(too_many_entries, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
