/* SPDX-License-Identifier: MIT */
/* Reading the microcode revision. */
#include "arch/x86/microcode.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/msr.h"

uint64_t microcode_revision(void)
{
    uint64_t value;

    /* The processor fills the MSR in on CPUID leaf 1 if it held 0 before. */
    if (!msr_write_safe(MSR_IA32_BIOS_SIGN_ID, 0))
        return 0;
    (void)cpuid(1, 0);
    return msr_read_safe(MSR_IA32_BIOS_SIGN_ID, &value) ? value >> 32 : 0;
}
