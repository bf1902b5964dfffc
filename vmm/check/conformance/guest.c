/* SPDX-License-Identifier: MIT */
/*
 * The guest runs nothing but the few instructions of vmm/check/conformance/memory.c, at CPL 0. All events
 * exit, so does MOV to CR3 where that can be had, and no linear address leads to its paging structures: it
 * can reach its own two pages and no others.
 */
#include "vmm/check/conformance/guest.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/invept.h"
#include "arch/x86/memory.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/exit.h"
#include "vmm/host/frame.h"
#include "vmm/vcpu/vmcs.h"

#define GUEST_ID                        1
#define RIGHTS_CODE64                   0x209b /* execute/read, accessed, present, L */
#define ALL_EXCEPTIONS                  UINT32_MAX
#define EVENTS_MAX                      64 /* interrupts and timer exits in one case: more, and the guest has run away */
#define HARDWARE_EXCEPTION(information) (EVENT_TYPE(information) == EVENT_HARDWARE_EXCEPTION)

static bool create_vm(struct conformance_guest *guest)
{
    struct guest_config config;

    guest_config_init(&config, 0);
    memcpy(config.name, "conformance", sizeof("conformance"));
    config.memory_bytes = CONFORMANCE_RAM_SIZE;
    return vm_create(&guest->vm, GUEST_ID, &config, VM_NO_MODULE);
}

/* 64-bit mode, with paging structures that stand in memory already. */
static void enter_64_bit_mode(struct conformance_guest *guest)
{
    const struct vmx_capabilities *vmx = vmx_shared_capabilities();

    vmcs_write(VMCS_ENTRY_CONTROLS, vmcs_read(VMCS_ENTRY_CONTROLS) | VMX_IA32E_MODE_GUEST);
    if (!vmx_control_missing(vmx, VMX_WORD_PRIMARY, VMX_CR3_LOAD_EXITING))
        vmcs_write(VMCS_PRIMARY_CONTROLS, vmcs_read(VMCS_PRIMARY_CONTROLS) | VMX_CR3_LOAD_EXITING);
    vmcs_write(VMCS_EXCEPTION_BITMAP, ALL_EXCEPTIONS);
    vmcs_write(VMCS_GUEST_CR0, CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG | vmx->cr0_fixed0);
    vmcs_write(VMCS_GUEST_CR3, conformance_root_gpa(&guest->memory));
    vmcs_write(VMCS_GUEST_CR4, CR4_PAE | CR4_MCE | CR4_VMXE | vmx->cr4_fixed0);
    vmcs_write(VMCS_GUEST_IA32_EFER, EFER_LME | EFER_LMA | EFER_NXE);
    vmcs_write(VMCS_GUEST_CS_ACCESS_RIGHTS, RIGHTS_CODE64);
}

/* Tables of its own beside those of the VM's EPT, and the VMCS. */
static bool create_parts(struct conformance_guest *guest)
{
    struct vm *vm = &guest->vm;

    if (!vm->ept.caps.walk_4) {
        vm_end(vm, VM_FAILED, "an EPT walk of 4 levels is missing");
        return false;
    }
    if (vmx_control_missing(vmx_shared_capabilities(), VMX_WORD_ENTRY, VMX_IA32E_MODE_GUEST)) {
        vm_end(vm, VM_FAILED, "64-bit guests are missing");
        return false;
    }
    guest->tables = frame_alloc_run(FRAME_EPT(vm->id), CONFORMANCE_TABLES, CONFORMANCE_TABLES);
    if (guest->tables == FRAME_ALLOC_FAILED) {
        vm_end(vm, VM_FAILED, "memory for its EPT is missing");
        return false;
    }
    conformance_memory_init(&guest->memory, &vm->ept.caps, guest->tables, phys_to_virt(guest->tables),
                            vm->ram_base, phys_to_virt(vm->ram_base));
    guest->eptp = vm->eptp;
    vm->vcpus[0].cpu = vmm_cpu();
    if (vmcs_setup(&vm->vcpus[0]) != VMX_OK) {
        vm_end(vm, VM_FAILED, "its VMCS cannot be set up");
        frame_free_run(guest->tables, CONFORMANCE_TABLES, FRAME_EPT(vm->id));
        return false;
    }
    enter_64_bit_mode(guest);
    return true;
}

