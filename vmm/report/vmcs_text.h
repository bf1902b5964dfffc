/* SPDX-License-Identifier: MIT */
/* Reading a VMCS field for a report: it may be absent, or there may be no VMCS, and the report goes on. */
#ifndef VMM_REPORT_VMCS_TEXT_H
#define VMM_REPORT_VMCS_TEXT_H

#include "arch/x86/vmx_fields.h"
#include <stdbool.h>
#include <stdint.h>

struct vmcs_text {
    uint64_t value; /* 0 unless readable */
    bool readable;
    char text[20]; /* "0x1f", or "unreadable" */
};

/* The field in the current VMCS of the calling CPU. Never fails. */
struct vmcs_text vmcs_text(enum vmcs_field field);

#endif
