/* SPDX-License-Identifier: MIT */
/* Printing a VMCS. */
#ifndef VMM_REPORT_VMCS_DUMP_H
#define VMM_REPORT_VMCS_DUMP_H

#include "vmm/host/option_text.h"

/*
 * Prints every field of the calling CPU's current VMCS by group, name and value; a field that this processor
 * does not have is shown as absent. Never fails. The caller keeps the console (trace_report_begin()).
 */
void vmcs_dump(void);

/*
 * The same of one group (control, read-only, guest, host), or of the fields that have `part` in their names,
 * whatever its case. Returns how many there are.
 */
unsigned vmcs_dump_part(struct option_span part);

#endif
