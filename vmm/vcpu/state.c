/* SPDX-License-Identifier: MIT */
/* A guest's initial state: real or protected mode without paging, as an unrestricted guest. */
#include "vmm/vcpu/state.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "vmm/host/cpu.h"
#include "vmm/vcpu/cpuid.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/host/workaround.h"

/* Segment access rights: 3:0 type, 4 S, 6:5 DPL, 7 P, 14 D/B, 15 G, 16 unusable. SDM vol. 3, "Guest Register
 * State". */
#define RIGHTS_REAL_CODE    0x9b   /* execute/read, accessed, present */
#define RIGHTS_REAL_DATA    0x93   /* read/write, accessed, present */
#define RIGHTS_FLAT_CODE    0xc09b /* the same, 32-bit, limit in pages */
#define RIGHTS_FLAT_DATA    0xc093
#define RIGHTS_LDT          0x82
#define RIGHTS_BUSY_TSS     0x8b
#define REAL_MODE_LIMIT     0xffff
#define FLAT_LIMIT          0xffffffff
#define REAL_MODE_IDT_LIMIT 0x3ff

#define PAT_RESET UINT64_C(0x0007040600070406)
#define DR6_RESET UINT64_C(0xffff0ff0)
#define DR7_RESET UINT64_C(0x400)

uint64_t guest_cr0_host_bits(void)
{
    const struct vmx_capabilities *vmx = vmx_shared_capabilities();
    /* An unrestricted guest may clear PE and PG whatever FIXED0 says. */
    uint64_t fixed_one = vmx->cr0_fixed0 & ~(CR0_PE | CR0_PG);

    /* CD and NW: VM exits do not restore them, so a guest that set CD would switch the host's caches off. ET
     * is fixed. */
    return fixed_one | CR0_CD | CR0_NW | (workaround_active(WORKAROUND_CR0_PG_EXITS) ? CR0_PG : 0) |
           (0xffffffffu & ~(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG)) |
           ~UINT64_C(0xffffffff);
}

uint64_t guest_cr4_allowed(void)
{
    return guest_cpuid_cr4_bits();
}

uint64_t guest_cr4_host_bits(void)
{
    const struct vmx_capabilities *vmx = vmx_shared_capabilities();

    /* MCE stays set for real: with it clear, a machine check while the guest runs would shut the processor
     * down. OSXSAVE shows in CPUID, whose answers are made in advance. */
    return ~guest_cr4_allowed() | CR4_VMXE | CR4_MCE | CR4_OSXSAVE | vmx->cr4_fixed0;
}

/* What a flat segment's selector is does not matter, as long as it is none of the null ones. */
#define FLAT_CODE 0x08
#define FLAT_DATA 0x10

struct segment {
    uint16_t selector;
    uint32_t rights, limit;
    uint64_t base;
};

static void write_segment(enum vmcs_field selector_field, const struct segment *segment)
{
    /* The four fields of a segment lie at the same distance from each other for every segment. */
    uint32_t index = selector_field - VMCS_GUEST_ES_SELECTOR;

    vmcs_write(selector_field, segment->selector);
    vmcs_write((enum vmcs_field)(VMCS_GUEST_ES_LIMIT + index), segment->limit);
    vmcs_write((enum vmcs_field)(VMCS_GUEST_ES_ACCESS_RIGHTS + index), segment->rights);
    vmcs_write((enum vmcs_field)(VMCS_GUEST_ES_BASE + index), segment->base);
}

static void reset_segments(const struct guest_start *start)
{
    static const struct segment flat_code = {FLAT_CODE, RIGHTS_FLAT_CODE, FLAT_LIMIT, 0};
    static const struct segment flat_data = {FLAT_DATA, RIGHTS_FLAT_DATA, FLAT_LIMIT, 0};
    static const struct segment real_data = {0, RIGHTS_REAL_DATA, REAL_MODE_LIMIT, 0};
    static const struct segment ldt = {0, RIGHTS_LDT, REAL_MODE_LIMIT, 0};
    static const struct segment tss = {0, RIGHTS_BUSY_TSS, REAL_MODE_LIMIT, 0};
    const struct segment real_code = {start->cs, RIGHTS_REAL_CODE, REAL_MODE_LIMIT, (uint64_t)start->cs << 4};
    const struct segment *data = start->flat32 ? &flat_data : &real_data;

    write_segment(VMCS_GUEST_CS_SELECTOR, start->flat32 ? &flat_code : &real_code);
    write_segment(VMCS_GUEST_SS_SELECTOR, data);
    write_segment(VMCS_GUEST_DS_SELECTOR, data);
    write_segment(VMCS_GUEST_ES_SELECTOR, data);
    write_segment(VMCS_GUEST_FS_SELECTOR, data);
    write_segment(VMCS_GUEST_GS_SELECTOR, data);
    write_segment(VMCS_GUEST_LDTR_SELECTOR, &ldt);
    write_segment(VMCS_GUEST_TR_SELECTOR, &tss);
    vmcs_write(VMCS_GUEST_GDTR_BASE, 0);
    vmcs_write(VMCS_GUEST_GDTR_LIMIT, REAL_MODE_LIMIT);
    vmcs_write(VMCS_GUEST_IDTR_BASE, 0);
    vmcs_write(VMCS_GUEST_IDTR_LIMIT, REAL_MODE_IDT_LIMIT);
}

