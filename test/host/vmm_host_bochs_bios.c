/* SPDX-License-Identifier: MIT */
/* vmm/host/bochs_bios.c: Bochs's SMBIOS tables, other firmware's, and broken ones. */
#include "vmm/host/bochs.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ENTRY 0xaf0 /* where the tables are here */
#define TABLE (ENTRY + 0x20)

static uint8_t *area; /* exactly its size, so that ASan sees an access beyond it */

static int set_up(void **state)
{
    (void)state;
    area = calloc(1, EMULATOR_BIOS_SIZE);
    return area == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    free(area);
    return 0;
}

static void put_sum(void)
{
    uint8_t sum = 0;

    area[ENTRY + 4] = 0;
    for (unsigned i = 0; i < 0x1f; i++)
        sum = (uint8_t)(sum + area[ENTRY + i]);
    area[ENTRY + 4] = (uint8_t)-sum;
}

static void put_table(uint32_t address, uint16_t length)
{
    memcpy(area + ENTRY, "_SM_\0\x1f\x02\x04", 8);
    memcpy(area + ENTRY + 0x10, "_DMI_", 5);
    memcpy(area + ENTRY + 0x16, &length, 2);
    memcpy(area + ENTRY + 0x18, &address, 4);
    put_sum();
}

static void put_bios(const char *strings, size_t size)
{
    memset(area + TABLE, 0, 0x100);
    memcpy(area + TABLE, "\x00\x18\x00\x00\x01\x02\x00\xe0\x03", 9);
    memcpy(area + TABLE + 0x18, strings, size);
    put_table(EMULATOR_BIOS_BASE + TABLE, (uint16_t)(0x18 + size));
}
#define PUT_BIOS(strings) put_bios(strings "\0", sizeof(strings "\0"))

static void bochs(void **state)
{
    (void)state;
    assert_int_equal(emulator_bochs_of_bios(area), 0);
    PUT_BIOS("The Bochs Project\0Bochs 2.7\00029/12/2019");
    assert_int_equal(emulator_bochs_of_bios(area), 207);
    PUT_BIOS("The Bochs Project\0Bochs 3.0\00016/02/2025");
    assert_int_equal(emulator_bochs_of_bios(area), 300);
    PUT_BIOS("The Bochs Project\0Bochs 3.1.devel\00016/02/2026");
    assert_int_equal(emulator_bochs_of_bios(area), 301);
    /* Beside it: a string "_SM_" that is no entry point. */
    memcpy(area + 0x10, "_SM_", 4);
    assert_int_equal(emulator_bochs_of_bios(area), 301);
}

static void others(void **state)
{
    (void)state;
    PUT_BIOS("SeaBIOS\0rel-1.16.2\00004/01/2014");
    assert_int_equal(emulator_bochs_of_bios(area), 0);
    PUT_BIOS("American Megatrends Inc.\0Bochs 2.7\00004/01/2014");
    assert_int_equal(emulator_bochs_of_bios(area), 0);
    PUT_BIOS("The Bochs Project\0Bochs x.y\0");
    assert_int_equal(emulator_bochs_of_bios(area), 0);
    PUT_BIOS("The Bochs Project\0Bochs 3.");
    assert_int_equal(emulator_bochs_of_bios(area), 0);
    PUT_BIOS("The Bochs Project");
    assert_int_equal(emulator_bochs_of_bios(area), 0);
}

/* Each damage: not Bochs, and nothing beyond the area is read. */
static void broken(void **state)
{
    static const uint32_t addresses[] = {0, 0x100, EMULATOR_BIOS_BASE - 1,
                                         EMULATOR_BIOS_BASE + EMULATOR_BIOS_SIZE - 8, 0xfffffff0};

    (void)state;
    PUT_BIOS("The Bochs Project\0Bochs 3.0");
    area[ENTRY + 9]++;
    assert_int_equal(emulator_bochs_of_bios(area), 0);
    for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        put_table(addresses[i], 0x60);
        assert_int_equal(emulator_bochs_of_bios(area), 0);
    }
    for (unsigned length = 0; length < 0x18 + 28;
         length++) { /* the table ends before the version's string does */
        put_table(EMULATOR_BIOS_BASE + TABLE, (uint16_t)length);
        assert_int_equal(emulator_bochs_of_bios(area), 0);
    }
    put_table(EMULATOR_BIOS_BASE + TABLE, 0x60);
    for (unsigned length = 0; length < 6; length++) {
        area[TABLE + 1] = (uint8_t)length;
        assert_int_equal(emulator_bochs_of_bios(area), 0);
    }
    /* At the area's very end, all bytes in use. */
    memset(area, 'x', EMULATOR_BIOS_SIZE);
    memcpy(area + EMULATOR_BIOS_SIZE - 0x20, "\x00\x18\x00\x00\x01\x02", 6);
    put_table(EMULATOR_BIOS_BASE + EMULATOR_BIOS_SIZE - 0x20, 0x20);
    assert_int_equal(emulator_bochs_of_bios(area), 0);
    /* Random bytes behind a good entry point. */
    for (unsigned round = 0; round < 20000; round++) {
        for (unsigned i = 0; i < 0x40; i++)
            area[EMULATOR_BIOS_SIZE - 0x40 + i] = (uint8_t)(rand() % 3 == 0 ? 0 : rand());
        area[EMULATOR_BIOS_SIZE - 0x40] = 0;
        put_table(EMULATOR_BIOS_BASE + EMULATOR_BIOS_SIZE - 0x40, 0x40);
        assert_int_equal(emulator_bochs_of_bios(area), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bochs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(others, set_up, tear_down),
        cmocka_unit_test_setup_teardown(broken, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
