/* SPDX-License-Identifier: MIT */
/* Blocking and pending debug exceptions between two instructions. */
#include "vmm/vcpu/boundary.h"
#include "arch/x86/control_registers.h"
#include "vmm/host/cpu.h"
#include "vmm/vcpu/inject.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

#define QUALIFICATION_PORT   16 /* of an I/O instruction's exit */
#define QUALIFICATION_SIZE   7u
#define QUALIFICATION_STRING (1u << 4)

static void set_exiting(bool exits)
{
    uint64_t controls = vmcs_read(VMCS_PRIMARY_CONTROLS) & ~(uint64_t)VMX_MOV_DR_EXITING;

    vmcs_write(VMCS_PRIMARY_CONTROLS, exits ? controls | VMX_MOV_DR_EXITING : controls);
}

/* Waits for the guest to use a debug register; where that cannot exit, breakpoints are looked for always. */
void boundary_prepare(struct vcpu *vcpu)
{
    bool exits = vmx_control_missing(vmx_shared_capabilities(), VMX_WORD_PRIMARY, VMX_MOV_DR_EXITING) == 0;

    if (exits)
        set_exiting(true);
    vcpu->quick.trap_flags = (uint32_t)RFLAGS_TF | (exits ? 0 : BOUNDARY_ALWAYS);
    mmio_forget(vcpu);
}

void boundary_watch_breakpoints(struct vcpu *vcpu)
{
    set_exiting(false);
    vcpu->quick.trap_flags |= BOUNDARY_ALWAYS;
    mmio_forget(vcpu);
}

uint64_t boundary_end_blocking(void)
{
    uint64_t state = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE);

    if (unlikely(state & INTERRUPTIBILITY_STI_MOV_SS)) {
        state &= ~(uint64_t)INTERRUPTIBILITY_STI_MOV_SS;
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, state);
    }
    return state;
}

static struct breakpoints breakpoints(uint64_t dr7)
{
    return (struct breakpoints){.address = {dr0_read(), dr1_read(), dr2_read(), dr3_read()},
                                .dr7 = dr7,
                                .io = vmcs_read(VMCS_GUEST_CR4) & CR4_DE};
}

void boundary_access(struct vcpu *vcpu, uint64_t linear, unsigned size, bool write)
{
    const struct breakpoints now = breakpoints(vmcs_read(VMCS_GUEST_DR7));

    if (vcpu->matched.exit_count != vcpu->exit_count)
        vcpu->matched.pending = 0;
    vcpu->matched.exit_count = vcpu->exit_count;
    vcpu->matched.pending |= breakpoint_match(&now, write ? BREAKPOINT_WRITE : BREAKPOINT_READ, linear, size);
}

/* What this exit's instruction has matched. */
static uint64_t matched(struct vcpu *vcpu)
{
    uint64_t dr7 = vmcs_read(VMCS_GUEST_DR7), pending = 0;
    struct breakpoints now;

    if (!breakpoint_any(dr7)) {
        boundary_prepare(vcpu);
        return 0;
    }
    if (vcpu->matched.exit_count == vcpu->exit_count)
        pending = vcpu->matched.pending;
    if (vcpu->exit_reason == EXIT_IO) {
        uint64_t qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);

        now = breakpoints(dr7);
        pending |= breakpoint_match(&now, BREAKPOINT_PORT, (uint16_t)(qualification >> QUALIFICATION_PORT),
                                    (unsigned)(qualification & QUALIFICATION_SIZE) + 1);
    }
    return pending;
}

void boundary_end(struct vcpu *vcpu, uint64_t rflags)
{
    uint64_t pending = 0;

    if (vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_MOV_SS)
        pending = vmcs_read(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS) & (DEBUG_B0_B3 | DEBUG_ENABLED);
    (void)boundary_end_blocking();
    if (boundary_has_breakpoints(vcpu))
        pending |= matched(vcpu);
    if (rflags & RFLAGS_TF)
        pending |= DEBUG_BS;
    vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, pending);
    if (pending & (DEBUG_ENABLED | DEBUG_BS)) /* a trap behind HLT ends it */
        vcpu->interrupts.halted = false;
}

void boundary_drop_pending(void)
{
    if (!(vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_MOV_SS))
        vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
}

void boundary_block_by_mov_ss(struct vcpu *vcpu)
{
    vcpu->interrupts.advanced = false; /* that would say that blocking is over */
    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, boundary_end_blocking() | INTERRUPTIBILITY_MOV_SS);
}

void boundary_again(void)
{
    vmcs_write(VMCS_GUEST_RFLAGS, vmcs_read(VMCS_GUEST_RFLAGS) | RFLAGS_RF);
    boundary_drop_pending();
}

uint64_t boundary_pending(const struct vcpu *vcpu)
{
    uint64_t pending;

    /* Other exits that the guest causes save none, but behind MOV SS; Bochs 2.7 does, see boundary_again().
     */
    if (!vcpu->interrupts.advanced && vcpu->exit_reason != EXIT_MONITOR_TRAP_FLAG)
        return 0;
    pending = vmcs_read(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS);
    if (likely(pending == 0) || !(pending & (DEBUG_ENABLED | DEBUG_BS)) ||
        (vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE) & INTERRUPTIBILITY_MOV_SS))
        return 0;
    return pending & (DEBUG_B0_B3 | DEBUG_BS);
}
