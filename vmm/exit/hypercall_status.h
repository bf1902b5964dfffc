/* SPDX-License-Identifier: MIT */
/* What a hypercall answers with when the EPT engine has refused. */
#ifndef VMM_EXIT_HYPERCALL_STATUS_H
#define VMM_EXIT_HYPERCALL_STATUS_H

#include "ept/status.h"
#include "vmm/hypercall_abi.h"
#include <stdint.h>

/* HYPERCALL_... of vmm/hypercall_abi.h. */
static inline uint32_t hypercall_status(enum ept_status status)
{
    switch (status) {
    case EPT_OK:
        return HYPERCALL_OK;
    case EPT_UNSUPPORTED:
        return HYPERCALL_UNSUPPORTED;
    case EPT_NO_FRAME_LEFT:
        return HYPERCALL_NO_MEMORY;
    case EPT_NOT_LISTED:
    case EPT_BEYOND_WIDTH:
    case EPT_UNALIGNED:
        return HYPERCALL_BAD_ADDRESS;
    default:
        return HYPERCALL_BAD_ARGUMENT;
    }
}

#endif
