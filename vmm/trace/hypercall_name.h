/* SPDX-License-Identifier: MIT */
/* Names of the hypercalls. Pure. */
#ifndef VMM_TRACE_HYPERCALL_NAME_H
#define VMM_TRACE_HYPERCALL_NAME_H

#include <stdint.h>

/* "QUERY_MAPPING" for HYPERCALL_QUERY_MAPPING and so on; "unknown" for any other number. */
const char *hypercall_name(uint32_t number);

#endif
