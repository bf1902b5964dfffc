/* SPDX-License-Identifier: MIT */
/*
 * The control-register exit: MOV to and from CR0, CR3, CR4, CR8, CLTS, LMSW. A guest owns most bits of CR0
 * and CR4 and changes them without an exit; here come the writes that touch a bit of the host's, whole
 * registers' worth, so every transition of paging and of long mode is handled too. SDM vol. 3, "Exit
 * Qualification for Control-Register Accesses"; vol. 2, "MOV - Move to/from Control Registers".
 */
#include "arch/x86/control_registers.h"
#include "arch/x86/invept.h"
#include "vmm/control_rules.h"
#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/guest_memory.h"
#include "vmm/guest_state.h"
#include "vmm/interrupts.h"
#include "vmm/vm_devices.h"
#include "vmm/vm.h"
#include "vmm/vmcs.h"

#define CR0_KNOWN                                                                                            \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
/* A change of one of these makes PAE paging load its four PDPTEs anew. SDM vol. 3, "PDPTE Registers". */
#define CR0_LOADS_PDPTES     (CR0_CD | CR0_NW | CR0_PG)
#define CR4_LOADS_PDPTES     (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)
#define CODE_SEGMENT_L       (1u << 13)
#define SEGMENT_TYPE(rights) ((rights)&15)
#define TYPE_BUSY_TSS16      3

enum cr_access { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW };

static uint64_t seen(enum vmcs_field register_field, enum vmcs_field mask, enum vmcs_field shadow)
{
    uint64_t host_bits = vmcs_read(mask);

    return (vmcs_read(register_field) & ~host_bits) | (vmcs_read(shadow) & host_bits);
}

static uint64_t cr0_seen(void)
{
    return seen(VMCS_GUEST_CR0, VMCS_CR0_GUEST_HOST_MASK, VMCS_CR0_READ_SHADOW);
}

static uint64_t cr4_seen(void)
{
    return seen(VMCS_GUEST_CR4, VMCS_CR4_GUEST_HOST_MASK, VMCS_CR4_READ_SHADOW);
}

static struct control_state control_state(void)
{
    return (struct control_state){
        .cr0 = cr0_seen(),
        .cr3 = vmcs_read(VMCS_GUEST_CR3),
        .cr4 = cr4_seen(),
        .efer = vmcs_read(VMCS_GUEST_IA32_EFER),
        .code_l = vmcs_read(VMCS_GUEST_CS_ACCESS_RIGHTS) & CODE_SEGMENT_L,
        .busy_tss16 = SEGMENT_TYPE(vmcs_read(VMCS_GUEST_TR_ACCESS_RIGHTS)) == TYPE_BUSY_TSS16,
    };
}

/* Loads the PDPTE registers from memory; false: a reserved bit, the instruction raises #GP. */
static bool load_pdptes(struct vcpu *vcpu, uint64_t cr3)
{
    struct guest_paging paging;
    uint64_t pdpte[4];

    guest_paging_state(vcpu, &paging);
    if (guest_memory_read(vcpu->vm, cr3 & UINT64_C(0xffffffe0), pdpte, sizeof(pdpte)) != sizeof(pdpte))
        return false;
    if (!control_pdptes_valid(pdpte, paging.physical_width))
        return false;
    for (unsigned i = 0; i < 4; i++)
        vmcs_write((enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i), pdpte[i]);
    return true;
}

/* What the linear and combined mappings of this vCPU held is no longer to be trusted: without INVVPID nothing
 * was kept anyway. */
static bool flush_linear(const struct vcpu *vcpu)
{
    return vcpu->vpid == 0 || invvpid_context(vmx_shared_capabilities()->ept_vpid, vcpu->vpid) == VMX_OK;
}

static enum exit_action flush_failed(struct vcpu *vcpu)
{
    vm_end(vcpu->vm, VM_FAILED, "INVVPID fails after a control-register write");
    return EXIT_ACTION_STOP;
}

static bool in_64bit_code(uint64_t efer)
{
    return (efer & EFER_LMA) && (vmcs_read(VMCS_GUEST_CS_ACCESS_RIGHTS) & CODE_SEGMENT_L);
}

/* Long mode begins when paging is switched on with EFER.LME set and ends when it is switched off. */
static void set_long_mode(uint64_t efer, bool active)
{
    uint64_t entry = vmcs_read(VMCS_ENTRY_CONTROLS);

    vmcs_write(VMCS_GUEST_IA32_EFER, active ? efer | EFER_LMA : efer & ~EFER_LMA);
    vmcs_write(VMCS_ENTRY_CONTROLS,
               active ? entry | VMX_IA32E_MODE_GUEST : entry & ~(uint64_t)VMX_IA32E_MODE_GUEST);
}

static enum exit_action write_cr0(struct vcpu *vcpu, uint64_t value)
{
    const struct control_state state = control_state();
    uint64_t old = state.cr0, cr4 = state.cr4, efer = state.efer;
    uint64_t fixed_one = vmx_shared_capabilities()->cr0_fixed0 & ~(CR0_PE | CR0_PG);
    bool pae_paging;

    if (!control_cr0_valid(&state, value))
        return exit_inject_gp(vcpu);
    value = (value & CR0_KNOWN) | CR0_ET;
    pae_paging = (value & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LME);
    if (pae_paging && ((value ^ old) & CR0_LOADS_PDPTES) && !load_pdptes(vcpu, vmcs_read(VMCS_GUEST_CR3)))
        return exit_inject_gp(vcpu);
    if (((value ^ old) & CR0_PG) && (efer & EFER_LME))
        set_long_mode(efer, value & CR0_PG);
    /* CD and NW are only shown: the host's caches stay on, and EPT memory types rule. */
    vmcs_write(VMCS_GUEST_CR0, (value & ~(CR0_CD | CR0_NW)) | fixed_one);
    vmcs_write(VMCS_CR0_READ_SHADOW, value);
    if (((value ^ old) & (CR0_PG | CR0_WP | CR0_PE)) && !flush_linear(vcpu))
        return flush_failed(vcpu);
    return EXIT_ACTION_ADVANCE;
}

