/* SPDX-License-Identifier: MIT */
/* What the hypervisor's own start has taken: ticks from its first instruction to the first guest's, and
 * memory. */
#ifndef VMM_REPORT_START_H
#define VMM_REPORT_START_H

/* All CPUs are up, and no guest has memory yet. Boot CPU. */
void start_report_memory(void);

/* A vCPU's first entry is next; only the first call of all counts. Any CPU, at any time. */
void start_report_entry(void);

/* One line, if a guest was entered. Boot CPU, after the guests. */
void start_report_print(void);

#endif
