/* SPDX-License-Identifier: MIT */
/*
 * The control-register exit: MOV to and from CR0, CR3, CR4, CR8, CLTS, LMSW. A guest owns most bits of CR0
 * and CR4 and changes them without an exit; here come the writes that touch a bit of the host's, whole
 * registers' worth, so every transition of paging and of long mode is handled too. SDM vol. 3, "Exit
 * Qualification for Control-Register Accesses"; vol. 2, "MOV - Move to/from Control Registers".
 */
#include "arch/x86/control_registers.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/invept.h"
#include "vmm/vcpu/control_rules.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/exit.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/vcpu/state.h"
#include "vmm/vcpu/interrupts.h"
#include "vmm/vm/devices.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/devices/pc.h"

#define CR0_KNOWN                                                                                            \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
/* A change of one of these makes PAE paging load its four PDPTEs anew. SDM vol. 3, "PDPTE Registers". */
#define CR0_LOADS_PDPTES (CR0_CD | CR0_NW | CR0_PG)
#define CR4_LOADS_PDPTES (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)
/* Bits that no translation depends on: a change of these alone flushes nothing and needs no other state.
 * SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches". */
#define CR4_BESIDE_PAGING                                                                                    \
    (CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_MCE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP |     \
     CR4_FSGSBASE | CR4_OSXSAVE)
#define SEGMENT_TYPE(rights) ((rights)&15)
#define TYPE_BUSY_TSS16      3

enum cr_access { CR_WRITE, CR_READ, CR_CLTS, CR_LMSW };

/* A control register as the processor has it, and as the guest sees it. */
struct control_register {
    uint64_t real, shadow, seen;
};

static inline struct control_register control_register(enum vmcs_field real, enum vmcs_field shadow,
                                                       uint64_t host_bits)
{
    struct control_register reg = {.real = vmcs_read(real), .shadow = vmcs_read(shadow)};

    reg.seen = (reg.real & ~host_bits) | (reg.shadow & host_bits);
    return reg;
}

static inline struct control_register cr0_of(const struct vcpu *vcpu)
{
    return control_register(VMCS_GUEST_CR0, VMCS_CR0_READ_SHADOW, vcpu->cr0_host_bits);
}

static inline struct control_register cr4_of(const struct vcpu *vcpu)
{
    return control_register(VMCS_GUEST_CR4, VMCS_CR4_READ_SHADOW, vcpu->cr4_host_bits);
}

/* Writes what is not so already. */
static inline void set_control_register(enum vmcs_field real_field, enum vmcs_field shadow_field,
                                        const struct control_register *old, uint64_t real, uint64_t shadow)
{
    if (real != old->real)
        vmcs_write(real_field, real);
    if (shadow != old->shadow)
        vmcs_write(shadow_field, shadow);
}

static struct control_state control_state(uint64_t cr0, uint64_t cr4)
{
    return (struct control_state){
        .cr0 = cr0,
        .cr3 = vmcs_read(VMCS_GUEST_CR3),
        .cr4 = cr4,
        .efer = vmcs_read(VMCS_GUEST_IA32_EFER),
        .code_l = vmcs_read(VMCS_GUEST_CS_ACCESS_RIGHTS) & CODE_SEGMENT_L,
        .busy_tss16 = SEGMENT_TYPE(vmcs_read(VMCS_GUEST_TR_ACCESS_RIGHTS)) == TYPE_BUSY_TSS16,
    };
}

/* Loads the PDPTE registers from memory; false: a reserved bit, the instruction raises #GP. */
bool exit_load_pdptes(struct vcpu *vcpu, uint64_t cr3)
{
    struct guest_paging paging;
    uint64_t pdpte[4];

    guest_paging_state(vcpu, &paging);
    for (unsigned i = 0; i < 4; i++) { /* each at once, for another vCPU may write it */
        uint64_t at = (cr3 & UINT64_C(0xffffffe0)) + i * sizeof(pdpte[i]);

        if (guest_memory_read(vcpu->vm, at, &pdpte[i], sizeof(pdpte[i])) != sizeof(pdpte[i]))
            return false;
    }
    if (!control_pdptes_valid(pdpte, paging.physical_width))
        return false;
    for (unsigned i = 0; i < 4; i++)
        vmcs_write((enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i), pdpte[i]);
    return true;
}

/* What the linear and combined mappings of this vCPU held is no longer to be trusted: without INVVPID nothing
 * was kept anyway. */
bool exit_flush_linear(const struct vcpu *vcpu)
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

/* A change of PG, in which the rest of the state has a say. Before CR0 changes. */
static __attribute__((noinline)) bool change_paging(uint64_t cr4, uint64_t old, uint64_t value)
{
    const struct control_state state = control_state(old, cr4);

    if (!control_cr0_valid(&state, value))
        return false;
    if (state.efer & EFER_LME)
        set_long_mode(state.efer, value & CR0_PG);
    return true;
}

/* Whether the guest's paging, when it is on, is PAE paging. */
static bool uses_pae(const struct vcpu *vcpu)
{
    return !(vmcs_read(VMCS_GUEST_IA32_EFER) & EFER_LME) && (cr4_of(vcpu).seen & CR4_PAE);
}

