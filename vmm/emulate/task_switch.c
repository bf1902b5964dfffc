/* SPDX-License-Identifier: MIT */
/* SDM vol. 3, "Task Switching", "Task-State Segment (TSS)", "16-Bit Task-State Segment (TSS)". */
#include "vmm/emulate/task_switch.h"
#include "vmm/emulate/alu.h"

#define CR0_TS UINT64_C(0x8)
#define CR0_PG UINT64_C(0x80000000)
/* L0 to L3 and LE: the breakpoints of a task. */
#define DR7_LOCAL UINT64_C(0x155)

#define TYPE(high)    ((high) >> 8 & 15)
#define DESCRIPTOR_P  (1u << 15)
#define DESCRIPTOR_S  (1u << 12)
#define TYPE_TSS16    1u
#define TYPE_BUSY     2u
#define TYPE_32       8u
#define FLAGS_ALWAYS  UINT64_C(2)
#define FLAGS_DEFINED UINT64_C(0x3f7fd7)

/* Where things are in a TSS of 32 and of 16 bits. */
struct layout {
    uint8_t size, width; /* bytes of the whole, of a register */
    uint8_t ip, flags, registers, segments, segment_count, segment_step, ldt;
};

#define LINK   0u
#define CR3_32 0x1cu
#define TRAP   0x64u

static const struct layout layout_32 = {104, 4, 0x20, 0x24, 0x28, 0x48, 6, 4, 0x60};
static const struct layout layout_16 = {44, 2, 0x0e, 0x10, 0x12, 0x22, 4, 2, 0x2a};

static const struct layout *layout_of(bool wide)
{
    return wide ? &layout_32 : &layout_16;
}

static uint32_t get(const uint8_t *tss, unsigned at, unsigned width)
{
    uint32_t value = 0;

    __builtin_memcpy(&value, tss + at, width);
    return value;
}

static void put(uint8_t *tss, unsigned at, unsigned width, uint64_t value)
{
    __builtin_memcpy(tss + at, &value, width);
}

/* What the manual has checked before a VM exit; the descriptor may have changed since. */
static enum emulate_status find_tss(struct task_run *run, struct task_descriptor *descriptor)
{
    bool iret = run->what->source == TASK_IRET;
    unsigned wrong = iret ? TASK_VECTOR_TS : TASK_VECTOR_GP, type;
    uint16_t selector = run->what->selector;
    struct emulate_segment tss;
    enum emulate_status status;

    if ((selector & 0xfffc) == 0 || (selector & 4))
        return task_raise(run, wrong, selector);
    status = task_descriptor(run, selector, wrong, descriptor);
    if (status != EMULATE_DONE)
        return status;
    type = TYPE(descriptor->high);
    if ((descriptor->high & DESCRIPTOR_S) ||
        (type & ~TYPE_32) != (iret ? TYPE_TSS16 | TYPE_BUSY : TYPE_TSS16))
        return task_raise(run, wrong, selector);
    if (!(descriptor->high & DESCRIPTOR_P))
        return task_raise(run, TASK_VECTOR_NP, selector);
    run->wide = type & TYPE_32;
    task_segment_from(&tss, selector, descriptor);
    return tss.limit < layout_of(run->wide)->size - 1u ? task_raise(run, TASK_VECTOR_TS, selector)
                                                       : EMULATE_DONE;
}

/* The state of the old task as its TSS has it. */
static void old_image(const struct task_run *run, const struct layout *layout, uint8_t *image)
{
    const struct task_state *state = run->state;
    uint64_t flags = state->rflags;

    if (run->what->source == TASK_IRET)
        flags &= ~TASK_FLAG_NT;
    put(image, layout->ip, layout->width, run->what->next_rip);
    put(image, layout->flags, layout->width, flags);
    for (unsigned i = 0; i < 8; i++)
        put(image, layout->registers + i * layout->width, layout->width, state->gpr[i]);
    for (unsigned i = 0; i < layout->segment_count; i++)
        put(image, layout->segments + i * layout->segment_step, 2, state->segments[i].selector);
}

