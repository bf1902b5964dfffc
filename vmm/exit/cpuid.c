/* SPDX-License-Identifier: MIT */
/* The CPUID exit. */
#include "vmm/exit/exit.h"
#include "vmm/vcpu/cpuid.h"
#include "vmm/vcpu/code.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/devices/pc.h"

enum exit_action exit_cpuid(struct vcpu *vcpu)
{
    uint64_t *gpr = vcpu->registers.gpr;
    uint32_t leaf = (uint32_t)gpr[GPR_RAX], subleaf = (uint32_t)gpr[GPR_RCX];
    struct cpuid_result result;

    exit_count_subject(vcpu, SUBJECT_CPUID, leaf);
    if (!exit_quick_has_cpuid(vcpu, leaf, subleaf, &result))
        result = guest_cpuid(leaf, subleaf, vcpu->xcr0, lapic_is_enabled(&vcpu->vm->pc->lapic));
    if (leaf == GUEST_CPUID_EXTENDED_1 && vcpu_code_size() != 8)
        result.edx &= ~GUEST_CPUID_81_EDX_SYSCALL;

    gpr[GPR_RAX] = result.eax;
    gpr[GPR_RBX] = result.ebx;
    gpr[GPR_RCX] = result.ecx;
    gpr[GPR_RDX] = result.edx;
    return EXIT_ACTION_ADVANCE;
}
