/* SPDX-License-Identifier: MIT */
/* The monitor's session: keys, script, and which CPU executes what. */
#include "vmm/monitor/monitor.h"
#include "arch/x86/memory.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "drivers/format.h"
#include "vmm/host/cpu.h"
#include "vmm/guests.h"
#include "vmm/host/machine.h"
#include "vmm/monitor/command.h"
#include "vmm/monitor/keys.h"
#include "vmm/vm/vm.h"
#include "vmm/vm/pause.h"
#include "vmm/plug.h"
#include "vmm/vcpu/vcpu.h"

#define PROMPT         "adept> "
#define POLL_PERIOD_US 1000 /* of CPUs that wait */
#define CALL_AGAIN_US  1000 /* the chosen vCPU has not come: the next call is by NMI */

enum source { SOURCE_NONE, SOURCE_TYPED, SOURCE_SCRIPT };

/* All of it belongs to the holder of the lock, but for what is atomic. */
static struct {
    struct spinlock lock;
    struct monitor_line line;
    struct option_span script; /* what is left */
    bool script_runs;          /* atomic: it has begun and is not over */
    bool script_waits;         /* for the chosen VM's stop, or its end */

    /* The command in hand. */
    enum source source;
    struct option_span command;
    uint64_t call_again; /* TSC */
    bool called;         /* its vCPU, once at least */

    struct vm *vm; /* atomic: chosen */
    unsigned vcpu_index;

    uint64_t poll_due;   /* TSC, atomic */
    struct vcpu *wanted; /* atomic: that has to execute the command in hand; may be gone, is only compared */
    struct vm *stopped;  /* atomic: one that a vCPU of its has stopped, stop.by */
} monitor;

static const struct vcpu *wanted(void)
{
    return __atomic_load_n(&monitor.wanted, __ATOMIC_ACQUIRE);
}

static void set_wanted(struct vcpu *vcpu)
{
    __atomic_store_n(&monitor.wanted, vcpu, __ATOMIC_RELEASE);
}

static bool script_runs(void)
{
    return __atomic_load_n(&monitor.script_runs, __ATOMIC_ACQUIRE);
}

static void set_script_runs(bool runs)
{
    __atomic_store_n(&monitor.script_runs, runs, __ATOMIC_RELEASE);
}

bool monitor_wants(const struct vcpu *vcpu)
{
    return wanted() == vcpu;
}

void monitor_choose(struct vm *vm, unsigned vcpu_index)
{
    __atomic_store_n(&monitor.vm, vm, __ATOMIC_RELEASE);
    monitor.vcpu_index = vcpu_index;
}

struct vm *monitor_chosen(void)
{
    if (monitor.vm == NULL)
        __atomic_store_n(&monitor.vm, guests_vm(0), __ATOMIC_RELEASE);
    return monitor.vm;
}

void monitor_wait_for_stop(void)
{
    monitor.script_waits = true;
}

/* The command in hand is done. */
static void finish_command(void)
{
    set_wanted(NULL);
    if (monitor.source == SOURCE_TYPED)
        monitor_line_clear(&monitor.line);
    monitor.source = SOURCE_NONE;
    monitor.called = false;
}

bool monitor_is_there(void)
{
    return monitor_keys_open() || script_runs();
}

void monitor_stopped_at(struct vcpu *vcpu)
{
    __atomic_store_n(&vcpu->vm->stop.by, vcpu->index, __ATOMIC_RELAXED);
    __atomic_store_n(&monitor.stopped, vcpu->vm, __ATOMIC_RELEASE);
}

static void choose_stopped(void)
{
    struct vm *vm = __atomic_exchange_n(&monitor.stopped, NULL, __ATOMIC_ACQ_REL);

    if (vm != NULL)
        monitor_choose(vm, __atomic_load_n(&vm->stop.by, __ATOMIC_RELAXED));
}

/* Takes the next one in hand, what is typed first. false: there is none now. */
static bool next_command(void)
{
    if (monitor.source != SOURCE_NONE)
        return true;
    choose_stopped();
    if (monitor_keys_take_line()) {
        monitor.source = SOURCE_TYPED;
        monitor.command = option_span_of(monitor.line.text);
        console_prompt_end();
        return true;
    }
    if (!script_runs())
        return false;
    if (monitor.script_waits && monitor.vm != NULL && !vm_is_at_rest(monitor.vm) && !vm_has_ended(monitor.vm))
        return false;
    monitor.script_waits = false;
    if (monitor_next_command(&monitor.script, &monitor.command)) {
        monitor.source = SOURCE_SCRIPT;
        return true;
    }
    set_script_runs(false); /* nobody is there any more who would continue it */
    if (monitor.vm != NULL && !monitor_keys_open())
        vm_continue(monitor.vm);
    return false;
}

/*
 * With the console. Who has it must not wait for a pause: a vCPU that waits for the console may be one that
 * the pause waits for. So the pause comes first.
 */
