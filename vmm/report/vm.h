/* SPDX-License-Identifier: MIT */
/* What is printed when a VM ends, on the CPU that ran it, before its memory is given back. */
#ifndef VMM_REPORT_VM_H
#define VMM_REPORT_VM_H

struct vcpu;

/* Crash report if it did not end itself, dumps if asked for, and the isolation check. Its VMCS is still
 * current. */
void vm_report(struct vcpu *vcpu);

#endif
