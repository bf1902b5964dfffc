/* SPDX-License-Identifier: MIT */
/* A vCPU's code, and its memory by linear address. */
#include "vmm/vcpu/code.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "vmm/emulate/operand.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/emulate/linear.h"
#include "vmm/vcpu/vcpu.h"
#include "vmm/vcpu/vmcs.h"

#define CODE_SEGMENT_D (1u << 14)

unsigned vcpu_code_size(void)
{
    uint64_t rights = vmcs_read(VMCS_GUEST_CS_ACCESS_RIGHTS);

    if ((rights & CODE_SEGMENT_L) && (vmcs_read(VMCS_GUEST_IA32_EFER) & EFER_LMA))
        return 8;
    return rights & CODE_SEGMENT_D ? 4 : 2;
}

uint64_t vcpu_linear_rip(void)
{
    uint64_t rip = vmcs_read(VMCS_GUEST_RIP);

    return vcpu_code_size() == 8 ? rip : (uint32_t)(rip + vmcs_read(VMCS_GUEST_CS_BASE));
}

bool vcpu_linear_exists(uint64_t linear)
{
    return linear <= UINT32_MAX || (vmcs_read(VMCS_GUEST_IA32_EFER) & EFER_LMA) != 0;
}

void vcpu_paging_all(struct vcpu *vcpu, struct guest_paging *paging)
{
    guest_paging_state(vcpu, paging);
    paging->user = false;
    paging->rflags_ac = true;
}

must_check bool vcpu_linear_read(struct vcpu *vcpu, uint64_t linear, void *buffer, size_t length)
{
    struct guest_paging paging;
    uint64_t fault;
    uint32_t error;

    vcpu_paging_all(vcpu, &paging);
    return guest_linear_read(vcpu, &paging, linear, buffer, length, &fault, &error) == GUEST_PAGING_OK;
}

must_check bool vcpu_linear_write(struct vcpu *vcpu, uint64_t linear, const void *buffer, size_t length)
{
    struct guest_paging paging;
    uint64_t fault;
    uint32_t error;

    vcpu_paging_all(vcpu, &paging);
    paging.cr0 &= ~CR0_WP;
    return guest_linear_write(vcpu, &paging, linear, buffer, length, &fault, &error) == GUEST_PAGING_OK;
}

void vcpu_code_read(struct vcpu *vcpu, struct vcpu_code *code)
{
    size_t here;

    code->rip = vmcs_read(VMCS_GUEST_RIP);
    code->linear = vcpu_linear_rip();
    code->code_size = vcpu_code_size();
    here = PAGE_SIZE - (size_t)(code->linear & (PAGE_SIZE - 1));
    if (here > sizeof(code->bytes))
        here = sizeof(code->bytes);
    code->count = 0;
    if (!vcpu_linear_read(vcpu, code->linear, code->bytes, here))
        return;
    code->count = here;
    if (here < sizeof(code->bytes) &&
        vcpu_linear_read(vcpu, code->linear + here, code->bytes + here, sizeof(code->bytes) - here))
        code->count = sizeof(code->bytes);
}

must_check bool vcpu_operand_linear(struct vcpu *vcpu, const struct vcpu_code *code,
                                    const struct instruction *instruction, uint64_t *linear)
{
    uint64_t gpr[GPR_COUNT];
    struct emulate_processor processor = {.gpr = gpr, .rip = code->rip};
    struct emulate_segment segment;

    if (operation_is_string(instruction->operation) ||
        (instruction->destination != OPERAND_MEMORY && instruction->source != OPERAND_MEMORY))
        return false;
    memcpy(gpr, vcpu->registers.gpr, sizeof(gpr));
    gpr[GPR_RSP] = vmcs_read(VMCS_GUEST_RSP);
    linear_segment(NULL, (enum segment_register)instruction->memory.segment, &segment);
    *linear = operand_offset(&processor, instruction);
    if (code->code_size != 8)
        *linear = (uint32_t)(*linear + segment.base);
    else if (instruction->memory.segment == SEGMENT_FS || instruction->memory.segment == SEGMENT_GS)
        *linear += segment.base;
    return true;
}
