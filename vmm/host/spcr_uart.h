/* SPDX-License-Identifier: MIT */
/* The serial port that ACPI's SPCR names, for the console. Pure. */
#ifndef VMM_HOST_SPCR_UART_H
#define VMM_HOST_SPCR_UART_H

#include "arch/x86/acpi.h"
#include "drivers/console.h"

/*
 * Makes the port that SPCR names the console's UART: place, layout of its registers, and rate. NULL: done;
 * else why that port cannot be used, and the configuration stays. acpi->spcr_found.
 */
const char *spcr_uart(const struct acpi_info *acpi, struct console_config *config);

#endif
