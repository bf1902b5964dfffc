/* SPDX-License-Identifier: MIT */
/*
 * Keeps a case of the conformance tester within its VM, whatever the processor makes of the entries: judged
 * by the most careless reading of them, not by the manual's. Pure.
 */
#ifndef VMM_CHECK_CONFORMANCE_CONFINE_H
#define VMM_CHECK_CONFORMANCE_CONFINE_H

#include "vmm/check/conformance/case.h"

/*
 * A present entry that references a table must reference the next table of the probe or a frame that is all
 * zero; else it loses all rights. An entry that maps a page must map the probe to scratch memory, also if
 * bits of its address that are reserved are cut off, or-ed or added to the offset; else it loses the rights
 * that the access needs. Sets test->confined and test->frame.
 */
void conformance_confine(struct conformance_case *test, const struct conformance_layout *layout);

#endif
