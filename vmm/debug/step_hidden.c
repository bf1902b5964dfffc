/* SPDX-License-Identifier: MIT */
/*
 * Hiding our RFLAGS.TF from the instruction that is stepped. What would store it is put right behind it, or
 * not run at all: INT n is delivered as an event, SYSCALL is done here, a load of SS by
 * vmm/debug/step_load_ss.c. Exceptions exit, and find TF as the guest has it.
 */
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "arch/x86/msr.h"
#include "vmm/exit/exit.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/vcpu/inject.h"
#include "vmm/vcpu/interrupts.h"
#include "vmm/debug/step.h"
#include "vmm/debug/step_load_ss.h"
#include "vmm/debug/trap_flag.h"
#include "vmm/debug/step_trap.h"
#include "vmm/vcpu/code.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

#define ALL_EXCEPTIONS UINT32_MAX
#define RIGHTS_CODE64  0xa09b /* of SYSCALL: execute/read, accessed, present, DPL 0, L, G */
#define RIGHTS_STACK   0xc093 /* read/write, accessed, present, DPL 0, B, G */
#define SELECTOR_RPL   UINT64_C(3)
#define SS_RIGHTS_B    (1u << 14)
#define RFLAGS_IOPL    UINT64_C(0x3000)
#define FLAGS_HIGH_TF  1u /* TF in the second byte of the flags */

/* SDM vol. 2, "SYSCALL". false: it is to raise #UD. */
static bool do_syscall(struct vcpu *vcpu, uint64_t rip, uint64_t rflags)
{
    uint64_t star = msr_read(MSR_IA32_STAR), code = (star >> 32) & 0xffff & ~SELECTOR_RPL;

    if (!(vmcs_read(VMCS_GUEST_IA32_EFER) & EFER_SCE)) /* #UD */
        return false;
    vcpu->registers.gpr[GPR_RCX] = rip + vcpu->step.plan.length;
    vcpu->registers.gpr[GPR_R8 + 3] = rflags & ~RFLAGS_RF;
    vmcs_write(VMCS_GUEST_RFLAGS, (rflags & ~(msr_read(MSR_IA32_FMASK) | RFLAGS_RF)) | RFLAGS_RESERVED1);
    vmcs_write(VMCS_GUEST_CS_SELECTOR, code);
    vmcs_write(VMCS_GUEST_CS_BASE, 0);
    vmcs_write(VMCS_GUEST_CS_LIMIT, UINT32_MAX);
    vmcs_write(VMCS_GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64);
    vmcs_write(VMCS_GUEST_SS_SELECTOR, code + 8);
    vmcs_write(VMCS_GUEST_SS_BASE, 0);
    vmcs_write(VMCS_GUEST_SS_LIMIT, UINT32_MAX);
    vmcs_write(VMCS_GUEST_SS_ACCESS_RIGHTS, RIGHTS_STACK);
    exit_advance_to(vcpu, msr_read(MSR_IA32_LSTAR), vmcs_read(VMCS_GUEST_RFLAGS));
    return true;
}

/* A load of SS that only the processor can do: it faults, or the instruction behind it runs in the same step
 * and decides what is to be put right. */
static void look_behind(struct vcpu *vcpu, const struct vcpu_code *code)
{
    struct step_plan *plan = &vcpu->step.plan;

    if (plan->length != 0 && plan->length < code->count)
        *plan = step_plan(code->bytes + plan->length, code->count - plan->length, code->code_size);
    if (plan->kind != STEP_PUSHF && plan->kind != STEP_LOADS_FLAGS)
        plan->kind = STEP_PLAIN;
    plan->is_pair = step_test_result() != MONITOR_TRAP_WORKS;
}

/* In virtual-8086 mode: INT n goes through the IDT; else it faults, or CR4.VME makes it the processor's
 * affair. */
static bool v86_interrupts(uint64_t rflags)
{
    return (rflags & RFLAGS_IOPL) == RFLAGS_IOPL && !(vmcs_read(VMCS_GUEST_CR4) & CR4_VME);
}

/* true: it is done in the guest's stead, or the next entry's event. */
static bool instead(struct vcpu *vcpu, const struct vcpu_code *code, uint64_t rflags)
{
    struct step_plan *plan = &vcpu->step.plan;

    switch (plan->kind) {
    case STEP_INT:
        if ((rflags & RFLAGS_VM) && !v86_interrupts(rflags))
            return false;
        inject_software_interrupt(vcpu, plan->vector, plan->length);
        step_end_at_once(vcpu);
        return true;
    case STEP_SYSCALL:
        return do_syscall(vcpu, code->rip, rflags);
    case STEP_LOADS_SS:
        if (step_load_ss(vcpu, code, plan))
            return true;
        look_behind(vcpu, code);
        return false;
    default:
        return false;
    }
}

must_check bool step_hide(struct vcpu *vcpu)
{
    struct step *step = &vcpu->step;
    uint64_t rflags = vmcs_read(VMCS_GUEST_RFLAGS);
    struct vcpu_code code;

    vcpu_code_read(vcpu, &code);
    step->plan = step_plan(code.bytes, code.count, code.code_size);
    interrupts_close_windows(vcpu);
    if (instead(vcpu, &code, rflags)) {
        if (!step->delivering)
            step_finish(vcpu);
        return false;
    }
    vmcs_write(VMCS_EXCEPTION_BITMAP, ALL_EXCEPTIONS);
    return true;
}

/* Takes TF out of the flags that PUSHF has just written. */
static void clear_pushed_flag(struct vcpu *vcpu)
{
    bool code64 = vcpu_code_size() == 8;
    uint64_t rsp = vmcs_read(VMCS_GUEST_RSP), linear;
    uint8_t byte;

    if (code64)
        linear = rsp + 1;
    else if (vmcs_read(VMCS_GUEST_SS_ACCESS_RIGHTS) & SS_RIGHTS_B)
        linear = (uint32_t)(vmcs_read(VMCS_GUEST_SS_BASE) + (uint32_t)(rsp + 1));
    else
        linear = (uint32_t)(vmcs_read(VMCS_GUEST_SS_BASE) + (uint16_t)(rsp + 1));
    if (!vcpu_linear_read(vcpu, linear, &byte, 1))
        return;
    byte &= (uint8_t)~FLAGS_HIGH_TF;
    (void)!vcpu_linear_write(vcpu, linear, &byte, 1);
}

void step_hide_end(struct vcpu *vcpu, bool trapped)
{
    vmcs_write(VMCS_EXCEPTION_BITMAP, VMCS_EXCEPTIONS);
    if (trapped && !vcpu->step.by_flag && !vcpu->step.guest_tf && vcpu->step.plan.kind == STEP_PUSHF)
        clear_pushed_flag(vcpu);
}
