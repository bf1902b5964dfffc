/* SPDX-License-Identifier: MIT */
/*
 * The machine's virtual-processor identifiers, one for each vCPU. SDM vol. 3, "Virtual-Processor Identifiers
 * (VPIDs)". A vCPU without one (the processor has none, or all are taken) runs with "enable VPID" off: then
 * each VM entry and exit drops all linear mappings by itself, which is slower and as right. What an earlier
 * owner of a VPID has left in a CPU's caches goes by INVVPID before the vCPU's first entry there
 * (vmm/vcpu/vcpu.c).
 */
#ifndef VMM_VCPU_VPID_H
#define VMM_VCPU_VPID_H

#include <stdint.h>

/* Looks at what all CPUs share; boot CPU, before the first guest. */
void vpid_prepare(void);

/* A VPID that no other vCPU has; 0: there is none. Any CPU. */
uint16_t vpid_take(void);

/* 0 is allowed. Any CPU. */
void vpid_give_back(uint16_t vpid);

#endif
