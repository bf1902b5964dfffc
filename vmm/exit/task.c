/* SPDX-License-Identifier: MIT */
/* The task-switch exit: the switch is done in the guest's stead. SDM vol. 3, "Treatment of Task Switches". */
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/exit/exit.h"
#include "vmm/emulate/linear.h"
#include "vmm/emulate/task_switch.h"
#include "vmm/emulate/vcpu.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/pause.h"
#include "vmm/vcpu/vmcs.h"

#define SEGMENT_FIELD(first, which) ((enum vmcs_field)((unsigned)(first) + 2 * (unsigned)(which)))
#define DR6_BT                      (UINT64_C(1) << 15)
/* Exit qualification: 15:0 selector, 31:30 source. */
#define QUALIFICATION_SOURCE(qualification) ((enum task_source)((qualification) >> 30 & 3))

static enum emulate_status read(void *context, uint64_t address, void *to, unsigned size,
                                struct emulate_exception *exception)
{
    return linear_read(context, address, to, size, exception);
}

static enum emulate_status write(void *context, uint64_t address, const void *from, unsigned size, bool user,
                                 struct emulate_exception *exception)
{
    struct linear *linear = context;
    enum emulate_status status;

    linear->paging.user = user;
    status = linear_write(linear, address, from, size, exception);
    linear->paging.user = false;
    return status;
}

static enum emulate_status check(void *context, uint64_t address, unsigned size,
                                 struct emulate_exception *exception)
{
    return linear_check(context, address, size, true, exception);
}

static enum emulate_status exchange(void *context, uint64_t address, uint8_t expected, uint8_t value,
                                    struct emulate_exception *exception)
{
    return linear_compare_exchange(context, address, 1, expected, value, exception);
}

static bool load_cr3(void *context, uint64_t cr3)
{
    struct linear *linear = context;
    bool loaded = guest_paging_mode(&linear->paging) != GUEST_MODE_PAE || exit_load_pdptes(linear->vcpu, cr3);

    vmcs_write(VMCS_GUEST_CR3, cr3);
    linear_begin_system(linear, linear->vcpu);
    return loaded;
}

static void read_state(struct vcpu *vcpu, struct task_state *state)
{
    memcpy(state->gpr, vcpu->registers.gpr, sizeof(state->gpr));
    state->gpr[GPR_RSP] = vmcs_read(VMCS_GUEST_RSP);
    state->rip = vmcs_read(VMCS_GUEST_RIP);
    state->rflags = vmcs_read(VMCS_GUEST_RFLAGS);
    state->cr0 = vmcs_read(VMCS_GUEST_CR0);
    state->cr3 = vmcs_read(VMCS_GUEST_CR3);
    state->dr7 = vmcs_read(VMCS_GUEST_DR7);
    state->gdt_base = vmcs_read(VMCS_GUEST_GDTR_BASE);
    state->gdt_limit = (uint32_t)vmcs_read(VMCS_GUEST_GDTR_LIMIT);
    for (unsigned i = 0; i <= SEGMENT_TR; i++)
        linear_segment(NULL, (enum segment_register)i, &state->segments[i]);
}

/* CR3 is written already: later accesses of the switch went by it. */
static void write_state(struct vcpu *vcpu, const struct task_state *state)
{
    memcpy(vcpu->registers.gpr, state->gpr, sizeof(state->gpr));
    vmcs_write(VMCS_GUEST_RSP, state->gpr[GPR_RSP]);
    vmcs_write(VMCS_GUEST_RFLAGS, state->rflags);
    vmcs_write(VMCS_GUEST_CR0, state->cr0);
    vmcs_write(VMCS_GUEST_DR7, state->dr7);
    for (unsigned i = 0; i <= SEGMENT_TR; i++) {
        const struct emulate_segment *segment = &state->segments[i];

        vmcs_write(SEGMENT_FIELD(VMCS_GUEST_ES_SELECTOR, i), segment->selector);
        vmcs_write(SEGMENT_FIELD(VMCS_GUEST_ES_BASE, i), segment->base);
        vmcs_write(SEGMENT_FIELD(VMCS_GUEST_ES_LIMIT, i), segment->limit);
        vmcs_write(SEGMENT_FIELD(VMCS_GUEST_ES_ACCESS_RIGHTS, i), segment->access_rights);
    }
    exit_advance_to(vcpu, state->rip, RFLAGS_RESERVED1); /* no single step's trap */
}

