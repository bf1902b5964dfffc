/* SPDX-License-Identifier: MIT */
/* The segments of a new task. SDM vol. 3, "Exception Conditions Checked During a Task Switch". */
#include "vmm/emulate/task_switch.h"

#define SELECTOR_LDT     4u
#define SELECTOR_RPL     3u
#define DESCRIPTOR_P     (1u << 15)
#define DESCRIPTOR_S     (1u << 12)
#define TYPE(high)       ((high) >> 8 & 15)
#define DPL(high)        ((high) >> 13 & 3)
#define TYPE_LDT         2u
#define TYPE_CODE        8u
#define TYPE_CONFORMING  4u
#define TYPE_READ_WRITE  2u
#define TYPE_ACCESSED    1u
#define GRANULARITY      (1u << 23)
#define RIGHTS_V86       0xf3u   /* data, writable, accessed, DPL 3, present */
#define RIGHTS_CODE      0x9bu   /* code, readable, accessed, not conforming, present */
#define RIGHTS_SIZES     0xd000u /* AVL, D, G */
#define RIGHTS_DPL_SHIFT 5
#define EXCHANGES_MAX    8

enum emulate_status task_raise(struct task_run *run, unsigned vector, uint16_t selector)
{
    run->outcome->exception = (struct emulate_exception){
        .vector = (uint8_t)vector, .error_code = (uint32_t)(selector & 0xfffc) | run->what->external};
    return EMULATE_EXCEPTION;
}

enum emulate_status task_descriptor(struct task_run *run, uint16_t selector, unsigned vector,
                                    struct task_descriptor *descriptor)
{
    const struct emulate_segment *ldt = &run->state->segments[SEGMENT_LDTR];
    uint64_t base = run->state->gdt_base;
    uint32_t limit = run->state->gdt_limit, offset = selector & 0xfff8u, both[2];
    enum emulate_status status;

    if (selector & SELECTOR_LDT) {
        if (ldt->access_rights & SEGMENT_UNUSABLE)
            return task_raise(run, vector, selector);
        base = ldt->base;
        limit = ldt->limit;
    }
    if (offset + 7 > limit)
        return task_raise(run, vector, selector);
    descriptor->address = base + offset;
    status = run->memory->read(run->memory->context, descriptor->address, both, sizeof(both),
                               &run->outcome->exception);
    descriptor->low = both[0];
    descriptor->high = both[1];
    return status;
}

void task_segment_from(struct emulate_segment *segment, uint16_t selector,
                       const struct task_descriptor *descriptor)
{
    uint32_t low = descriptor->low, high = descriptor->high, limit = (low & 0xffff) | (high & 0xf0000);

    *segment = (struct emulate_segment){
        .selector = selector,
        .base = low >> 16 | (high & 0xff) << 16 | (high & 0xff000000),
        .limit = high & GRANULARITY ? limit << 12 | 0xfff : limit,
        .access_rights = high >> 8 & 0xf0ff,
    };
}

enum emulate_status task_change_type(struct task_run *run, const struct task_descriptor *descriptor,
                                     uint8_t set, uint8_t clear)
{
    const struct task_memory *memory = run->memory;
    enum emulate_status status = EMULATE_RESTART;
    uint64_t address = descriptor->address + 5;

    for (unsigned i = 0; i < EXCHANGES_MAX && status == EMULATE_RESTART; i++) {
        uint8_t old, changed;

        status = memory->read(memory->context, address, &old, 1, &run->outcome->exception);
        if (status != EMULATE_DONE)
            return status;
        changed = (uint8_t)((old | set) & ~clear);
        if (changed != old)
            status = memory->exchange(memory->context, address, old, changed, &run->outcome->exception);
    }
    return status;
}

static enum emulate_status load_ldt(struct task_run *run)
{
    struct emulate_segment *ldt = &run->state->segments[SEGMENT_LDTR];
    uint16_t selector = ldt->selector;
    struct task_descriptor descriptor;
    enum emulate_status status;

    ldt->access_rights = SEGMENT_UNUSABLE;
    if ((selector & 0xfffc) == 0)
        return EMULATE_DONE;
    if (selector & SELECTOR_LDT)
        return task_raise(run, TASK_VECTOR_TS, selector);
    status = task_descriptor(run, selector, TASK_VECTOR_TS, &descriptor);
    if (status != EMULATE_DONE)
        return status;
    if ((descriptor.high & DESCRIPTOR_S) || TYPE(descriptor.high) != TYPE_LDT ||
        !(descriptor.high & DESCRIPTOR_P))
        return task_raise(run, TASK_VECTOR_TS, selector);
    task_segment_from(ldt, selector, &descriptor);
    return EMULATE_DONE;
}