/* A switch to which the new task returns, and one that leaves the old task for good. */
static bool links(const struct task_run *run)
{
    return run->what->source == TASK_CALL || run->what->source == TASK_GATE;
}

/* The descriptors whose busy flags change can be written. */
static enum emulate_status check_descriptors(struct task_run *run,
                                             const struct task_descriptor *new_descriptor,
                                             struct task_descriptor *old_descriptor)
{
    const struct task_memory *memory = run->memory;
    struct emulate_exception *exception = &run->outcome->exception;
    enum emulate_status status = EMULATE_DONE;

    if (run->what->source != TASK_IRET)
        status = memory->check(memory->context, new_descriptor->address, 8, exception);
    if (status == EMULATE_DONE && !links(run)) {
        status =
            task_descriptor(run, run->state->segments[SEGMENT_TR].selector, TASK_VECTOR_TS, old_descriptor);
        if (status == EMULATE_DONE)
            status = memory->check(memory->context, old_descriptor->address, 8, exception);
    }
    return status;
}

/* All accesses to the task-state segments that can still fault before the commit point. */
static enum emulate_status prepare(struct task_run *run, const struct emulate_segment *new_tss,
                                   const struct layout *old_layout, uint8_t *new_image, uint8_t *old)
{
    const struct task_memory *memory = run->memory;
    const struct emulate_segment *tr = &run->state->segments[SEGMENT_TR];
    struct emulate_exception *exception = &run->outcome->exception;
    unsigned first = old_layout->ip, length = old_layout->ldt - first;
    enum emulate_status status;

    if (tr->limit < old_layout->size - 1u)
        return task_raise(run, TASK_VECTOR_TS, tr->selector);
    status = memory->read(memory->context, tr->base + first, old + first, length, exception);
    if (status == EMULATE_DONE)
        status = memory->check(memory->context, tr->base + first, length, exception);
    if (status == EMULATE_DONE)
        status =
            memory->read(memory->context, new_tss->base, new_image, layout_of(run->wide)->size, exception);
    if (status == EMULATE_DONE && links(run))
        status = memory->check(memory->context, new_tss->base + LINK, 2, exception);
    return status;
}

/* The writes of the switch: the busy flags, the old TSS, the link. */
static enum emulate_status store(struct task_run *run, const struct task_descriptor *new_descriptor,
                                 const struct task_descriptor *old_descriptor,
                                 const struct emulate_segment *new_tss, const struct layout *old_layout,
                                 const uint8_t *old)
{
    const struct task_memory *memory = run->memory;
    struct emulate_exception *exception = &run->outcome->exception;
    const struct emulate_segment *tr = &run->state->segments[SEGMENT_TR];
    unsigned first = old_layout->ip;
    enum emulate_status status = EMULATE_DONE;

    if (run->what->source != TASK_IRET)
        status = task_change_type(run, new_descriptor, TYPE_BUSY, 0);
    if (status == EMULATE_DONE && !links(run))
        status = task_change_type(run, old_descriptor, 0, TYPE_BUSY);
    if (status == EMULATE_DONE)
        status = memory->write(memory->context, tr->base + first, old + first, old_layout->ldt - first, false,
                               exception);
    if (status == EMULATE_DONE && links(run))
        status = memory->write(memory->context, new_tss->base + LINK, &tr->selector, 2, false, exception);
    return status;
}

static void load_registers(struct task_run *run, const uint8_t *tss)
{
    const struct layout *layout = layout_of(run->wide);
    struct task_state *state = run->state;

    state->rip = get(tss, layout->ip, layout->width);
    state->rflags = (get(tss, layout->flags, layout->width) & FLAGS_DEFINED) | FLAGS_ALWAYS;
    if (links(run))
        state->rflags |= TASK_FLAG_NT;
    for (unsigned i = 0; i < 8; i++)
        state->gpr[i] = get(tss, layout->registers + i * layout->width, layout->width);
    for (unsigned i = 0; i < SEGMENT_COUNT; i++)
        state->segments[i].selector = i < layout->segment_count
                                          ? (uint16_t)get(tss, layout->segments + i * layout->segment_step, 2)
                                          : 0;
    state->segments[SEGMENT_LDTR].selector = (uint16_t)get(tss, layout->ldt, 2);
    state->cr0 |= CR0_TS;
    state->dr7 &= ~DR7_LOCAL;
    run->outcome->debug = run->wide && (tss[TRAP] & 1);
}

