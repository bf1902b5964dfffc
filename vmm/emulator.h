/* SPDX-License-Identifier: MIT */
/* Whether this machine is an emulator whose departures from the manual are known: where tests count them
 * apart. */
#ifndef VMM_EMULATOR_H
#define VMM_EMULATOR_H

#include <stdbool.h>

/*
 * Bochs, by its clock: the TSC counts instructions, so a hundred more NOPs take about a hundred ticks more. A
 * processor retires at least two in a tick. Bochs has no word for itself in CPUID. Any CPU, interrupts off.
 */
bool emulator_is_bochs(void);

#endif
