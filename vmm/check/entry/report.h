/* SPDX-License-Identifier: MIT */
/* The entry checker over the calling CPU's current VMCS: snapshot and report. */
#ifndef VMM_CHECK_ENTRY_REPORT_H
#define VMM_CHECK_ENTRY_REPORT_H

#include "vmm/check/entry/check.h"

/* Fills in all but the fields: capabilities that all CPUs share, CPUID's widths and bits. VMX root operation.
 */
void entry_snapshot_machine(struct entry_snapshot *snapshot);

/* All of it, from the current VMCS, and what it points to where that is RAM. */
void entry_snapshot_take(struct entry_snapshot *snapshot);

#endif
