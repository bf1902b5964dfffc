/* SPDX-License-Identifier: MIT */
/* A vCPU as the emulator takes it. */
#include "arch/x86/control_registers.h"
#include "arch/x86/fpu.h"
#include "arch/x86/memory.h"
#include "arch/x86/tsc.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/exit/exit.h"
#include "vmm/emulate/linear.h"
#include "vmm/vcpu/vcpu.h"
#include "vmm/vcpu/vmcs.h"

/* The VMCS's fields of one kind follow each other in the order ES, CS, SS, DS, FS, GS, two apart. */
#define SEGMENT_FIELD(first, which) ((enum vmcs_field)((unsigned)(first) + 2 * (unsigned)(which)))

void linear_segment(void *context, enum segment_register which, struct emulate_segment *segment)
{
    (void)context;
    segment->base = vmcs_read(SEGMENT_FIELD(VMCS_GUEST_ES_BASE, which));
    segment->limit = (uint32_t)vmcs_read(SEGMENT_FIELD(VMCS_GUEST_ES_LIMIT, which));
    segment->access_rights = (uint32_t)vmcs_read(SEGMENT_FIELD(VMCS_GUEST_ES_ACCESS_RIGHTS, which));
    segment->selector = (uint16_t)vmcs_read(SEGMENT_FIELD(VMCS_GUEST_ES_SELECTOR, which));
}

/* The real values are the guest's but for the bits that are the host's, of which the shadow tells. */
static void controls(void *context, struct emulate_controls *controls_)
{
    const struct vcpu *vcpu = ((const struct linear *)context)->vcpu;

    controls_->cr0 = (vmcs_read(VMCS_GUEST_CR0) & ~vcpu->cr0_host_bits) |
                     (vmcs_read(VMCS_CR0_READ_SHADOW) & vcpu->cr0_host_bits);
    controls_->cr4 = (vmcs_read(VMCS_GUEST_CR4) & ~vcpu->cr4_host_bits) |
                     (vmcs_read(VMCS_CR4_READ_SHADOW) & vcpu->cr4_host_bits);
    controls_->xcr0 = vcpu->xcr0;
}

/* No exit is long, whatever its elements cost. */
static bool enough(void *context)
{
    return tsc_read() >= exit_piece_end(((const struct linear *)context)->vcpu);
}

static void vector_read(void *context, unsigned reg, unsigned size, void *bytes)
{
    (void)context;
    fpu_vector_read(reg, size, bytes);
}

static void vector_write(void *context, unsigned reg, unsigned size, bool clears, const void *bytes)
{
    (void)context;
    fpu_vector_write(reg, size, clears, bytes);
}

/* What is translated is accessed if the instruction comes to its end. */
static enum emulate_status translate_for_breakpoints(void *context, struct emulate_place *place, bool write,
                                                     struct emulate_exception *exception)
{
    struct linear *linear = context;

    for (unsigned i = 0; i < array_count(place->linear) && place->size[i] != 0; i++)
        boundary_access(linear->vcpu, place->linear[i], place->size[i], write);
    return linear_translate(context, place, write, exception);
}

void linear_processor(struct linear *linear, uint64_t rip, uint64_t rflags,
                      struct emulate_processor *processor)
{
    const struct guest_paging *paging = &linear->paging;

    *processor = (struct emulate_processor){
        .gpr = linear->vcpu->registers.gpr,
        .rip = rip,
        .rflags = rflags,
        .protected_mode = (paging->cr0 & CR0_PE) && !(rflags & RFLAGS_VM),
        .check_alignment = paging->user && (paging->cr0 & CR0_AM) && (rflags & RFLAGS_AC),
        .linear_width = paging->cr4 & CR4_LA57 ? 57 : 48,
        .tag_from = {(uint8_t)guest_tag_from(paging, false), (uint8_t)guest_tag_from(paging, true)},
        .elements_max = boundary_stops(linear->vcpu, rflags) ? 1 : EMULATE_ELEMENTS_MAX,
        .context = linear,
        .enough = enough,
        .segment = linear_segment,
        .translate = boundary_has_breakpoints(linear->vcpu) ? translate_for_breakpoints : linear_translate,
        .read = linear_read_place,
        .write = linear_write_place,
        .transfer = exit_io_transfer,
        .controls = controls,
        .vector_read = vector_read,
        .vector_write = vector_write,
    };
}
