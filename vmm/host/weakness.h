/* SPDX-License-Identifier: MIT */
/*
 * Known weaknesses of processors by which a guest may read what others have left in buffers and caches: which
 * a processor has, and what is done. Pure.
 *
 * Intel, "Deep Dive" and "Processors Affected: Transient Execution Attacks & Related Security Issues by CPU";
 * SDM vol. 4, IA32_ARCH_CAPABILITIES.
 */
#ifndef VMM_HOST_WEAKNESS_H
#define VMM_HOST_WEAKNESS_H

#include <stdbool.h>
#include <stdint.h>

enum weakness {
    WEAKNESS_L1TF,          /* L1 terminal fault */
    WEAKNESS_MDS,           /* microarchitectural data sampling */
    WEAKNESS_TAA,           /* TSX asynchronous abort */
    WEAKNESS_MMIO,          /* processor MMIO stale data */
    WEAKNESS_RFDS,          /* register file data sampling */
    WEAKNESS_ITLB_MULTIHIT, /* machine check on a change of page size */
    WEAKNESS_COUNT,
};

/* What the decision is made from. */
struct weakness_processor {
    unsigned family, model;
    uint64_t capabilities; /* IA32_ARCH_CAPABILITIES; 0 where there is none */
    bool rtm;              /* CPUID.7:EBX.11 */
    bool md_clear;         /* CPUID.7:EDX.10: VERW clears buffers */
    bool flush_l1d;        /* CPUID.7:EDX.28: IA32_FLUSH_CMD */
    bool verw, l1d;        /* mitigations= */
};

bool weakness_affects(const struct weakness_processor *processor, enum weakness weakness);

/* What is done about a weakness that the processor has, or why nothing. Never NULL. */
const char *weakness_mitigation(const struct weakness_processor *processor, enum weakness weakness);

/* As Linux calls them in /sys/devices/system/cpu/vulnerabilities. */
const char *weakness_name(enum weakness weakness);

/* --- vmm/host/weakness_report.c --- */

/* Reads the processor and prints a line a weakness. Boot CPU, before the first guest. */
void weakness_report(void);
/* By mitigations=, and constant after weakness_report(): VERW, and a flush of the L1 data cache, before each
 * entry of a guest. */
bool weakness_verw(void);
bool weakness_flush_l1d(void);
/* The calling CPU. */
void weakness_processor_read(struct weakness_processor *processor);

#endif
