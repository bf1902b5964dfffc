/* SPDX-License-Identifier: MIT */
/* The serial port that ACPI's SPCR names. */
#include "vmm/host/spcr_uart.h"

#define ACCESS_SIZE_NOT_SAID 0u
#define ACCESS_SIZE_MAX      4u

/*
 * ACPI Specification, "Generic Address Structure": the register bit width is the distance of the registers,
 * the access size how wide each access is; without one it is the width. Firmware that says a width of 8 and
 * an access size of 32 bits means registers in 32-bit words, too.
 */
static bool layout_of(const struct acpi_info *acpi, struct uart_layout *layout)
{
    unsigned width = acpi->spcr_register_width / 8u, access;

    if (acpi->spcr_access_size > ACCESS_SIZE_MAX || acpi->spcr_register_width % 8 != 0)
        return false;
    access = acpi->spcr_access_size == ACCESS_SIZE_NOT_SAID ? width : 1u << (acpi->spcr_access_size - 1);
    if (access > width)
        width = access;
    if ((access != 1 && access != 4) || (width != 1 && width != 2 && width != 4))
        return false;
    *layout = (struct uart_layout){(uint8_t)width, (uint8_t)access};
    return true;
}

const char *spcr_uart(const struct acpi_info *acpi, struct console_config *config)
{
    struct uart_layout layout;

    if (acpi->spcr_space == ACPI_SPACE_IO) {
        config->uart_port = (uint16_t)acpi->spcr_address;
        config->uart_mmio = 0;
    } else if (layout_of(acpi, &layout)) {
        config->uart_mmio = acpi->spcr_address;
        config->uart_layout = layout;
    } else {
        return "its registers are neither bytes nor 32-bit words";
    }
    config->baud = acpi->spcr_baud;
    return NULL;
}
