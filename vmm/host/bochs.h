/* SPDX-License-Identifier: MIT */
/* Whether this machine is an emulator whose departures from the manual are known: where tests count them
 * apart. */
#ifndef VMM_HOST_BOCHS_H
#define VMM_HOST_BOCHS_H

#include <stdbool.h>
#include <stdint.h>

#define EMULATOR_BIOS_BASE 0xf0000u /* where a BIOS keeps its SMBIOS entry point */
#define EMULATOR_BIOS_SIZE 0x10000u

/*
 * Bochs's version, 100 times the first number and the second one (3.0: 300); 0 on any other machine. By what
 * its BIOS says in the SMBIOS tables, where CPUID names no hypervisor: QEMU can run that BIOS, too, but says
 * TCG or KVM there; a processor's firmware has another vendor. Any CPU, any time after paging_init().
 */
unsigned emulator_bochs(void);

/* The same of the 64 KiB at EMULATOR_BIOS_BASE alone; whatever they hold. Pure. */
unsigned emulator_bochs_of_bios(const uint8_t *area);

#endif
