/* SPDX-License-Identifier: MIT */
/* The machine as main.c found it, and the steps of its life that main.c goes through. */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/acpi.h"
#include "arch/x86/mtrr.h"
#include "boot/boot_info.h"
#include "vmm/host/cmdline.h"

/* Valid, and constant, from the banner on. */
const struct boot_info *machine_boot_info(void);
const struct acpi_info *machine_acpi(void);
const struct cmdline_options *machine_options(void);
/* MTRRs of the boot CPU; those of the others are compared with them at their start. */
const struct mtrr_raw *machine_mtrr(void);
/* Whether a CPU has others: then nobody can say which memory type is right. Valid once all CPUs are up.
 * (vmm/start_cpus.c) */
bool machine_mtrrs_differ(void);
/* Physical range of the image. */
uint64_t machine_image_base(void);
uint64_t machine_image_length(void);
/* CPUs that MADT (or the lack of it) promised, after cpus=; those that came up are percpu_count(). */
unsigned machine_cpus_expected(void);

enum preflight_result {
    PREFLIGHT_PASS,    /* guests can run */
    PREFLIGHT_REFUSED, /* they cannot; CPUs are brought up all the same */
};

/* Prints the report on the boot CPU. (vmm/preflight.c) */
enum preflight_result preflight_run(void);
/* Switches VMX on where it is there and prints the CPU's own line; every CPU, one after the other.
 * (vmm/host/cpu.c) */
void cpu_vmx_on(void);
/* The boot CPU: runs all guests. 0 pass, 1 a guest failed, 2 refused or failed. (vmm/guests.c) */
int guests_run(void);
/* Every other CPU, until the machine ends. */
void cpu_serve(void);
/* Every CPU, before the end. */
void cpu_vmx_off(void);

#endif
