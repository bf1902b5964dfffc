/* SPDX-License-Identifier: MIT */
/* Exits of instructions with little to them. SDM vol. 3, "Instructions That Cause VM Exits". */
#include "arch/x86/control_registers.h"
#include "arch/x86/invept.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/vcpu/control_rules.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/exit.h"
#include "vmm/vcpu/interrupts.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

/* The privilege level is the DPL of SS. SDM vol. 3, "Guest Register State". */
#define RIGHTS_DPL(rights) ((rights) >> 5 & 3)

/* The vCPU sleeps before the next entry (interrupts_wait()), RIP behind the HLT already. */
enum exit_action exit_hlt(struct vcpu *vcpu)
{
    if (!interrupts_halt(vcpu)) {
        vcpu->result.code = RESULT_ENDED;
        return EXIT_ACTION_STOP;
    }
    vcpu->quick.due = 0;
    vcpu->result.code = RESULT_HALTED;
    return EXIT_ACTION_ADVANCE;
}

/*
 * INVD and WBINVD. Caches are coherent, and no device that would go past them belongs to a guest: there is
 * nothing to write back that anybody could miss, and a guest that could empty all caches at will would slow
 * the others down.
 */
enum exit_action exit_cache_instruction(struct vcpu *vcpu)
{
    (void)vcpu;
    return EXIT_ACTION_ADVANCE;
}

/* The guest does it itself; it is only good to know. SDM vol. 3, "MOV DR" in "Instructions That Cause VM Exits
 * Conditionally": the exit comes before any fault of the instruction's. */
enum exit_action exit_mov_dr(struct vcpu *vcpu)
{
    boundary_watch_breakpoints(vcpu);
    boundary_again();
    vcpu->result.code = RESULT_RESUMED;
    return EXIT_ACTION_RESUME;
}

/* CPUID shows no performance counters. */
enum exit_action exit_rdpmc(struct vcpu *vcpu)
{
    return exit_inject_gp(vcpu);
}

/* These exit only where a processor, or a hypervisor below, forces their control to 1. */
enum exit_action exit_rdtsc(struct vcpu *vcpu)
{
    uint64_t now = tsc_read() + vmcs_read(VMCS_TSC_OFFSET);

    vcpu->registers.gpr[GPR_RAX] = (uint32_t)now;
    vcpu->registers.gpr[GPR_RDX] = now >> 32;
    if (vcpu->exit_reason == EXIT_RDTSCP)
        vcpu->registers.gpr[GPR_RCX] = (uint32_t)msr_read(MSR_IA32_TSC_AUX);
    return EXIT_ACTION_ADVANCE;
}

enum exit_action exit_pause(struct vcpu *vcpu)
{
    (void)vcpu;
    return EXIT_ACTION_ADVANCE;
}

/* The exit qualification is the linear address. INVVPID refuses one that is not canonical; then all of this
 * vCPU's goes. */
enum exit_action exit_invlpg(struct vcpu *vcpu)
{
    uint64_t address = vmcs_read(VMCS_EXIT_QUALIFICATION);
    bool canonical = (uint64_t)((int64_t)(address << 16) >> 16) == address;

    if (!canonical)
        return exit_invpcid(vcpu);
    if (vcpu->vpid != 0 &&
        invvpid_address(vmx_shared_capabilities()->ept_vpid, vcpu->vpid, address) != VMX_OK) {
        vm_end(vcpu->vm, VM_FAILED, "INVLPG cannot be emulated: INVVPID fails");
        return EXIT_ACTION_STOP;
    }
    return EXIT_ACTION_ADVANCE;
}

/* Exits only together with INVLPG. Whatever it names, everything of this vCPU's goes: never less. */
enum exit_action exit_invpcid(struct vcpu *vcpu)
{
    if (vcpu->vpid == 0) /* without VPIDs every entry and exit flushes linear mappings by itself */
        return EXIT_ACTION_ADVANCE;
    if (invvpid_context(vmx_shared_capabilities()->ept_vpid, vcpu->vpid) != VMX_OK) {
        vm_end(vcpu->vm, VM_FAILED, "INVPCID cannot be emulated: INVVPID fails");
        return EXIT_ACTION_STOP;
    }
    return EXIT_ACTION_ADVANCE;
}

/*
 * All checks in the manual's order. Processors make the first two before the exit, SDM vol. 3, "Relative
 * Priority of Faults and VM Exits"; an emulator was seen to leave out that of the privilege level.
 */
enum exit_action exit_xsetbv(struct vcpu *vcpu)
{
    const uint64_t *gpr = vcpu->registers.gpr;
    uint64_t value = (gpr[GPR_RDX] << 32) | (uint32_t)gpr[GPR_RAX];

    if (!(vmcs_read(VMCS_GUEST_CR4) & CR4_OSXSAVE))
        return exit_inject_ud(vcpu);
    if (RIGHTS_DPL(vmcs_read(VMCS_GUEST_SS_ACCESS_RIGHTS)) != 0)
        return exit_inject_gp(vcpu);
    if (unlikely((uint32_t)gpr[GPR_RCX] != 0))
        return exit_inject_gp(vcpu);
    if (value == vcpu->xcr0)
        return EXIT_ACTION_ADVANCE;
    if (!control_xcr0_valid(value, vcpu->xcr0_allowed))
        return exit_inject_gp(vcpu);
    xcr0_write(value);
    vcpu->xcr0 = value;
    exit_quick_xcr0_changed(vcpu);
    return EXIT_ACTION_ADVANCE;
}
