/* SPDX-License-Identifier: MIT */
/* Switching the machine off, or what comes closest. */
#ifndef VMM_HOST_POWER_H
#define VMM_HOST_POWER_H

#include "arch/x86/acpi.h"
#include "arch/x86/compiler.h"
#include "vmm/host/cmdline.h"

/* What power_end() is to do; before the call it knows only the emulators' ports and powers off. */
void power_init(const struct acpi_info *acpi, enum cmdline_on_end on_end);

/* A line that is printed after all others, at the machine's end. It must stay valid. The boot CPU. */
void power_set_last_line(const char *line);

/*
 * Ends the machine: prints `adept: end: poweroff status=N`, drains the console, then tries isa-debug-exit,
 * Bochs's port and ACPI S5 (or a reset, or just halts, as on_end says). What remains on is halted, with a
 * line that says so. Any CPU.
 */
noreturn_fn void power_end(int status);

/* Resets the machine whatever on_end says. Any CPU. */
noreturn_fn void power_reboot(void);

#endif