/* CR3 is a TSS's of 32 bits alone, and means nothing without paging. */
static enum emulate_status load_cr3(struct task_run *run, const uint8_t *tss)
{
    if (!run->wide || !(run->state->cr0 & CR0_PG))
        return EMULATE_DONE;
    run->state->cr3 = get(tss, CR3_32, 4);
    if (run->memory->load_cr3(run->memory->context, run->state->cr3))
        return EMULATE_DONE;
    return task_raise(run, TASK_VECTOR_GP, 0);
}

/* The exception's error code on the new task's stack, as wide as its TSS. */
static enum emulate_status push_error_code(struct task_run *run)
{
    struct task_state *state = run->state;
    const struct emulate_segment *stack = &state->segments[SEGMENT_SS];
    uint32_t mask = stack->access_rights & SEGMENT_DB ? UINT32_MAX : UINT16_MAX, type = stack->access_rights;
    unsigned size = run->wide ? 4 : 2;
    uint32_t old = (uint32_t)state->gpr[REGISTER_RSP], top = (old - size) & mask;
    uint64_t last = (uint64_t)top + size - 1;
    bool down = (type & (SEGMENT_TYPE_CODE | SEGMENT_TYPE_EXPAND_DOWN)) == SEGMENT_TYPE_EXPAND_DOWN;
    bool within = down ? top > stack->limit && last <= mask : last <= stack->limit;
    enum emulate_status status;

    if (!within)
        return task_raise(run, TASK_VECTOR_SS, 0);
    status = run->memory->write(run->memory->context, (uint32_t)(stack->base + top), &run->what->error_code,
                                size, SEGMENT_DPL(type) == 3, &run->outcome->exception);
    if (status == EMULATE_DONE)
        state->gpr[REGISTER_RSP] = (old & ~mask) | top;
    return status;
}

/* In the new task. */
static enum emulate_status enter(struct task_run *run, const uint8_t *tss)
{
    enum emulate_status status = load_cr3(run, tss);

    if (status == EMULATE_DONE)
        status = task_load_segments(run);
    if (status == EMULATE_DONE && run->what->has_error_code)
        status = push_error_code(run);
    if (status == EMULATE_DONE && run->state->rip > run->state->segments[SEGMENT_CS].limit)
        status = task_raise(run, TASK_VECTOR_GP, 0);
    return status;
}

enum emulate_status task_switch(struct task_state *state, const struct task_memory *memory,
                                const struct task_switch *what, struct task_outcome *outcome)
{
    struct task_run run = {.state = state, .memory = memory, .what = what, .outcome = outcome};
    const struct layout *old_layout = layout_of(state->segments[SEGMENT_TR].access_rights & TYPE_32);
    uint8_t new_image[104], old[104];
    struct task_descriptor descriptor, old_descriptor = {0};
    struct emulate_segment new_tss;
    enum emulate_status status;

    *outcome = (struct task_outcome){0};
    status = find_tss(&run, &descriptor);
    if (status != EMULATE_DONE)
        return status;
    task_segment_from(&new_tss, what->selector, &descriptor);
    new_tss.access_rights |= TYPE_BUSY;
    status = check_descriptors(&run, &descriptor, &old_descriptor);
    if (status == EMULATE_DONE)
        status = prepare(&run, &new_tss, old_layout, new_image, old);
    if (status != EMULATE_DONE)
        return status;
    old_image(&run, old_layout, old);
    status = store(&run, &descriptor, &old_descriptor, &new_tss, old_layout, old);
    if (status != EMULATE_DONE)
        return status;
    outcome->committed = true;
    state->segments[SEGMENT_TR] = new_tss;
    load_registers(&run, new_image);
    return enter(&run, new_image);
}
