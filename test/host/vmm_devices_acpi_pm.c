/* SPDX-License-Identifier: MIT */
/* vmm/devices/acpi_pm.c: "ACPI Hardware Specification" of ACPI. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "device_ports.h"
#include "vmm/devices/acpi_pm.h"
#include "vmm/devices/ticks.h"

static struct acpi_pm pm;
static struct wire sci, power_off;
static struct device_timer timer;

static int reset(void **state)
{
    (void)state;
    memset(&pm, 0, sizeof(pm));
    memset(&sci, 0, sizeof(sci));
    memset(&power_off, 0, sizeof(power_off));
    pm.sci = wire_line(&sci, ACPI_PM_SCI);
    pm.power_off = wire_line(&power_off, 0);
    test_now = 5000;
    acpi_pm_reset(&pm, test_now);
    test_port_ranges = ACPI_PM_PORT_RANGES;
    acpi_pm_ports(&pm, test_ports);
    timer = acpi_pm_timer(&pm);
    return 0;
}

static void ports(void **state)
{
    (void)state;
    assert_int_equal(test_ports[0].first, 0x600);
    assert_int_equal(test_ports[0].last, 0x60b);
    assert_int_equal(test_ports[0].width, 4);
    assert_int_equal(in_sized(0x600, 2), 0);
    assert_int_equal(in_sized(0x602, 2), 0);
    assert_int_equal(in_sized(0x604, 2), 1); /* SCI_EN */
    assert_int_equal(in_sized(0x606, 2), 0);
    assert_int_equal(in_sized(0x60b, 4), 0xffffff00); /* beyond the range there is nothing */
}

static void timer_counts(void **state)
{
    (void)state;
    assert_int_equal(in_sized(0x608, 4), 0);
    test_now = 5000 + DEVICE_SECOND;
    assert_int_equal(in_sized(0x608, 4), 3579545);
    assert_int_equal(in_sized(0x609, 2), 3579545 >> 8 & 0xffff);
    assert_int_equal(in_sized(0x60a, 1), 3579545 >> 16);
    out_sized(0x608, 4, 0);
    assert_int_equal(in_sized(0x608, 4), 3579545);
    test_now = 5000 + 100 * DEVICE_SECOND;
    assert_int_equal(in_sized(0x608, 4), 357954500 & 0xffffff);
    pm.timer_is_32_bit = true;
    assert_int_equal(in_sized(0x608, 4), 357954500);
    test_now = 5000 + 3600 * DEVICE_SECOND;
    assert_int_equal(in_sized(0x608, 4), (uint32_t)(UINT64_C(3579545) * 3600));
}

static void timer_status(void **state)
{
    uint64_t half = 5000 + tick_begins(1 << 23, ACPI_PM_TIMER_HZ);

    (void)state;
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    test_now = half - 1;
    assert_int_equal(in_sized(0x600, 2), 0);
    test_now = half;
    assert_int_equal(in_sized(0x600, 2), 1);
    assert_false(sci.level);
    out_sized(0x600, 2, 0);
    assert_int_equal(in_sized(0x600, 2), 1);
    out_sized(0x602, 2, 1);
    assert_true(sci.level);
    assert_int_equal(sci.number, 9);
    assert_true(timer.next(timer.device) == DEVICE_NEVER);
    out_sized(0x600, 2, 1);
    assert_false(sci.level);
    assert_int_equal(timer.next(timer.device), 5000 + tick_begins(2 << 23, ACPI_PM_TIMER_HZ));
    assert_int_equal(run_until(&timer, 5000 + 5 * DEVICE_SECOND), 1);
    assert_true(sci.level);
    assert_int_equal(in_sized(0x600, 2), 1); /* also from set to clear */
    out_sized(0x602, 2, 0);
    assert_false(sci.level);
    acpi_pm_reset(&pm, test_now);
    pm.timer_is_32_bit = true;
    out_sized(0x602, 2, 1);
    assert_int_equal(timer.next(timer.device), test_now + tick_begins(UINT64_C(1) << 31, ACPI_PM_TIMER_HZ));
}

static void registers(void **state)
{
    (void)state;
    out_sized(0x602, 2, 0xffff);
    assert_int_equal(in_sized(0x602, 2), 0x0721);
    out_sized(0x603, 1, 0x00);
    assert_int_equal(in_sized(0x602, 2), 0x0021);
    out_sized(0x600, 4, 0xffff0000);
    assert_int_equal(in_sized(0x600, 4), 0x07210000);
    out_sized(0x604, 2, 0x1c06);
    assert_int_equal(in_sized(0x604, 2), 0x1c03);
    assert_false(power_off.level);
    out_sized(0x604, 1, 0x00);
    assert_int_equal(in_sized(0x604, 2), 0x1c01);
}

static void sleep_states(void **state)
{
    (void)state;
    for (uint16_t type = 1; type < 8; type++) {
        out_sized(0x604, 2, (uint16_t)(0x2001 | type << 10));
        assert_false(power_off.level);
        assert_int_equal(in_sized(0x604, 2), type << 10 | 1); /* SLP_EN reads 0 */
    }
    out_sized(0x604, 2, 0x0001);
    assert_false(power_off.level);
    out_sized(0x604, 2, 0x2001);
    assert_true(power_off.level);
    acpi_pm_reset(&pm, test_now);
    assert_false(power_off.level);
    out_sized(0x604, 4, 0x2000);
    assert_true(power_off.level);
    acpi_pm_reset(&pm, test_now);
    out_sized(0x605, 1, 0x20);
    assert_true(power_off.level);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(ports, reset),        cmocka_unit_test_setup(timer_counts, reset),
        cmocka_unit_test_setup(timer_status, reset), cmocka_unit_test_setup(registers, reset),
        cmocka_unit_test_setup(sleep_states, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
