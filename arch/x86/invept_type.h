/* SPDX-License-Identifier: MIT */
/*
 * Which type of INVEPT or INVVPID does what is asked for on a given processor. Pure. Where the type that was
 * asked for is missing, it is the next wider one that exists; never one that leaves out any of what was to
 * go. So "single-context, retaining globals" stands in for nothing: a global page at the very address would
 * stay. SDM vol. 3, "INVEPT", "INVVPID", and appendix "VPID and EPT Capabilities".
 */
#ifndef ARCH_X86_INVEPT_TYPE_H
#define ARCH_X86_INVEPT_TYPE_H

#include "arch/x86/compiler.h"
#include <stdbool.h>
#include <stdint.h>

enum invept_type { INVEPT_SINGLE_CONTEXT = 1, INVEPT_ALL_CONTEXTS = 2 };

enum invvpid_type {
    INVVPID_INDIVIDUAL_ADDRESS = 0,
    INVVPID_SINGLE_CONTEXT = 1,
    INVVPID_ALL_CONTEXTS = 2,
    INVVPID_RETAINING_GLOBALS = 3,
};

#define INVEPT_TYPE_END  3
#define INVVPID_TYPE_END 4

/* `ept_vpid_cap`: IA32_VMX_EPT_VPID_CAP. false: the processor has nothing that would do. */
must_check bool invept_type_for(uint64_t ept_vpid_cap, enum invept_type wanted, enum invept_type *type);
must_check bool invvpid_type_for(uint64_t ept_vpid_cap, enum invvpid_type wanted, enum invvpid_type *type);

/* Whether the processor has this very type. */
bool invept_type_exists(uint64_t ept_vpid_cap, enum invept_type type);
bool invvpid_type_exists(uint64_t ept_vpid_cap, enum invvpid_type type);

/* "single-context" and so on. */
const char *invept_type_name(enum invept_type type);
const char *invvpid_type_name(enum invvpid_type type);

#endif