static void execute(struct monitor_call *call, monitor_function *function, bool alone)
{
    if (alone)
        vm_pause(call->vm);
    trace_report_begin();
    if (monitor.source == SOURCE_SCRIPT)
        console_printf(PROMPT "%.*s\n", (int)monitor.command.length, monitor.command.text);
    monitor_keys_page(monitor.source == SOURCE_TYPED);
    if (call->words.too_many)
        monitor_complain(call, "expected: at most %u words", MONITOR_WORDS_MAX);
    else
        function(call);
    monitor_keys_page(false);
    trace_report_end();
    if (alone)
        vm_unpause(call->vm);
    finish_command();
}

/* vm_hold_vcpus() */
static void call_vcpu(struct vcpu *vcpu)
{
    uint64_t now = tsc_read();

    set_wanted(vcpu);
    if (monitor.called && now < monitor.call_again)
        return;
    vcpu_call(vcpu, monitor.called);
    monitor.called = true;
    monitor.call_again = now + tsc_ticks(CALL_AGAIN_US);
}

/* The chosen vCPU, which is called if it is another one than `self`, and may end as soon as this returns. */
static struct vcpu *find_target(const struct monitor_call *call, const struct vcpu *self)
{
    struct vcpu *vcpu;

    vm_hold_vcpus();
    vcpu = monitor_call_target(call);
    if (vcpu != NULL && vcpu != self)
        call_vcpu(vcpu);
    vm_let_go_vcpus();
    return vcpu;
}

/* Executes the command in hand if this CPU can; false: another has to. `at_end`: self's VM has ended. */
static bool dispatch(struct vcpu *self, bool at_end)
{
    const struct monitor_command *command;
    struct monitor_call call;
    bool several;

    if (!monitor_call_parse(&call, monitor.command)) {
        finish_command();
        return true;
    }
    call.vm = monitor_chosen();
    call.vcpu_index = monitor.vcpu_index;
    command = monitor_find(call.words.word[0], &several);
    if (command == NULL) {
        execute(&call, monitor_call_unknown, false);
        return true;
    }
    if (call.words.count > 1 + command->most) {
        execute(&call, monitor_call_too_long, false);
        return true;
    }
    if (command->where != MONITOR_ANY) {
        call.ended = at_end && self->vm == call.vm;
        call.vcpu = call.ended ? self : find_target(&call, self);
        if (call.vcpu == NULL && (command->where != MONITOR_ALONE_IF_RUNS || call.vm == NULL)) {
            execute(&call, monitor_call_not_running, false);
            return true;
        }
        if (call.vcpu != self && call.vcpu != NULL)
            return false;
    }
    call.words.word[0] = option_span_of(command->name);
    execute(&call, command->function, command->where >= MONITOR_ALONE && call.vcpu != NULL && !call.ended);
    return true;
}

void monitor_run(struct vcpu *vcpu)
{
    /* In the midst of a step its state is not what the guest has: a command about it waits for the end. */
    if (vcpu != NULL && vcpu->step.active)
        vcpu = NULL;
    if (!spinlock_try_lock(&monitor.lock))
        return;
    if (monitor.source != SOURCE_TYPED)
        monitor_keys_read(&monitor.line);
    while (next_command() && dispatch(vcpu, false))
        ;
    monitor_keys_draw(&monitor.line, monitor.source != SOURCE_TYPED);
    spinlock_unlock(&monitor.lock);
}

void monitor_poll(void)
{
    uint64_t now = tsc_read();

    if (now < __atomic_load_n(&monitor.poll_due, __ATOMIC_RELAXED))
        return;
    monitor_run(NULL);
    __atomic_store_n(&monitor.poll_due, now + tsc_ticks(POLL_PERIOD_US), __ATOMIC_RELAXED);
}

void monitor_prepare(void)
{
    monitor_line_init(&monitor.line);
    monitor.line.prompt = PROMPT;
    monitor.line.choice = monitor_choice;
    monitor_keys_prepare(&monitor.line);
    monitor.script = option_span_of(machine_options()->script);
}

void monitor_before_entry(struct vcpu *vcpu)
{
    if (vcpu->index != 0 || vcpu->vm != guests_vm(0) || monitor.script.length == 0)
        return;
    set_script_runs(true);
    vm_stop(vcpu->vm);
    vm_attend(vcpu);
}

/*
 * What is left of the script: all of it, when no guest runs any more; at the end of a vCPU's VM as far as it
 * is about that one, for what is about another one is executed elsewhere, and this CPU must not keep the
 * session meanwhile.
 */
static void run_rest(struct vcpu *vcpu)
{
    spinlock_lock(&monitor.lock);
    if (vcpu == NULL)
        set_script_runs(monitor.script.length != 0);
    while ((monitor.source != SOURCE_NONE || script_runs()) &&
           (vcpu == NULL || monitor_chosen() == vcpu->vm)) {
        monitor.script_waits = false;
        if (next_command() && !dispatch(vcpu, vcpu != NULL))
            break;
    }
    spinlock_unlock(&monitor.lock);
}

void monitor_at_end(struct vcpu *vcpu)
{
    if (script_runs() && __atomic_load_n(&monitor.vm, __ATOMIC_ACQUIRE) == vcpu->vm)
        run_rest(vcpu);
}

void monitor_finish(void)
{
    run_rest(NULL);
    monitor_keys_close();
}
