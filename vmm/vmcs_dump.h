/* SPDX-License-Identifier: MIT */
/* Printing a VMCS. */
#ifndef VMM_VMCS_DUMP_H
#define VMM_VMCS_DUMP_H

/*
 * Prints every field of the calling CPU's current VMCS by group, name and value; a field that this processor
 * does not have is shown as absent. Never fails. The caller keeps the console (trace_report_begin()).
 */
void vmcs_dump(void);

#endif