static enum exit_action write_cr0(struct vcpu *vcpu, uint64_t value)
{
    const struct control_register old = cr0_of(vcpu);
    const struct control_state alone = {.cr0 = old.seen};
    uint64_t changed = ((value & CR0_KNOWN) | CR0_ET) ^ old.seen;
    uint64_t fixed_one = vmx_shared_capabilities()->cr0_fixed0 & ~(CR0_PE | CR0_PG);

    if (!control_cr0_valid(&alone, value)) /* what holds whatever the other registers have */
        return exit_inject_gp(vcpu);
    if (unlikely(changed & CR0_PG) && !change_paging(cr4_of(vcpu).seen, old.seen, value))
        return exit_inject_gp(vcpu);
    if (unlikely((value & CR0_PG) && (changed & CR0_LOADS_PDPTES)) && uses_pae(vcpu) &&
        !exit_load_pdptes(vcpu, vmcs_read(VMCS_GUEST_CR3)))
        return exit_inject_gp(vcpu);
    value = (value & CR0_KNOWN) | CR0_ET;
    /* CD and NW are only shown: the host's caches stay on, and EPT memory types rule. */
    set_control_register(VMCS_GUEST_CR0, VMCS_CR0_READ_SHADOW, &old, (value & ~(CR0_CD | CR0_NW)) | fixed_one,
                         value);
    if ((changed & (CR0_PG | CR0_WP | CR0_PE)) && !exit_flush_linear(vcpu))
        return flush_failed(vcpu);
    return EXIT_ACTION_ADVANCE;
}

static enum exit_action write_cr3(struct vcpu *vcpu, uint64_t value)
{
    uint64_t cr0 = cr0_of(vcpu).seen, cr4 = cr4_of(vcpu).seen, efer = vmcs_read(VMCS_GUEST_IA32_EFER);
    struct guest_paging paging;
    bool keep_mappings = (value >> 63) && (cr4 & CR4_PCIDE);

    guest_paging_state(vcpu, &paging);
    if (cr4 & CR4_PCIDE)
        value &= ~(UINT64_C(1) << 63);
    if ((efer & EFER_LMA) && (value & ~vcpu->cr3_bits) >> paging.physical_width)
        return exit_inject_gp(vcpu);
    if ((cr0 & CR0_PG) && (cr4 & CR4_PAE) && !(efer & EFER_LMA) && !exit_load_pdptes(vcpu, value))
        return exit_inject_gp(vcpu);
    vmcs_write(VMCS_GUEST_CR3, value);
    /* MOV to CR3 leaves global pages' translations as they are. */
    if (!keep_mappings && vcpu->vpid != 0 &&
        invvpid_not_global(vmx_shared_capabilities()->ept_vpid, vcpu->vpid) != VMX_OK)
        return flush_failed(vcpu);
    return EXIT_ACTION_ADVANCE;
}

/* A change that the rest of the state has a say in. Before CR4 changes. */
static __attribute__((noinline)) bool change_cr4_paging(struct vcpu *vcpu, uint64_t old, uint64_t value)
{
    const struct control_state state = control_state(cr0_of(vcpu).seen, old);
    bool pae_paging = (state.cr0 & CR0_PG) && (value & CR4_PAE) && !(state.efer & EFER_LMA);

    return control_cr4_valid(&state, value, vcpu->cr4_allowed) &&
           (!pae_paging || !((value ^ old) & CR4_LOADS_PDPTES) || exit_load_pdptes(vcpu, state.cr3));
}

static enum exit_action write_cr4(struct vcpu *vcpu, uint64_t value)
{
    const struct control_register old = cr4_of(vcpu);
    uint64_t changed = value ^ old.seen;
    bool paging = changed & ~CR4_BESIDE_PAGING;

    if ((value & ~vcpu->cr4_allowed) || (paging && !change_cr4_paging(vcpu, old.seen, value)))
        return exit_inject_gp(vcpu);
    set_control_register(VMCS_GUEST_CR4, VMCS_CR4_READ_SHADOW, &old,
                         value | CR4_MCE | vmx_shared_capabilities()->cr4_fixed0, value);
    if (changed & CR4_OSXSAVE)
        exit_quick_osxsave_changed(vcpu, value & CR4_OSXSAVE);
    if (paging && !exit_flush_linear(vcpu))
        return flush_failed(vcpu);
    return EXIT_ACTION_ADVANCE;
}

static enum exit_action write_cr8(struct vcpu *vcpu, uint64_t value)
{
    if (value & ~UINT64_C(0xf))
        return exit_inject_gp(vcpu);
    vm_lock_devices(vcpu->vm);
    lapic_set_cr8(&vcpu->vm->pc->lapic, (uint8_t)value);
    vm_unlock_devices(vcpu->vm);
    interrupts_look(vcpu->vm);
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

    if (unlikely(value >> 32) && !in_64bit_code(vmcs_read(VMCS_GUEST_IA32_EFER)))
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
        gpr_write(vcpu, gpr, lapic_cr8(&vcpu->vm->pc->lapic));
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
        return write_cr0(vcpu, cr0_of(vcpu).seen & ~CR0_TS);
    case CR_LMSW: /* the low four bits; it can set PE but not clear it */
        cr0 = cr0_of(vcpu).seen;
        return write_cr0(vcpu, (cr0 & ~UINT64_C(0xe)) | ((qualification >> 16) & 0xf));
    }
    return exit_inject_ud(vcpu);
}
