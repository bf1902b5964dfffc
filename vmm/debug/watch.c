/* SPDX-License-Identifier: MIT */
/* Accesses to watched memory and breakpoints: recognised when they are denied. */
#include "vmm/debug/watch.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/memory.h"
#include "ept/dirty.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/vcpu/inject.h"
#include "vmm/vcpu/code.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"

#define QUALIFICATION_LINEAR (UINT64_C(1) << 7) /* the linear address is valid */
#define QUALIFICATION_FINAL  (UINT64_C(1) << 8) /* else: a paging structure's entry on the way to it */

static struct watch *watch_at(struct vm *vm, unsigned index)
{
    return &vm->watches->watches[index];
}

uint64_t watch_value(struct vm *vm, uint64_t gpa, unsigned size)
{
    uint64_t value = 0;

    (void)guest_memory_read(vm, gpa, &value, size);
    return value;
}

/* What the delivery of an event moves at once: a word of the frame; 0: its gate says. */
static unsigned event_size(void)
{
    if (!(vmcs_read(VMCS_GUEST_CR0) & CR0_PE))
        return 2;
    return vmcs_read(VMCS_GUEST_IA32_EFER) & EFER_LMA ? 8 : 0;
}

/*
 * How many bytes the instruction at RIP moves at once, 0: the decoder does not know it; and how many of them
 * are on the page of this access. One that begins on the page before is seen at the start of this one.
 */
static void set_width(struct vcpu *vcpu, struct watch_hit *hit)
{
    unsigned left = PAGE_SIZE - (unsigned)(hit->gpa & PAGE_MASK);
    struct instruction instruction;
    struct vcpu_code code;
    struct step_plan plan;
    uint64_t start, before;

    vcpu_code_read(vcpu, &code);
    if (decode_instruction(code.bytes, code.count, code.code_size, &instruction) == DECODE_OK) {
        hit->width = hit->part = instruction.memory_size;
        before = left == PAGE_SIZE && vcpu_operand_linear(vcpu, &code, &instruction, &start)
                     ? vmcs_read(VMCS_GUEST_LINEAR_ADDRESS) - start
                     : 0;
        if (before < hit->width)
            hit->part = (uint8_t)(hit->width - before);
    } else {
        plan = step_plan(code.bytes, code.count, code.code_size);
        hit->width = hit->part = plan.pushes ? plan.operand_size : 0;
    }
    if (hit->part > left)
        hit->part = (uint8_t)left;
}

static unsigned entry_size(void)
{
    return vmcs_read(VMCS_GUEST_CR4) & CR4_PAE || vmcs_read(VMCS_GUEST_IA32_EFER) & EFER_LMA ? 8 : 4;
}

/* Notes an access for one watch, if it touches it. */
static void note(struct vcpu *vcpu, unsigned index, struct watch_hit hit)
{
    const struct watch *watch = watch_at(vcpu->vm, index);
    unsigned reach = hit.part != 0 ? hit.part : 1;

    if (watch->is_break || !(watch->rights & hit.access) || hit.gpa > watch->last ||
        hit.gpa + (reach - 1) < watch->start || vcpu->debug.hit_count == WATCH_HITS_MAX)
        return;
    hit.watch = (uint8_t)index;
    hit.size = hit.part != 0 && hit.part <= WATCH_VALUE_MAX ? hit.part : WATCH_VALUE_MAX;
    if (hit.part == 0 && watch->last - hit.gpa < WATCH_VALUE_MAX)
        hit.size = (uint8_t)(watch->last - hit.gpa + 1);
    hit.if_changed = hit.by_walk && (hit.access & EPT_WRITE);
    hit.old = watch_value(vcpu->vm, hit.gpa, hit.size);
    vcpu->debug.hits[vcpu->debug.hit_count++] = hit;
}

static struct watch_hit this_access(struct vcpu *vcpu, uint64_t gpa, uint64_t qualification)
{
    struct watch_hit hit = {.access = (uint8_t)(qualification & EPT_RIGHTS),
                            .gpa = gpa,
                            .cs = (uint16_t)vmcs_read(VMCS_GUEST_CS_SELECTOR),
                            .rip = vmcs_read(VMCS_GUEST_RIP)};

    hit.by_walk = (qualification & QUALIFICATION_LINEAR) && !(qualification & QUALIFICATION_FINAL);
    hit.by_event = vmcs_read(VMCS_IDT_VECTORING_INFORMATION) & EVENT_VALID;
    if (hit.by_walk)
        hit.width = hit.part = (uint8_t)entry_size();
    else if (hit.by_event)
        hit.width = hit.part = (uint8_t)event_size();
    else if (!(hit.access & EPT_EXECUTE))
        set_width(vcpu, &hit);
    return hit;
}