static enum exit_action write_cr3(struct vcpu *vcpu, uint64_t value)
{
    uint64_t cr0 = cr0_seen(), cr4 = cr4_seen(), efer = vmcs_read(VMCS_GUEST_IA32_EFER);
    struct guest_paging paging;
    bool keep_mappings = (value >> 63) && (cr4 & CR4_PCIDE);

    guest_paging_state(vcpu, &paging);
    if (cr4 & CR4_PCIDE)
        value &= ~(UINT64_C(1) << 63);
    if ((efer & EFER_LMA) && value >> paging.physical_width)
        return exit_inject_gp(vcpu);
    if ((cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA) && !load_pdptes(vcpu, value))
        return exit_inject_gp(vcpu);
    vmcs_write(VMCS_GUEST_CR3, value);
    /* MOV to CR3 leaves global pages' translations as they are. */
    if (!keep_mappings && vcpu->vpid != 0 &&
        invvpid_not_global(vmx_shared_capabilities()->ept_vpid, vcpu->vpid) != VMX_OK)
        return flush_failed(vcpu);
    return EXIT_ACTION_ADVANCE;
}

static enum exit_action write_cr4(struct vcpu *vcpu, uint64_t value)
{
    const struct control_state state = control_state();
    uint64_t old = state.cr4;
    bool pae_paging = (state.cr0 & CR0_PG) && (value & CR4_PAE) && !(state.efer & EFER_LMA);

    if (!control_cr4_valid(&state, value, guest_cr4_allowed()))
        return exit_inject_gp(vcpu);
    if (pae_paging && ((value ^ old) & CR4_LOADS_PDPTES) && !load_pdptes(vcpu, vmcs_read(VMCS_GUEST_CR3)))
        return exit_inject_gp(vcpu);
    vmcs_write(VMCS_GUEST_CR4, value | CR4_MCE | vmx_shared_capabilities()->cr4_fixed0);
    vmcs_write(VMCS_CR4_READ_SHADOW, value);
    if ((value ^ old) & CR4_OSXSAVE)
        exit_quick_osxsave_changed(vcpu, value & CR4_OSXSAVE);
    if (!flush_linear(vcpu))
        return flush_failed(vcpu);
    return EXIT_ACTION_ADVANCE;
}

static enum exit_action write_cr8(struct vcpu *vcpu, uint64_t value)
{
    if (value & ~UINT64_C(0xf))
        return exit_inject_gp(vcpu);
    vm_lock_devices(vcpu->vm);
    lapic_set_cr8(&vcpu->vm->pc.lapic, (uint8_t)value);
    vm_unlock_devices(vcpu->vm);
    interrupts_look(vcpu);
    return EXIT_ACTION_ADVANCE;
}

static uint64_t gpr_read(const struct vcpu *vcpu, unsigned gpr)
{
    return gpr == GPR_RSP ? vmcs_read(VMCS_GUEST_RSP) : vcpu->registers.gpr[gpr];
}

static void gpr_write(struct vcpu *vcpu, unsigned gpr, uint64_t value)
{
    if (gpr == GPR_RSP)
        vmcs_write(VMCS_GUEST_RSP, value);
    else
        vcpu->registers.gpr[gpr] = value;
}

static enum exit_action mov_to_cr(struct vcpu *vcpu, unsigned number, unsigned gpr)
{
    uint64_t value = gpr_read(vcpu, gpr);

    if (!in_64bit_code(vmcs_read(VMCS_GUEST_IA32_EFER)))
        value = (uint32_t)value;
    switch (number) {
    case 0:
        return write_cr0(vcpu, value);
    case 3:
        return write_cr3(vcpu, value);
    case 4:
        return write_cr4(vcpu, value);
    case 8:
        return write_cr8(vcpu, value);
    default:
        return exit_inject_ud(vcpu);
    }
}

static enum exit_action mov_from_cr(struct vcpu *vcpu, unsigned number, unsigned gpr)
{
    if (number == 3)
        gpr_write(vcpu, gpr, vmcs_read(VMCS_GUEST_CR3));
    else if (number == 8)
        gpr_write(vcpu, gpr, lapic_cr8(&vcpu->vm->pc.lapic));
    else
        return exit_inject_ud(vcpu);
    return EXIT_ACTION_ADVANCE;
}

enum exit_action exit_cr_access(struct vcpu *vcpu)
{
    uint64_t qualification = vmcs_read(VMCS_EXIT_QUALIFICATION);
    unsigned number = qualification & 15, gpr = (qualification >> 8) & 15;
    uint64_t cr0;

    switch ((enum cr_access)((qualification >> 4) & 3)) {
    case CR_WRITE:
        return mov_to_cr(vcpu, number, gpr);
    case CR_READ:
        return mov_from_cr(vcpu, number, gpr);
    case CR_CLTS:
        return write_cr0(vcpu, cr0_seen() & ~CR0_TS);
    case CR_LMSW: /* the low four bits; it can set PE but not clear it */
        cr0 = cr0_seen();
        return write_cr0(vcpu, (cr0 & ~UINT64_C(0xe)) | ((qualification >> 16) & 0xf));
    }
    return exit_inject_ud(vcpu);
}
