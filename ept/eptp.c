/* SPDX-License-Identifier: MIT */
/* Builds the EPT pointer. */
#include "ept/eptp.h"
#include "ept/memtype.h"

uint64_t eptp_make(const struct ept_caps *caps, uint64_t root_hpa)
{
    uint64_t type = caps->structures_wb ? MEMORY_TYPE_WB : MEMORY_TYPE_UC;
    uint64_t walk = (uint64_t)(caps->levels - 1u) << EPTP_WALK_SHIFT;
    uint64_t flags = caps->accessed_dirty ? EPTP_ACCESSED_DIRTY : 0;

    return (root_hpa & EPTP_ADDRESS) | type | walk | flags;
}