/* Blocking by STI and MOV SS is over; that by NMI, if IRET was what switched. */
static void end_blocking(enum task_source source)
{
    uint64_t state = boundary_end_blocking();

    if (source == TASK_IRET)
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, state & ~(uint64_t)INTERRUPTIBILITY_NMI);
}

static bool is_contributory(unsigned vector)
{
    return vector == 0 || (vector >= VECTOR_TS && vector <= VECTOR_GP);
}

/* What the switch raises, perhaps in the delivery of another exception. SDM vol. 3, "Interrupt 8 - Double
 * Fault Exception". */
static enum exit_action raise(struct vcpu *vcpu, const struct emulate_exception *exception,
                              uint32_t vectoring)
{
    unsigned first = EVENT_VECTOR(vectoring), second = exception->vector;

    if (!(vectoring & EVENT_VALID) || EVENT_TYPE(vectoring) != EVENT_HARDWARE_EXCEPTION)
        return vcpu_emulate_raise(vcpu, exception);
    if (first == VECTOR_DF)
        return exit_triple_fault(vcpu);
    if ((is_contributory(first) && is_contributory(second)) ||
        (first == VECTOR_PF && (second == VECTOR_PF || is_contributory(second)))) {
        inject_exception(vcpu, VECTOR_DF, 0);
        return EXIT_ACTION_RESUME;
    }
    return vcpu_emulate_raise(vcpu, exception);
}

static struct task_switch read_switch(uint64_t qualification, uint32_t vectoring, uint64_t rip)
{
    unsigned type = EVENT_TYPE(vectoring);
    bool gate = QUALIFICATION_SOURCE(qualification) == TASK_GATE;
    bool software = type == EVENT_SOFTWARE_INTERRUPT || type == EVENT_SOFTWARE_EXCEPTION;
    struct task_switch what = {.source = QUALIFICATION_SOURCE(qualification),
                               .selector = (uint16_t)qualification,
                               .next_rip = rip,
                               .external = gate && !software};

    if (!gate || software || type == EVENT_PRIVILEGED_SOFTWARE_EXCEPTION)
        what.next_rip = (uint32_t)(rip + vmcs_read(VMCS_EXIT_INSTRUCTION_LENGTH));
    if (gate && (vectoring & EVENT_HAS_ERROR_CODE)) {
        what.has_error_code = true;
        what.error_code = (uint32_t)vmcs_read(VMCS_IDT_VECTORING_ERROR_CODE);
    }
    return what;
}

/* In the new task, before its first instruction. */
static enum exit_action debug_trap(struct vcpu *vcpu)
{
    dr6_write(dr6_read() | DR6_BT);
    exit_deliver_debug_exception(vcpu, 0);
    return EXIT_ACTION_RESUME;
}

enum exit_action exit_task_switch(struct vcpu *vcpu)
{
    uint32_t vectoring = (uint32_t)vmcs_read(VMCS_IDT_VECTORING_INFORMATION);
    struct linear linear;
    const struct task_memory memory = {.context = &linear,
                                       .read = read,
                                       .write = write,
                                       .check = check,
                                       .exchange = exchange,
                                       .load_cr3 = load_cr3};
    struct task_outcome outcome;
    struct task_state state;
    struct task_switch what;
    enum emulate_status status;

    linear_begin_system(&linear, vcpu);
    read_state(vcpu, &state);
    what = read_switch(vmcs_read(VMCS_EXIT_QUALIFICATION), vectoring, state.rip);
    /* The switch cannot begin again behind its commit point, so no other vCPU may be in between. */
    vm_pause(vcpu->vm);
    status = task_switch(&state, &memory, &what, &outcome);
    vm_unpause(vcpu->vm);
    if (status == EMULATE_REFUSED || vm_has_ended(vcpu->vm)) {
        vcpu->result.code = RESULT_ENDED;
        return EXIT_ACTION_STOP;
    }
    if (outcome.committed) {
        write_state(vcpu, &state);
        end_blocking(what.source);
        if (!exit_flush_linear(vcpu))
            return EXIT_ACTION_STOP;
    }
    if (status == EMULATE_EXCEPTION)
        return raise(vcpu, &outcome.exception, vectoring);
    if (status == EMULATE_RESTART && (vectoring & EVENT_VALID))
        (void)inject_again(vcpu, vectoring);
    return outcome.debug ? debug_trap(vcpu) : EXIT_ACTION_RESUME;
}
