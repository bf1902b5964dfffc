/* SPDX-License-Identifier: MIT */
/* Exits of instructions with little to them. SDM vol. 3, "Instructions That Cause VM Exits". */
#include "arch/x86/control_registers.h"
#include "arch/x86/fpu.h"
#include "arch/x86/tsc.h"
#include "vmm/exit.h"
#include "vmm/guest_cpuid.h"
#include "vmm/vm.h"
#include "vmm/vmcs.h"

/* VMX, SMX, MONITOR/MWAIT and others that CPUID hides. */
enum exit_action exit_undefined_instruction(struct vcpu *vcpu)
{
    return exit_inject_ud(vcpu);
}

/* There is no device yet that could interrupt: what halts has come to its end, enabled for interrupts or not. */
enum exit_action exit_hlt(struct vcpu *vcpu)
{
    bool enabled = vmcs_read(VMCS_GUEST_RFLAGS) & RFLAGS_IF;

    vm_end(vcpu->vm, VM_FAILED, enabled ? "HLT: no device is there to wake it" : "HLT with interrupts disabled");
    vcpu->result.code = RESULT_ENDED;
    return EXIT_ACTION_STOP;
}

/* INVD and WBINVD. INVD would throw away what the host has written: both write back. */
enum exit_action exit_cache_instruction(struct vcpu *vcpu)
{
    (void)vcpu;
    __asm__ volatile("wbinvd" : : : "memory");
    return EXIT_ACTION_ADVANCE;
}

/* CPUID shows no performance counters. */
enum exit_action exit_rdpmc(struct vcpu *vcpu)
{
    return exit_inject_gp(vcpu);
}

/* These three exit only where a processor, or a hypervisor below, forces their control to 1. */
enum exit_action exit_rdtsc(struct vcpu *vcpu)
{
    uint64_t now = tsc_read();

    vcpu->registers.gpr[GPR_RAX] = (uint32_t)now;
    vcpu->registers.gpr[GPR_RDX] = now >> 32;
    if (vcpu->exit_reason == EXIT_RDTSCP)
        vcpu->registers.gpr[GPR_RCX] = (uint32_t)vcpu->tsc_aux;
    return EXIT_ACTION_ADVANCE;
}

enum exit_action exit_pause(struct vcpu *vcpu)
{
    (void)vcpu;
    return EXIT_ACTION_ADVANCE;
}

enum exit_action exit_invlpg(struct vcpu *vcpu)
{
    uint64_t address = vmcs_read(VMCS_EXIT_QUALIFICATION);

    if (vcpu->vpid == 0) /* without VPIDs every entry and exit flushes linear mappings by itself */
        return EXIT_ACTION_ADVANCE;
    if (vmx_invvpid(INVVPID_INDIVIDUAL_ADDRESS, vcpu->vpid, address) != VMX_OK &&
        vmx_invvpid(INVVPID_SINGLE_CONTEXT, vcpu->vpid, 0) != VMX_OK &&
        vmx_invvpid(INVVPID_ALL_CONTEXTS, 0, 0) != VMX_OK) {
        vm_end(vcpu->vm, VM_FAILED, "INVLPG cannot be emulated: no INVVPID type works");
        return EXIT_ACTION_STOP;
    }
    return EXIT_ACTION_ADVANCE;
}

/* What XSETBV takes as XCR0. SDM vol. 1, "Extended Control Registers (XCRs)". */
static bool xcr0_valid(uint64_t value)
{
    if (value & ~guest_cpuid_xcr0_bits())
        return false;
    if (!(value & FPU_COMPONENT_X87) || ((value & FPU_COMPONENT_AVX) && !(value & FPU_COMPONENT_SSE)))
        return false;
    return !(value & FPU_COMPONENT_AVX512) ||
           ((value & FPU_COMPONENT_AVX512) == FPU_COMPONENT_AVX512 && (value & FPU_COMPONENT_AVX));
}

enum exit_action exit_xsetbv(struct vcpu *vcpu)
{
    const uint64_t *gpr = vcpu->registers.gpr;
    uint64_t value = (gpr[GPR_RDX] << 32) | (uint32_t)gpr[GPR_RAX];

    /* CPL and CR4.OSXSAVE were checked before the exit. */
    if ((uint32_t)gpr[GPR_RCX] != 0 || !xcr0_valid(value))
        return exit_inject_gp(vcpu);
    xcr0_write(value);
    vcpu->xcr0 = value;
    return EXIT_ACTION_ADVANCE;
}
