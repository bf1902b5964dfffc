/* SPDX-License-Identifier: MIT */
/* The weaknesses of this machine's processor, and what mitigations= asks for. */
#include "vmm/host/weakness.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/msr.h"
#include "drivers/console.h"
#include "vmm/host/machine.h"

#define CPUID_7_EBX_RTM               (1u << 11)
#define CPUID_7_EDX_MD_CLEAR          (1u << 10)
#define CPUID_7_EDX_FLUSH_L1D         (1u << 28)
#define CPUID_7_EDX_ARCH_CAPABILITIES (1u << 29)

static struct weakness_processor machine;

void weakness_processor_read(struct weakness_processor *processor)
{
    struct cpuid_version version = cpuid_version();
    struct cpuid_result seven = {0, 0, 0, 0};

    if (cpuid_highest() >= 7)
        seven = cpuid(7, 0);
    *processor = (struct weakness_processor){.family = version.family,
                                             .model = version.model,
                                             .rtm = seven.ebx & CPUID_7_EBX_RTM,
                                             .md_clear = seven.edx & CPUID_7_EDX_MD_CLEAR,
                                             .flush_l1d = seven.edx & CPUID_7_EDX_FLUSH_L1D,
                                             .verw = machine_options()->mitigate_verw,
                                             .l1d = machine_options()->mitigate_l1d};
    if (!(seven.edx & CPUID_7_EDX_ARCH_CAPABILITIES) ||
        !msr_read_safe(MSR_IA32_ARCH_CAPABILITIES, &processor->capabilities))
        processor->capabilities = 0;
}

void weakness_report(void)
{
    weakness_processor_read(&machine);
    for (unsigned i = 0; i < WEAKNESS_COUNT; i++) {
        if (weakness_affects(&machine, (enum weakness)i))
            console_printf("adept: weakness: %s affected=yes mitigated=\"%s\"\n",
                           weakness_name((enum weakness)i), weakness_mitigation(&machine, (enum weakness)i));
        else
            console_printf("adept: weakness: %s affected=no\n", weakness_name((enum weakness)i));
    }
}

bool weakness_verw(void)
{
    return machine.verw;
}

bool weakness_flush_l1d(void)
{
    return machine.l1d && machine.flush_l1d;
}
