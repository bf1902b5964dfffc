/* SPDX-License-Identifier: MIT */
/* A command that was given: from its text to its words, the vCPU that it is about, and what is wrong with it.
 */
#include "arch/x86/memory.h"
#include "vmm/monitor/command.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vcpu.h"

/* What is behind a '/' is no part of the command's name. */
must_check bool monitor_call_parse(struct monitor_call *call, struct option_span text)
{
    struct option_span name, format;

    memset(call, 0, sizeof(*call));
    monitor_split(&call->words, text);
    if (call->words.count == 0)
        return false;
    if (option_split(call->words.word[0], '/', &name, &format)) {
        call->words.word[0] = name;
        call->format = format;
    }
    return true;
}

struct vcpu *monitor_call_target(const struct monitor_call *call)
{
    struct vm *vm = call->vm;
    struct vcpu *vcpu;

    if (vm == NULL || vm_has_ended(vm) || vm->vcpus == NULL || call->vcpu_index >= vm->vcpu_count)
        return NULL;
    vcpu = &vm->vcpus[call->vcpu_index];
    return __atomic_load_n(&vcpu->attends, __ATOMIC_ACQUIRE) != 0 ? vcpu : NULL;
}

void monitor_call_unknown(struct monitor_call *call)
{
    bool several;

    (void)monitor_find(call->words.word[0], &several);
    monitor_complain(call, several ? "expected: more letters, several commands begin so"
                                   : "expected: a command (help shows them)");
}

void monitor_call_too_long(struct monitor_call *call)
{
    monitor_expected(call);
}

void monitor_call_not_running(struct monitor_call *call)
{
    if (call->vm == NULL)
        monitor_complain(call, "there is no guest");
    else if (vm_has_ended(call->vm))
        monitor_complain(call, "vm=%s has ended", call->vm->config.name);
    else if (__atomic_load_n(&call->vm->vcpus, __ATOMIC_RELAXED) == NULL)
        monitor_complain(call, "vm=%s has not begun", call->vm->config.name);
    else
        monitor_complain(call, "vm=%s vcpu=%u does not run", call->vm->config.name, call->vcpu_index);
}
