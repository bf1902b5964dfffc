/* SPDX-License-Identifier: MIT */
/* vmm/host/spcr_uart.c: every layout of registers that SPCR can name is taken as it is, or refused with a reason.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/host/spcr_uart.h"

static void ports(void **state)
{
    const struct acpi_info acpi = {.spcr_found = true,
                                   .spcr_space = ACPI_SPACE_IO,
                                   .spcr_register_width = 8,
                                   .spcr_address = 0x2f8,
                                   .spcr_baud = 9600};
    struct console_config config = {.uart_port = 0x3f8, .uart_mmio = 5, .baud = 115200};

    (void)state;
    assert_null(spcr_uart(&acpi, &config));
    assert_int_equal(config.uart_port, 0x2f8);
    assert_int_equal(config.uart_mmio, 0);
    assert_int_equal(config.baud, 9600);
}

/* Stride and access for each width of bits and access size; 0, 0: refused. */
static const struct {
    uint8_t width, size, stride, access;
} layouts[] = {
    {8, 0, 1, 1},  {8, 1, 1, 1},  {8, 3, 4, 4},     {16, 1, 2, 1}, {32, 0, 4, 4}, {32, 1, 4, 1},
    {32, 3, 4, 4}, {16, 3, 4, 4}, {0, 1, 1, 1},     {0, 3, 4, 4},  {0, 0, 0, 0},  {16, 0, 0, 0},
    {8, 2, 0, 0},  {32, 2, 0, 0}, {64, 0, 0, 0},    {64, 1, 0, 0}, {32, 4, 0, 0}, {32, 5, 0, 0},
    {12, 1, 0, 0}, {24, 1, 0, 0}, {255, 255, 0, 0},
};

static void memory(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(layouts) / sizeof(layouts[0]); i++) {
        const struct acpi_info acpi = {.spcr_found = true,
                                       .spcr_space = ACPI_SPACE_MEMORY,
                                       .spcr_register_width = layouts[i].width,
                                       .spcr_access_size = layouts[i].size,
                                       .spcr_address = 0xfe034000};
        struct console_config config = {.uart_port = 0x3f8, .baud = 115200};
        const char *why = spcr_uart(&acpi, &config);

        if (layouts[i].stride == 0) {
            assert_non_null(why);
            assert_int_equal(config.uart_mmio, 0);
            assert_int_equal(config.baud, 115200);
            continue;
        }
        assert_null(why);
        assert_int_equal(config.uart_mmio, 0xfe034000);
        assert_int_equal(config.uart_layout.stride, layouts[i].stride);
        assert_int_equal(config.uart_layout.access, layouts[i].access);
        assert_int_equal(config.baud, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ports), cmocka_unit_test(memory)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
