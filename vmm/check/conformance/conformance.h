/* SPDX-License-Identifier: MIT */
/*
 * The conformance tester: what this processor makes of EPT entries of every kind, against what the manual
 * says (ept/walk2d.c). One VM entry a case, in a VM of its own whose EPT leads nowhere but to its own frames
 * (vmm/check/conformance/confine.h).
 */
#ifndef VMM_CHECK_CONFORMANCE_CONFORMANCE_H
#define VMM_CHECK_CONFORMANCE_CONFORMANCE_H

#include <stdint.h>

/*
 * Runs the cases of the command line (conformance=CASES,SEED) on the boot CPU and prints what differs; the
 * last line of the console will be "conformance: N cases, N mismatches, N known departures". 0: no mismatch,
 * 1: some, 2: the test could not be run.
 */
int conformance_run(void);

#endif
