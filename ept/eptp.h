/* SPDX-License-Identifier: MIT */
/* The EPT pointer, a field of the VMCS. SDM vol. 3, "Extended-Page-Table Pointer (EPTP)". */
#ifndef EPT_EPTP_H
#define EPT_EPTP_H

#include "ept/caps.h"
#include <stdint.h>

#define EPTP_MEMORY_TYPE                                                                                     \
    UINT64_C(7)               /* 2:0: 0 UC, 6 WB: for the processor's accesses to the EPT structures         \
                               */
#define EPTP_WALK_SHIFT     3 /* 5:3: page-walk length less one */
#define EPTP_ACCESSED_DIRTY (UINT64_C(1) << 6)
#define EPTP_ADDRESS        UINT64_C(0x000ffffffffff000)

/* The EPTP for the root table at root_hpa: WB structures where there are, else UC; A/D flags where there are.
 */
uint64_t eptp_make(const struct ept_caps *caps, uint64_t root_hpa);

#endif
