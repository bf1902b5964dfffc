/* SPDX-License-Identifier: MIT */
/*
 * The one place for what particular processors and hypervisors below do otherwise than the manual says. Each
 * workaround is a row of workaround.c's table: a name, when it is active, and why. The active ones are named
 * at boot.
 */
#ifndef VMM_HOST_WORKAROUND_H
#define VMM_HOST_WORKAROUND_H

#include <stdbool.h>

enum workaround {
    /*
     * The VMX-preemption timer counts at a wrong rate, at times not at all, on a list of processors (Nehalem,
     * Westmere, some Ivy Bridge). Adept only uses it to get the CPU back now and then, and takes times from
     * the TSC, so nothing but this line follows.
     */
    WORKAROUND_PREEMPTION_TIMER_RATE,
    /* EPT accessed and dirty flags do not work on Avoton: they are left off there. */
    WORKAROUND_NO_ACCESSED_DIRTY,
    /* KVM raises #GP when a guest of its guest switches PAE paging on and the page at CR3 is not yet in the
       EPT: such writes exit. */
    WORKAROUND_CR0_PG_EXITS,
    /*
     * iTLB multihit: a guest that changes the size of a page which it executes can stop processors from
     * Nehalem to Comet Lake. There, large EPT pages are not executable, and split at the first fetch.
     */
    WORKAROUND_ITLB_MULTIHIT,
    /* Bochs 3.0 stops at an exit of a guest whose CR4.LA57 is not the host's: guests have no five-level
       paging. */
    WORKAROUND_NO_LA57,
    /* Below another hypervisor a VMREAD of the CS selector, which no shadow VMCS holds, is an exit of its
       own: trace records have it in real mode alone. */
    WORKAROUND_SPARE_CS,
    WORKAROUND_COUNT,
};

/* Looks at the processor; boot CPU, before the first guest. Prints a line for each workaround that is active.
 */
void workaround_detect(void);

/* Constant after workaround_detect(). Any CPU. */
bool workaround_active(enum workaround workaround);

#endif