static void note_all(struct vcpu *vcpu, uint64_t gpa, uint64_t qualification)
{
    struct watch_list *list = vcpu->vm->watches;
    const struct watch_hit hit = this_access(vcpu, gpa, qualification);

    for (unsigned i = 0; i < WATCH_MAX; i++)
        if (list->watches[i].used)
            note(vcpu, i, hit);
    if ((hit.access & EPT_WRITE) && vcpu->debug.snapshot_count < WATCH_SNAPSHOTS) {
        struct watch_snapshot *snapshot = &list->snapshots[vcpu->debug.snapshot_count];

        snapshot->page = gpa & ~PAGE_MASK;
        snapshot->hit = hit;
        if (guest_memory_read(vcpu->vm, snapshot->page, snapshot->bytes, sizeof(snapshot->bytes)) ==
            sizeof(snapshot->bytes))
            vcpu->debug.snapshot_count++;
    }
}

/* The breakpoint at RIP, WATCH_MAX if there is none, or it is to be passed this time. */
static unsigned break_at_rip(struct vcpu *vcpu)
{
    uint64_t linear = vcpu_linear_rip();
    bool passes = vcpu->debug.passes && vcpu->debug.pass_rip == linear;

    vcpu->debug.passes = false;
    for (unsigned i = 0; i < WATCH_MAX && !passes; i++) {
        const struct watch *watch = watch_at(vcpu->vm, i);

        if (watch->used && watch->is_break && watch->linear == linear)
            return i;
    }
    return WATCH_MAX;
}

void watch_expect(struct vcpu *vcpu)
{
    struct vcpu_debug *debug = &vcpu->debug;

    debug->expects = true;
    debug->trapped = false;
    debug->rip = vmcs_read(VMCS_GUEST_RIP);
    debug->hit_count = debug->snapshot_count = 0;
}

must_check bool watch_at_break(struct vcpu *vcpu)
{
    unsigned broken = break_at_rip(vcpu);

    if (broken == WATCH_MAX)
        return false;
    vcpu->debug.breaks = true;
    vcpu->debug.broken = (uint8_t)broken;
    return true;
}

enum watch_verdict watch_access(struct vcpu *vcpu, uint64_t gpa, uint64_t qualification)
{
    vcpu_call(vcpu, false);
    if ((qualification & EPT_EXECUTE) && !(vmcs_read(VMCS_IDT_VECTORING_INFORMATION) & EVENT_VALID) &&
        !vcpu->step.active && watch_at_break(vcpu))
        return WATCH_STOPS;
    if (!vcpu->debug.expects)
        watch_expect(vcpu);
    note_all(vcpu, gpa, qualification);
    if (qualification & EPT_WRITE) /* the opened page is none that a dirty log watches */
        ept_dirty_mark(&vcpu->vm->ept, gpa, 1);
    return WATCH_STEPS;
}

static bool counts_already(const struct vcpu_debug *debug, unsigned index)
{
    for (unsigned i = 0; i < debug->hit_count; i++)
        if (debug->hits[i].counts && debug->hits[i].watch == index)
            return true;
    return false;
}

/* Of a watch of which no access was seen: the first place that the step has changed on a page that was open
 * for it. */
static void collect_change(struct vcpu *vcpu, unsigned index, const struct watch_snapshot *snapshot)
{
    const struct watch *watch = watch_at(vcpu->vm, index);
    uint64_t end = snapshot->page + PAGE_MASK < watch->last ? snapshot->page + PAGE_MASK : watch->last;
    uint64_t at = watch->start > snapshot->page ? watch->start : snapshot->page;
    struct watch_hit hit = snapshot->hit;

    while (at <= end && watch_value(vcpu->vm, at, 1) == snapshot->bytes[at & PAGE_MASK])
        at++;
    if (at > end || vcpu->debug.hit_count == WATCH_HITS_MAX)
        return;
    hit.watch = (uint8_t)index;
    hit.size = end - at < WATCH_VALUE_MAX ? (uint8_t)(end - at + 1) : WATCH_VALUE_MAX;
    if (hit.by_walk) { /* whole entries */
        at &= ~(uint64_t)(hit.width - 1u);
        hit.size = hit.width;
    } else {
        hit.width = hit.part = 0;
    }
    hit.gpa = at;
    hit.old = 0;
    memcpy(&hit.old, snapshot->bytes + (at & PAGE_MASK), hit.size);
    hit.now = watch_value(vcpu->vm, at, hit.size);
    hit.counts = true;
    vcpu->debug.hits[vcpu->debug.hit_count++] = hit;
}

void watch_collect(struct vcpu *vcpu)
{
    struct vcpu_debug *debug = &vcpu->debug;

    for (unsigned i = 0; i < debug->hit_count; i++) {
        struct watch_hit *hit = &debug->hits[i];

        hit->now = watch_value(vcpu->vm, hit->gpa, hit->size);
        hit->counts = !hit->if_changed || hit->now != hit->old;
    }
    for (unsigned i = 0; i < WATCH_MAX && debug->snapshot_count != 0; i++) {
        const struct watch *watch = watch_at(vcpu->vm, i);

        if (!watch->used || watch->is_break || !(watch->rights & EPT_WRITE) || counts_already(debug, i))
            continue;
        for (unsigned n = 0; n < debug->snapshot_count; n++)
            collect_change(vcpu, i, &vcpu->vm->watches->snapshots[n]);
    }
    debug->snapshot_count = 0;
}
