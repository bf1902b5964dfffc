/* SPDX-License-Identifier: MIT */
/* The machine as vmm/main.c found it. */
#ifndef VMM_HOST_MACHINE_H
#define VMM_HOST_MACHINE_H

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
/* Physical start of the image. */
uint64_t machine_image_base(void);

#endif
