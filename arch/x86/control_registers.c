/* SPDX-License-Identifier: MIT */
/* The host's constant control registers. */
#include "arch/x86/control_registers.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/msr.h"

void control_registers_set(void)
{
    struct cpuid_result features = cpuid(1, 0);
    uint64_t cr4 = HOST_CR4 | (cr4_read() & CR4_VMXE);

    if (features.edx & CPUID_1_EDX_FXSR)
        cr4 |= CR4_OSFXSR;
    if (features.edx & CPUID_1_EDX_SSE)
        cr4 |= CR4_OSXMMEXCPT;
    if (features.ecx & CPUID_1_ECX_XSAVE)
        cr4 |= CR4_OSXSAVE;
    cr0_write(HOST_CR0);
    cr4_write(cr4);
    msr_write(MSR_IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE);
}