/* The rules of each kind of register, at this CPL. 0: it may be loaded; else what is raised. */
static unsigned forbidden(enum segment_register which, uint16_t selector, uint32_t high, unsigned cpl)
{
    unsigned type = TYPE(high), rpl = selector & SELECTOR_RPL, dpl = DPL(high);
    bool code = type & TYPE_CODE, conforming = code && (type & TYPE_CONFORMING);

    if (!(high & DESCRIPTOR_S))
        return TASK_VECTOR_TS;
    switch (which) {
    case SEGMENT_CS:
        if (!code || (conforming ? dpl > rpl : dpl != rpl))
            return TASK_VECTOR_TS;
        return high & DESCRIPTOR_P ? 0 : TASK_VECTOR_NP;
    case SEGMENT_SS:
        if (code || !(type & TYPE_READ_WRITE) || rpl != cpl || dpl != cpl)
            return TASK_VECTOR_TS;
        return high & DESCRIPTOR_P ? 0 : TASK_VECTOR_SS;
    default:
        if ((code && !(type & TYPE_READ_WRITE)) || (!conforming && (dpl < rpl || dpl < cpl)))
            return TASK_VECTOR_TS;
        return high & DESCRIPTOR_P ? 0 : TASK_VECTOR_NP;
    }
}

static enum emulate_status load_segment(struct task_run *run, enum segment_register which, unsigned cpl)
{
    struct emulate_segment *segment = &run->state->segments[which];
    uint16_t selector = segment->selector;
    struct task_descriptor descriptor;
    enum emulate_status status;
    unsigned vector;

    if ((selector & 0xfffc) == 0)
        return which == SEGMENT_CS || which == SEGMENT_SS ? task_raise(run, TASK_VECTOR_TS, selector)
                                                          : EMULATE_DONE;
    status = task_descriptor(run, selector, TASK_VECTOR_TS, &descriptor);
    if (status != EMULATE_DONE)
        return status;
    vector = forbidden(which, selector, descriptor.high, cpl);
    if (vector != 0)
        return task_raise(run, vector, selector);
    if (!(descriptor.high & (TYPE_ACCESSED << 8))) {
        status = task_change_type(run, &descriptor, TYPE_ACCESSED, 0);
        if (status != EMULATE_DONE)
            return status;
    }
    descriptor.high |= TYPE_ACCESSED << 8;
    task_segment_from(segment, selector, &descriptor);
    return EMULATE_DONE;
}

static void load_v86(struct task_state *state)
{
    for (unsigned i = 0; i < SEGMENT_COUNT; i++) {
        struct emulate_segment *segment = &state->segments[i];

        segment->base = (uint64_t)segment->selector << 4;
        segment->limit = 0xffff;
        segment->access_rights = RIGHTS_V86;
    }
}

/*
 * Until CS and SS are loaded they keep what they had, but for the selectors, and for the new CPL, which is
 * CS's RPL: the delivery of an exception needs one.
 */
static void set_cpl(struct task_state *state, unsigned cpl)
{
    struct emulate_segment *code = &state->segments[SEGMENT_CS], *stack = &state->segments[SEGMENT_SS];

    code->access_rights = (code->access_rights & RIGHTS_SIZES) | RIGHTS_CODE | cpl << RIGHTS_DPL_SHIFT;
    stack->access_rights = (stack->access_rights & ~(3u << RIGHTS_DPL_SHIFT)) | cpl << RIGHTS_DPL_SHIFT;
}

enum emulate_status task_load_segments(struct task_run *run)
{
    static const enum segment_register rest[] = {SEGMENT_SS, SEGMENT_DS, SEGMENT_ES, SEGMENT_FS, SEGMENT_GS};
    struct task_state *state = run->state;
    unsigned cpl = state->segments[SEGMENT_CS].selector & SELECTOR_RPL;
    bool v86 = state->rflags & TASK_FLAG_VM;
    enum emulate_status status;

    for (unsigned i = 1; i < sizeof(rest) / sizeof(rest[0]); i++)
        state->segments[rest[i]].access_rights = SEGMENT_UNUSABLE;
    if (v86)
        load_v86(state);
    else
        set_cpl(state, cpl);
    status = load_ldt(run);
    if (status != EMULATE_DONE || v86)
        return status;
    status = load_segment(run, SEGMENT_CS, cpl);
    if (status == EMULATE_DONE)
        state->segments[SEGMENT_SS].access_rights = SEGMENT_UNUSABLE | cpl << RIGHTS_DPL_SHIFT;
    for (unsigned i = 0; i < sizeof(rest) / sizeof(rest[0]) && status == EMULATE_DONE; i++)
        status = load_segment(run, rest[i], cpl);
    return status;
}
