/* SPDX-License-Identifier: MIT */
/* Which devices the console uses: what the command line says, else ACPI's SPCR, else COM1, and the loader's
 * screen. */
#ifndef VMM_HOST_CONSOLE_SETUP_H
#define VMM_HOST_CONSOLE_SETUP_H

#include "arch/x86/acpi.h"
#include "boot/boot_info.h"
#include "vmm/host/cmdline.h"

/* Boot CPU; acpi is NULL while it has not been read. May be called again when more is known: that clears the
 * screen. */
void console_setup(const struct cmdline_options *options, const struct boot_info *boot,
                   const struct acpi_info *acpi);
/* One line on what the last console_setup() came to. */
void console_setup_print(void);

#endif
