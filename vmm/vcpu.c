/* SPDX-License-Identifier: MIT */
/* A vCPU's life: made, loaded on its CPU, run until its VM ends, released. */
#include "vmm/vcpu.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/fpu.h"
#include "arch/x86/invept.h"
#include "arch/x86/memory.h"
#include "arch/x86/msr.h"
#include "arch/x86/tsc.h"
#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/frame.h"
#include "vmm/guest_cpuid.h"
#include "vmm/vm.h"
#include "vmm/vm_devices.h"
#include "vmm/vmcs.h"

must_check bool vcpu_create(struct vcpu *vcpu, struct vm *vm)
{
    uint64_t caps = vmx_shared_capabilities()->ept_vpid;
    bool vpid_usable = (caps & VPID_CAP_INVVPID) &&
                       (caps & (VPID_CAP_INVVPID_SINGLE_CONTEXT | VPID_CAP_INVVPID_ALL_CONTEXTS)) &&
                       !vmx_control_missing(vmx_shared_capabilities(), VMX_WORD_SECONDARY, VMX_ENABLE_VPID);

    memset(vcpu, 0, sizeof(*vcpu));
    vcpu->vm = vm;
    vcpu->trace = vm->config.trace;
    vcpu->vpid = vpid_usable ? vm->id : 0; /* ids start at 1: VPID 0 is the host's */
    vcpu->deadline = ~UINT64_C(0);
    vcpu->vmcs_physical = frame_alloc(FRAME_HOST);
    return vcpu->vmcs_physical != FRAME_ALLOC_FAILED;
}

void vcpu_destroy(struct vcpu *vcpu)
{
    frame_free_run(vcpu->vmcs_physical, 1, FRAME_HOST);
}

/* Guest registers that VM entries do not load. The host uses none of them, so they stay in the processor
 * while the vCPU runs. */
static void load_registers(const struct vcpu *vcpu)
{
    cr2_write(vcpu->cr2);
    dr0_write(vcpu->dr0);
    dr1_write(vcpu->dr1);
    dr2_write(vcpu->dr2);
    dr3_write(vcpu->dr3);
    dr6_write(vcpu->dr6);
    msr_write(MSR_IA32_KERNEL_GS_BASE, vcpu->kernel_gs_base);
    msr_write(MSR_IA32_STAR, vcpu->star);
    msr_write(MSR_IA32_LSTAR, vcpu->lstar);
    msr_write(MSR_IA32_CSTAR, vcpu->cstar);
    msr_write(MSR_IA32_FMASK, vcpu->fmask);
    if (guest_cpuid_has_rdtscp())
        msr_write(MSR_IA32_TSC_AUX, vcpu->tsc_aux);
    fpu_reset();
    if (guest_cpuid_xcr0_bits() != 0)
        xcr0_write(vcpu->xcr0);
}

/* What this CPU may have cached for an earlier VM with the same EPTP or VPID must go before the first entry.
 */
static bool flush_stale(const struct vcpu *vcpu)
{
    uint64_t caps = vmx_shared_capabilities()->ept_vpid;

    if (invept_context(caps, vcpu->vm->eptp) != VMX_OK)
        return false;
    return vcpu->vpid == 0 || invvpid_context(caps, vcpu->vpid) == VMX_OK;
}

static bool load(struct vcpu *vcpu, struct vmm_cpu *cpu)
{
    enum vmx_status status = vmcs_setup(vcpu);

    vcpu->cpu = cpu;
    if (status != VMX_OK) {
        vm_end(vcpu->vm, VM_FAILED, "its VMCS cannot be set up: %s", vmx_status_text(status));
        return false;
    }
    load_registers(vcpu);
    if (!flush_stale(vcpu)) {
        vm_end(vcpu->vm, VM_FAILED, "INVEPT or INVVPID fails before the first entry");
        return false;
    }
    return true;
}

/* Between exit and entry, outside of the exit path: deadline and console. */
static void between_exits(struct vcpu *vcpu)
{
    if (unlikely(tsc_read() > vcpu->deadline))
        vm_end(vcpu->vm, VM_FAILED, "timeout");
    if (trace_pending(&vcpu->cpu->trace))
        (void)trace_drain_some();
}

void vcpu_run(struct vcpu *vcpu, struct vmm_cpu *cpu)
{
    vcpu->started = tsc_read();
    vm_devices_start(vcpu->vm, vcpu->started);
    trace_name_vm(vcpu->vm->id, vcpu->vm->config.name, vcpu->started);
    if (!load(vcpu, cpu))
        return;
    vcpu->ran = true;
    cpu->vm = vcpu->vm;
    while (vcpu->vm->end.verdict == VM_RUNNING) {
        uint64_t outcome = vmx_enter(&vcpu->registers);
        enum exit_action action =
            likely(outcome == VMX_ENTER_EXITED) ? exit_dispatch(vcpu) : exit_entry_failed(vcpu, outcome);

        if (action != EXIT_ACTION_STOP)
            between_exits(vcpu);
    }
    cpu->vm = NULL;
}