static void reset_control_registers(const struct guest_start *start)
{
    const struct vmx_capabilities *vmx = vmx_shared_capabilities();
    uint64_t cr0_seen = CR0_ET | (start->flat32 ? CR0_PE : 0);
    uint64_t cr0_fixed_one = vmx->cr0_fixed0 & ~(CR0_PE | CR0_PG);

    vmcs_write(VMCS_GUEST_CR0, cr0_seen | cr0_fixed_one);
    vmcs_write(VMCS_CR0_READ_SHADOW, cr0_seen);
    vmcs_write(VMCS_CR0_GUEST_HOST_MASK, guest_cr0_host_bits());
    vmcs_write(VMCS_GUEST_CR3, 0);
    vmcs_write(VMCS_GUEST_CR4, CR4_MCE | CR4_VMXE | vmx->cr4_fixed0);
    vmcs_write(VMCS_CR4_READ_SHADOW, 0);
    vmcs_write(VMCS_CR4_GUEST_HOST_MASK, guest_cr4_host_bits());
}

static void reset(struct vcpu *vcpu, const struct guest_start *start)
{
    memset(&vcpu->registers, 0, sizeof(vcpu->registers));
    vcpu->registers.gpr[GPR_RAX] = start->eax;
    vcpu->registers.gpr[GPR_RBX] = start->ebx;
    vcpu->registers.gpr[GPR_RDX] = start->edx;
    vcpu->cr2 = 0;
    vcpu->dr0 = vcpu->dr1 = vcpu->dr2 = vcpu->dr3 = 0;
    vcpu->dr6 = DR6_RESET;
    vcpu->xcr0 = 1; /* x87, the reset value */
    vcpu->kernel_gs_base = vcpu->star = vcpu->lstar = vcpu->cstar = vcpu->fmask = vcpu->tsc_aux = 0;

    reset_segments(start);
    reset_control_registers(start);
    vmcs_write(VMCS_GUEST_RIP, start->ip);
    vmcs_write(VMCS_GUEST_RSP, start->sp);
    vmcs_write(VMCS_GUEST_RFLAGS, RFLAGS_RESERVED1 | (start->interrupts ? RFLAGS_IF : 0));
    vmcs_write(VMCS_GUEST_DR7, DR7_RESET);
    vmcs_write(VMCS_GUEST_IA32_DEBUGCTL, 0);
    vmcs_write(VMCS_GUEST_IA32_SYSENTER_CS, 0);
    vmcs_write(VMCS_GUEST_IA32_SYSENTER_ESP, 0);
    vmcs_write(VMCS_GUEST_IA32_SYSENTER_EIP, 0);
    vmcs_write(VMCS_GUEST_IA32_PAT, PAT_RESET);
    vmcs_write(VMCS_GUEST_IA32_EFER, 0);
    vmcs_write(VMCS_GUEST_PDPTE0, 0);
    vmcs_write(VMCS_GUEST_PDPTE1, 0);
    vmcs_write(VMCS_GUEST_PDPTE2, 0);
    vmcs_write(VMCS_GUEST_PDPTE3, 0);
    vmcs_write(VMCS_GUEST_ACTIVITY_STATE, 0);
    vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, 0);
    vmcs_write(VMCS_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
    vmcs_write(VMCS_VMCS_LINK_POINTER, ~UINT64_C(0));
}

void guest_state_reset(struct vcpu *vcpu)
{
    reset(vcpu, &vcpu->vm->start);
}

void guest_state_start(struct vcpu *vcpu, uint16_t cs, uint16_t ip)
{
    const struct guest_start start = {.cs = cs, .ip = ip, .ebx = vcpu->index, .edx = 0x80};

    reset(vcpu, &start);
}
