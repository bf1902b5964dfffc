/* SPDX-License-Identifier: MIT */
/* Printing a VM's EPT. */
#ifndef VMM_REPORT_EPT_DUMP_H
#define VMM_REPORT_EPT_DUMP_H

struct vm;

/* Prints its memory map and, range-compressed, what its EPT maps of it. The caller keeps the console
 * (trace_report_begin()). */
void ept_dump_print(const struct vm *vm);

#endif
