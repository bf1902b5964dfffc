/* SPDX-License-Identifier: MIT */
/* What of the machine's requirements is missing. preflight_run() itself is declared in vmm/machine.h. */
#ifndef VMM_PREFLIGHT_H
#define VMM_PREFLIGHT_H

/* "WHAT is missing (what to do)" of the first requirement that failed; NULL when none did. */
const char *preflight_refusal(void);

#endif
