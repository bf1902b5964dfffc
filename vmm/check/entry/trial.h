/* SPDX-License-Identifier: MIT */
/*
 * The entry checker against the processor: VMCSs that break one rule each (test=entry-rules), and ten
 * thousand random changes of good ones (test=entry-random). The processor must refuse exactly what the
 * checker does.
 */
#ifndef VMM_CHECK_ENTRY_TRIAL_H
#define VMM_CHECK_ENTRY_TRIAL_H

#include "vmm/vcpu/vcpu.h"

/*
 * Runs what test= asks for on the vCPU's current VMCS, before its first entry, and leaves the VMCS as it was.
 * No guest instruction is executed: the VMX-preemption timer is 0. Prints a line for each difference, then
 *     adept: entry-test: rules=N refused=N absent=N mismatches=N departures=N
 *     adept: entry-test: random=N entered=N refused=N not_tried=N mismatches=N departures=N
 * entry-broken-controls, entry-broken-host and entry-broken-guest spoil the VMCS for good.
 */
void entry_test(struct vcpu *vcpu);

#endif
