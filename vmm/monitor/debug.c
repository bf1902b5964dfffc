/* SPDX-License-Identifier: MIT */
/* Commands that watch memory, break and step. */
#include "drivers/console.h"
#include "vmm/vm/guest_memory.h"
#include "vmm/monitor/monitor.h"
#include "vmm/monitor/command.h"
#include "vmm/vcpu/code.h"
#include "vmm/vm/vm.h"
#include "vmm/debug/watch.h"
#include "vmm/vcpu/vcpu.h"

#define STEPS_MAX 1000000

static bool has_ended(const struct monitor_call *call)
{
    if (call->ended)
        monitor_complain(call, "vm=%s has ended", call->vm->config.name);
    return call->ended;
}

static void print_watch(const struct vm *vm, unsigned index)
{
    const struct watch *watch = &vm->watches->watches[index];

    if (watch->is_break)
        console_printf("adept: break: vm=%s #%u gva=%#llx gpa=%#llx hits=%llu\n", vm->config.name, index + 1,
                       (unsigned long long)watch->linear, (unsigned long long)watch->start,
                       (unsigned long long)watch->hits);
    else
        console_printf("adept: watch: vm=%s #%u gpa=%#llx-%#llx access=%s%s%s %s hits=%llu\n",
                       vm->config.name, index + 1, (unsigned long long)watch->start,
                       (unsigned long long)watch->last, watch->rights & EPT_READ ? "R" : "",
                       watch->rights & EPT_WRITE ? "W" : "", watch->rights & EPT_EXECUTE ? "X" : "",
                       watch->stops ? "stop" : "log", (unsigned long long)watch->hits);
}

static void list(const struct monitor_call *call, bool breaks)
{
    unsigned count = 0;

    for (unsigned i = 0; i < WATCH_MAX; i++) {
        const struct watch *watch = &call->vm->watches->watches[i];

        if (!watch->used || watch->is_break != breaks)
            continue;
        print_watch(call->vm, i);
        count++;
    }
    if (count == 0)
        monitor_complain(call, "there is none");
}

/* `delete N`; N among the watches or the breakpoints. */
static void delete (const struct monitor_call *call, bool breaks)
{
    uint64_t number;

    if (call->words.count == 3 && monitor_number(call->words.word[2], &number) && number >= 1 &&
        number <= WATCH_MAX && call->vm->watches->watches[number - 1].is_break == breaks) {
        if (watch_delete(call->vm, (unsigned)number))
            return;
    }
    monitor_complain(call, "expected: delete and a number of the list");
}

static void add(const struct monitor_call *call, const struct watch *watch)
{
    const char *why;
    unsigned number;

    number = watch_add(call->vm, watch, &why);
    if (number == 0)
        monitor_complain(call, "expected: %s", why);
    else
        print_watch(call->vm, number - 1);
}

void monitor_watch(struct monitor_call *call)
{
    struct option_span action = monitor_word(call, 3);
    struct watch watch = {.stops = !option_is(action, "log")};
    uint64_t length = 1;

    if (call->words.count == 1) {
        list(call, false);
    } else if (has_ended(call)) {
        return;
    } else if (option_is(call->words.word[1], "delete")) {
        delete (call, false);
    } else if (!monitor_range(call->words.word[1], &watch.start, &length) ||
               !monitor_rights(monitor_word(call, 2), &watch.rights) || watch.rights == 0 ||
               (call->words.count == 4 && watch.stops && !option_is(action, "stop"))) {
        monitor_expected(call);
    } else if (length > WATCH_SIZE_MAX) {
        monitor_complain(call, "expected: at most %#llx bytes", (unsigned long long)WATCH_SIZE_MAX);
    } else {
        watch.last = watch.start + (length - 1);
        add(call, &watch);
    }
}

void monitor_break(struct monitor_call *call)
{
    struct watch watch = {.stops = true, .is_break = true, .rights = EPT_EXECUTE};
    struct guest_paging paging;
    struct guest_walk walk;

    if (call->words.count == 1) {
        list(call, true);
    } else if (has_ended(call)) {
        return;
    } else if (option_is(call->words.word[1], "delete")) {
        delete (call, true);
    } else if (call->words.count != 2 || !monitor_number(call->words.word[1], &watch.linear)) {
        monitor_expected(call);
    } else {
        vcpu_paging_all(call->vcpu, &paging);
        walk = guest_walk(&paging, watch.linear, GUEST_ACCESS_READ);
        if (!vcpu_linear_exists(watch.linear) || walk.status != GUEST_PAGING_OK) {
            monitor_complain(call, "expected: a linear address that the guest's paging maps now");
            return;
        }
        watch.start = watch.last = walk.gpa;
        add(call, &watch);
    }
}

void monitor_step(struct monitor_call *call)
{
    uint64_t steps = 1;

    if (has_ended(call))
        return;
    if (call->words.count == 2 &&
        (!monitor_number(call->words.word[1], &steps) || steps == 0 || steps > STEPS_MAX)) {
        monitor_complain(call, "expected: step [1 to %u]", STEPS_MAX);
        return;
    }
    if (!call->vcpu->ran) {
        monitor_complain(call, "vcpu=%u does not run: the guest has not started it", call->vcpu_index);
        return;
    }
    if (vm_is_stepping(call->vm)) {
        monitor_complain(call, "a step is under way: stop ends it");
        return;
    }
    vm_stop(call->vm);
    watch_step(call->vcpu, steps);
    monitor_wait_for_stop();
}
