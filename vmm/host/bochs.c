/* SPDX-License-Identifier: MIT */
/* Knowing an emulator. */
#include "vmm/host/bochs.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"

unsigned emulator_bochs(void)
{
    char hypervisor[13];

    cpuid_hypervisor(hypervisor);
    if (hypervisor[0] != '\0' || !paging_is_mapped(EMULATOR_BIOS_BASE, EMULATOR_BIOS_SIZE))
        return 0;
    return emulator_bochs_of_bios(phys_to_virt(EMULATOR_BIOS_BASE));
}
