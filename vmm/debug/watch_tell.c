/* SPDX-License-Identifier: MIT */
/* Watched accesses, breakpoints and steps behind their exit: told of, and the next step begun. */
#include "arch/x86/memory.h"
#include "drivers/console.h"
#include "ept/qualification.h"
#include "vmm/plug.h"
#include "vmm/vcpu/code.h"
#include "vmm/trace/trace.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/debug/watch.h"

static void print_place(const struct vcpu *vcpu, const char *what, uint16_t cs, uint64_t rip)
{
    console_printf("adept: %s: vm=%s vcpu=%u cs:ip=%04x:%04llx", what, vcpu->vm->config.name, vcpu->index, cs,
                   (unsigned long long)rip);
}

/* The VM stops, if somebody is there to continue it. */
static void stop(struct vcpu *vcpu)
{
    if (!monitor_is_there())
        return;
    monitor_stopped_at(vcpu);
    vm_stop(vcpu->vm);
    if (vcpu->debug.steps > 1) /* of `step N` this was the last */
        vcpu->debug.steps = 1;
}

static void tell(struct vcpu *vcpu, const struct watch_hit *hit)
{
    struct watch *watch = &vcpu->vm->watches->watches[hit->watch];
    char access[EPT_QUALIFICATION_WORD_SIZE];

    (void)__atomic_add_fetch(&watch->hits, 1, __ATOMIC_RELAXED);
    ept_qualification_access_text(hit->access, access, sizeof(access));
    print_place(vcpu, "watch", hit->cs, hit->rip);
    console_printf(" #%u gpa=%#llx access=%s", hit->watch + 1u, (unsigned long long)hit->gpa, access);
    if (!(hit->access & EPT_EXECUTE)) {
        console_printf(hit->width != 0 ? " width=%u" : " width=?", hit->width);
        if (hit->part != hit->width)
            console_printf(" part=%u", hit->part);
        console_printf(" old=%#llx new=%#llx", (unsigned long long)hit->old, (unsigned long long)hit->now);
    }
    console_printf("%s\n", hit->by_walk ? " by=walk" : hit->by_event ? " by=event" : "");
    if (watch->stops)
        stop(vcpu);
}

static void tell_all(struct vcpu *vcpu)
{
    for (unsigned i = 0; i < vcpu->debug.hit_count; i++)
        if (vcpu->debug.hits[i].counts && vcpu->vm->watches->watches[vcpu->debug.hits[i].watch].used)
            tell(vcpu, &vcpu->debug.hits[i]);
}

static void tell_break(struct vcpu *vcpu)
{
    struct watch *watch = &vcpu->vm->watches->watches[vcpu->debug.broken];

    (void)__atomic_add_fetch(&watch->hits, 1, __ATOMIC_RELAXED);
    print_place(vcpu, "break", (uint16_t)vmcs_read(VMCS_GUEST_CS_SELECTOR), vmcs_read(VMCS_GUEST_RIP));
    console_printf(" #%u gva=%#llx hits=%llu\n", vcpu->debug.broken + 1u, (unsigned long long)watch->linear,
                   (unsigned long long)watch->hits);
    stop(vcpu);
}

static void tell_step(struct vcpu *vcpu)
{
    const struct vcpu_debug *debug = &vcpu->debug;

    print_place(vcpu, "step", (uint16_t)vmcs_read(VMCS_GUEST_CS_SELECTOR), vmcs_read(VMCS_GUEST_RIP));
    console_printf(debug->pair ? " instructions=2 code=" : " code=");
    for (unsigned i = 0; i < debug->code_count; i++)
        console_printf("%02x", debug->code[i]);
    console_printf("\n");
}

/*
 * With the console, and parked until it is given back: who has it must not wait for a pause, and who waits
 * for it must not be waited for. The VM may change meanwhile; what is told is this vCPU's own.
 */
static void with_console(struct vcpu *vcpu, void (*tell_it)(struct vcpu *))
{
    bool several = vcpu->vm->vcpu_count > 1;

    if (several)
        shootdown_step_aside(vcpu);
    trace_report_begin();
    tell_it(vcpu);
    trace_report_end();
    if (several)
        shootdown_come_back(vcpu);
}

static bool any_counts(const struct vcpu_debug *debug)
{
    bool any = false;

    for (unsigned i = 0; i < debug->hit_count; i++)
        any |= debug->hits[i].counts;
    return any;
}

/* The step that was under way is over. */
static void end_of_step(struct vcpu *vcpu)
{
    struct vcpu_debug *debug = &vcpu->debug;
    struct vcpu_code code;
    bool done = debug->trapped || vcpu->interrupts.advanced || vmcs_read(VMCS_GUEST_RIP) != debug->rip;

    debug->expects = false;
    if (!done)
        return; /* an interrupt came first, say: the access comes again */
    if (vcpu->step.plan.repeats && vmcs_read(VMCS_GUEST_RIP) == debug->rip)
        watch_pass(vcpu); /* the next repetition of an instruction with a breakpoint */
    if (any_counts(debug))
        with_console(vcpu, tell_all);
    debug->hit_count = 0;
    if (debug->steps == 0)
        return;
    debug->pair = debug->trapped && vcpu->step.plan.is_pair;
    debug->steps -= debug->pair && debug->steps > 1 ? 2 : 1;
    if (debug->steps != 0) {
        (void)!watch_at_break(vcpu); /* the caller looks */
        return;
    }
    vcpu_code_read(vcpu, &code);
    debug->code_count = (uint8_t)(code.count < WATCH_CODE_SHOWN ? code.count : WATCH_CODE_SHOWN);
    memcpy(debug->code, code.bytes, debug->code_count);
    with_console(vcpu, tell_step);
}

static void stop_at_break(struct vcpu *vcpu)
{
    struct vcpu_debug *debug = &vcpu->debug;

    debug->expects = debug->breaks = false;
    debug->steps = 0;
    watch_pass(vcpu);
    with_console(vcpu, tell_break);
}

void watch_attend(struct vcpu *vcpu)
{
    struct vcpu_debug *debug = &vcpu->debug;
    bool was_stepping = debug->steps != 0;

    if (debug->expects && !debug->breaks && !vcpu->step.active)
        end_of_step(vcpu);
    if (debug->breaks)
        stop_at_break(vcpu);
    if (was_stepping && debug->steps == 0)
        vm_stepping_ends(vcpu->vm);
}

void watch_go_on(struct vcpu *vcpu)
{
    struct vcpu_debug *debug = &vcpu->debug;

    if (!vm_steps(vcpu))
        debug->steps = 0;
    else if (!vcpu->step.active && !vcpu->interrupts.halted) {
        watch_expect(vcpu);
        step_begin(vcpu);
    }
    if (debug->expects) /* it may have the VM paused: nothing may be waited for */
        vcpu_call(vcpu, false);
}

void watch_pass(struct vcpu *vcpu)
{
    vcpu->debug.passes = true;
    vcpu->debug.pass_rip = vcpu_linear_rip();
}

void watch_step(struct vcpu *vcpu, uint64_t steps)
{
    watch_pass(vcpu);
    vcpu->debug.steps = steps;
    vm_stepping_begins(vcpu);
    vcpu_call(vcpu, false);
}
