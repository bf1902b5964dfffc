/* SPDX-License-Identifier: MIT */
/* What of the machine's requirements is missing. */
#ifndef VMM_PREFLIGHT_H
#define VMM_PREFLIGHT_H

enum preflight_result {
    PREFLIGHT_PASS,    /* guests can run */
    PREFLIGHT_REFUSED, /* they cannot; CPUs are brought up all the same */
};

/* Prints the report on the boot CPU. */
enum preflight_result preflight_run(void);

/* "WHAT is missing (what to do)" of the first requirement that failed; NULL when none did. */
const char *preflight_refusal(void);

#endif
