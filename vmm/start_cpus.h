/* SPDX-License-Identifier: MIT */
/* Bringing up all CPUs that ACPI lists, and their way to the end. */
#ifndef VMM_START_CPUS_H
#define VMM_START_CPUS_H

#include "arch/x86/percpu.h"

/* The boot CPU's own APIC, how many CPUs to expect and the choice of xAPIC or
 * x2APIC mode. */
void start_cpus_prepare(void);
/* VMX on the boot CPU, then every other CPU: started, VMX on, waiting in cpu_serve(). Each prints its own
 * line. */
void start_cpus(void);
/* Waits until every other CPU has left cpu_serve() and halted; names those that do not within a second. */
void stop_cpus(void);

#endif