must_check bool conformance_guest_create(struct conformance_guest *guest)
{
    if (!create_vm(guest))
        return false;
    if (create_parts(guest))
        return true;
    vm_destroy(&guest->vm);
    return false;
}

void conformance_guest_destroy(struct conformance_guest *guest)
{
    if (vmcs_release(&guest->vm.vcpus[0]) != VMX_OK)
        vm_end(&guest->vm, VM_FAILED, "VMCLEAR fails");
    frame_free_run(guest->tables, CONFORMANCE_TABLES, FRAME_EPT(guest->vm.id));
    vm_destroy(&guest->vm);
}

static void take_outcome(struct vcpu *vcpu, uint32_t reason, struct conformance_outcome *outcome)
{
    uint32_t information;

    outcome->rip = vmcs_read(VMCS_GUEST_RIP);
    outcome->rax = vcpu->registers.gpr[GPR_RAX];
    switch (reason) {
    case EXIT_VMCALL:
        outcome->end = WALK2D_DONE;
        break;
    case EXIT_EPT_VIOLATION:
        outcome->end = WALK2D_VIOLATION;
        outcome->qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
        outcome->gpa = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
        outcome->linear_address = vmcs_read(VMCS_GUEST_LINEAR_ADDRESS);
        break;
    case EXIT_EPT_MISCONFIG:
        outcome->end = WALK2D_MISCONFIG;
        outcome->gpa = vmcs_read(VMCS_GUEST_PHYSICAL_ADDRESS);
        break;
    case EXIT_EXCEPTION_NMI:
        information = (uint32_t)vmcs_read(VMCS_EXIT_INTERRUPTION_INFORMATION);
        outcome->other_exit = !HARDWARE_EXCEPTION(information) || EVENT_VECTOR(information) != VECTOR_PF;
        outcome->end = WALK2D_PAGE_FAULT;
        outcome->linear_address = vmcs_read(VMCS_EXIT_QUALIFICATION);
        outcome->error_code = (uint32_t)vmcs_read(VMCS_EXIT_INTERRUPTION_ERROR_CODE);
        break;
    default:
        outcome->other_exit = true;
    }
}

must_check bool conformance_guest_run(struct conformance_guest *guest, const struct conformance_case *test,
                                      struct conformance_outcome *outcome)
{
    struct vcpu *vcpu = &guest->vm.vcpus[0];
    uint64_t eptp = conformance_eptp(&guest->memory, test);
    uint32_t reason;
    unsigned events = 0;

    *outcome = (struct conformance_outcome){.end = WALK2D_DONE};
    if (eptp != guest->eptp)
        vmcs_write(VMCS_EPT_POINTER, eptp);
    guest->eptp = eptp;
    vmcs_write(VMCS_GUEST_RIP, conformance_code_address(test->access, test->instruction));
    vcpu->registers.gpr[GPR_RAX] = CONFORMANCE_WRITTEN;
    vcpu->registers.gpr[GPR_RSI] = conformance_data_address();
    if (invept_context(vmx_shared_capabilities()->ept_vpid, eptp) != VMX_OK) {
        vm_end(&guest->vm, VM_FAILED, "INVEPT fails");
        return false;
    }
    do {
        uint64_t entered = vmx_enter(&vcpu->registers);

        if (entered != VMX_ENTER_EXITED)
            return exit_entry_failed(vcpu, entered) != EXIT_ACTION_STOP;
        reason = (uint32_t)vmcs_read(VMCS_EXIT_REASON);
    } while (exit_is_outside_event(vcpu, reason) && ++events < EVENTS_MAX);
    outcome->exit_reason = reason & EXIT_REASON_BASIC_MASK;
    if (reason & EXIT_REASON_ENTRY_FAILURE) {
        vm_end(&guest->vm, VM_FAILED, "VM entry failed: %s(%u)", exit_reason_name(outcome->exit_reason),
               outcome->exit_reason);
        return false;
    }
    /* What the guest has written with type WC may still be in a buffer that the host's WB accesses do not
     * see. */
    __asm__ volatile("mfence" : : : "memory");
    take_outcome(vcpu, reason, outcome);
    conformance_observe(outcome, &guest->memory, test);
    return true;
}
