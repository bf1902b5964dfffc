/* SPDX-License-Identifier: MIT */
/* The CPUID exit. */
#include "vmm/exit.h"
#include "vmm/guest_cpuid.h"
#include "vmm/vm.h"
#include "vmm/vmcs.h"

enum exit_action exit_cpuid(struct vcpu *vcpu)
{
    uint64_t *gpr = vcpu->registers.gpr;
    uint32_t leaf = (uint32_t)gpr[GPR_RAX];
    struct cpuid_result result;
    uint64_t cr4;

    exit_count_subject(vcpu, SUBJECT_CPUID, leaf);
    /* Only leaf 1 shows a bit of CR4: OSXSAVE. */
    cr4 = leaf == 1 ? vmcs_read(VMCS_GUEST_CR4) : 0;
    result =
        guest_cpuid(leaf, (uint32_t)gpr[GPR_RCX], cr4, vcpu->xcr0, lapic_is_enabled(&vcpu->vm->pc.lapic));

    gpr[GPR_RAX] = result.eax;
    gpr[GPR_RBX] = result.ebx;
    gpr[GPR_RCX] = result.ecx;
    gpr[GPR_RDX] = result.edx;
    return EXIT_ACTION_ADVANCE;
}
