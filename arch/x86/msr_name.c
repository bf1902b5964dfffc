/* SPDX-License-Identifier: MIT */
/* Names of model-specific registers. Pure. */
#include "arch/x86/msr.h"

#include <stddef.h>

const char *msr_name(uint32_t number)
{
    switch (number) {
#define MSR(value, name)                                                                                     \
    case value:                                                                                              \
        return #name;
#include "arch/x86/msr.def"
#undef MSR
    default:
        return NULL;
    }
}
