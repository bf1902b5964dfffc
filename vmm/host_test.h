/* SPDX-License-Identifier: MIT */
/* What test= on the command line makes the host do to itself, so that its own safety nets are seen to hold.
 */
#ifndef VMM_HOST_TEST_H
#define VMM_HOST_TEST_H

/*
 * Runs the words of test= that are host tests; boot CPU, after all CPUs are up. host-nmi returns;
 * host-exception (#PF), host-undefined (#UD), host-stack-overflow and host-panic end the machine.
 */
void host_test_run(void);

#endif
