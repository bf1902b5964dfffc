/* SPDX-License-Identifier: MIT */
/* Dispatch of VM exits: one bounded table from reason to handler, what every exit has in common, and entries
 * that failed. */
#include "vmm/exit/exit.h"
#include "arch/x86/tsc.h"
#include "vmm/vcpu/boundary.h"
#include "vmm/exit/trace.h"
#include "vmm/host/machine.h"
#include "vmm/debug/step.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vmcs.h"
#include "vmm/host/workaround.h"

/* Of the reasons that are not here, instructions raise #UD, and all else ends the guest. */
static exit_handler *const handlers[EXIT_REASON_COUNT] = {
    [EXIT_EXCEPTION_NMI] = exit_exception,
    [EXIT_EXTERNAL_INTERRUPT] = exit_external_interrupt,
    [EXIT_TRIPLE_FAULT] = exit_triple_fault,
    [EXIT_INIT_SIGNAL] = exit_init_signal,
    [EXIT_SIPI] = exit_ignored_event,
    [EXIT_IO_SMI] = exit_ignored_event,
    [EXIT_OTHER_SMI] = exit_ignored_event,
    [EXIT_TASK_SWITCH] = exit_task_switch,
    [EXIT_INTERRUPT_WINDOW] = exit_window,
    [EXIT_NMI_WINDOW] = exit_window,
    [EXIT_CPUID] = exit_cpuid,
    [EXIT_HLT] = exit_hlt,
    [EXIT_INVD] = exit_cache_instruction,
    [EXIT_INVLPG] = exit_invlpg,
    [EXIT_RDPMC] = exit_rdpmc,
    [EXIT_RDTSC] = exit_rdtsc,
    [EXIT_VMCALL] = exit_vmcall,
    [EXIT_CR_ACCESS] = exit_cr_access,
    [EXIT_MOV_DR] = exit_mov_dr,
    [EXIT_IO] = exit_io,
    [EXIT_RDMSR] = exit_rdmsr,
    [EXIT_WRMSR] = exit_wrmsr,
    [EXIT_MONITOR_TRAP_FLAG] = exit_monitor_trap_flag,
    [EXIT_PAUSE] = exit_pause,
    [EXIT_EPT_VIOLATION] = exit_ept_violation,
    [EXIT_EPT_MISCONFIG] = exit_ept_misconfig,
    [EXIT_RDTSCP] = exit_rdtsc,
    [EXIT_INVPCID] = exit_invpcid,
    [EXIT_PREEMPTION_TIMER] = exit_preemption_timer,
    [EXIT_PML_FULL] = exit_pml_full,
    [EXIT_WBINVD] = exit_cache_instruction,
    [EXIT_XSETBV] = exit_xsetbv,
    [EXIT_BUS_LOCK] = exit_bus_lock,
    [EXIT_WRMSRNS_IMMEDIATE] = exit_wrmsrns,
};

enum exit_action exit_unexpected(struct vcpu *vcpu)
{
    vm_end(vcpu->vm, VM_FAILED, "unexpected exit reason %s(%u): %s", exit_reason_name(vcpu->exit_reason),
           vcpu->exit_reason, exit_reason_text(vcpu->exit_reason));
    vcpu->result.code = RESULT_ENDED;
    return EXIT_ACTION_STOP;
}

/*
 * VMX, SMX, SGX, MONITOR and others that the guest's CPUID hides, and what a later processor has that is not
 * known here: to the guest they are undefined. Out of line: hardly any guest executes one.
 */
static __attribute__((noinline)) enum exit_action exit_without_handler(struct vcpu *vcpu)
{
    if (exit_reason_kind(vcpu->exit_reason) == EXIT_KIND_INSTRUCTION &&
        !cmdline_has_test(machine_options(), "unhandled-exit"))
        return exit_inject_ud(vcpu);
    return exit_unexpected(vcpu);
}

/* Outside of 64-bit code RIP has 32 bits. */
static uint64_t wrapped(uint64_t rip)
{
    bool code64 = (vmcs_read(VMCS_ENTRY_CONTROLS) & VMX_IA32E_MODE_GUEST) &&
                  (vmcs_read(VMCS_GUEST_CS_ACCESS_RIGHTS) & CODE_SEGMENT_L);

    return code64 ? rip : (uint32_t)rip;
}

/*
 * An instruction has been done in the guest's stead. Unless the guest single-steps or uses breakpoints,
 * blocking by STI or MOV SS is left as it is; interrupts_deliver() knows by `advanced` that it is over.
 */
static inline __attribute__((always_inline)) void go_on_at(struct vcpu *vcpu, uint64_t rip, uint64_t rflags)
{
    vcpu->interrupts.advanced = true;
    shootdown_got_on(&vcpu->sync);
    vmcs_write(VMCS_GUEST_RIP, rip);
    if (unlikely(boundary_stops(vcpu, rflags)))
        boundary_end(vcpu, rflags);
}

/* Out of line: every way through the dispatch has this, and hardly any guest needs it. */
static __attribute__((noinline)) void go_on_across(struct vcpu *vcpu, uint64_t rip, uint64_t rflags)
{
    go_on_at(vcpu, wrapped(rip), rflags);
}

/* Moves RIP behind the instruction that exited. */
static inline __attribute__((always_inline)) void advance(struct vcpu *vcpu)
{
    uint64_t old, length, rflags, rip;

    vmcs_read_three(VMCS_GUEST_RIP, &old, VMCS_EXIT_INSTRUCTION_LENGTH, &length, VMCS_GUEST_RFLAGS, &rflags);
    rip = old + length;
    if (unlikely((rip ^ old) >> 32))
        go_on_across(vcpu, rip, rflags);
    else
        go_on_at(vcpu, rip, rflags);
}

void exit_advance_to(struct vcpu *vcpu, uint64_t rip, uint64_t rflags)
{
    go_on_at(vcpu, rip, rflags);
}

enum exit_action exit_again(struct vcpu *vcpu)
{
    uint64_t state = vmcs_read(VMCS_GUEST_INTERRUPTIBILITY_STATE);

    boundary_again();
    /* One instruction is blocked by STI, and a part of this one has been done: interrupts do not wait for the
     * others. */
    if (state & INTERRUPTIBILITY_STI)
        vmcs_write(VMCS_GUEST_INTERRUPTIBILITY_STATE, state & ~(uint64_t)INTERRUPTIBILITY_STI);
    vcpu->result.code = RESULT_UNFINISHED;
    return vm_has_ended(vcpu->vm) ? EXIT_ACTION_STOP : EXIT_ACTION_RESUME;
}

static enum exit_action entry_failure_exit(struct vcpu *vcpu, uint32_t reason)
{
    if ((reason & EXIT_REASON_BASIC_MASK) == EXIT_ENTRY_MACHINE_CHECK)
        __asm__ volatile("int $18" : : : "memory"); /* the host's handler prints the banks and decides */
    vcpu->entry_failed = true;
    vm_end(vcpu->vm, VM_FAILED, "VM entry failed: %s(%u) qualification=%#llx",
           exit_reason_name(reason & EXIT_REASON_BASIC_MASK), reason & EXIT_REASON_BASIC_MASK,
           (unsigned long long)vmcs_read(VMCS_EXIT_QUALIFICATION));
    vcpu->result.code = RESULT_ENDED;
    return EXIT_ACTION_STOP;
}

must_check enum exit_action exit_entry_failed(struct vcpu *vcpu, uint64_t outcome)
{
    uint64_t error;

    if (outcome == VMX_ENTER_FAIL_INVALID) {
        vm_end(vcpu->vm, VM_FAILED, "VM entry failed: VMfailInvalid: no current VMCS");
        return EXIT_ACTION_STOP;
    }
    vcpu->entry_failed = true;
    error = vmcs_read(VMCS_VM_INSTRUCTION_ERROR);
    vcpu->entry_error = (uint32_t)error;
    vm_end(vcpu->vm, VM_FAILED, "VM entry failed: error %u: %s", (unsigned)error, vmx_error_text(error));
    return EXIT_ACTION_STOP;
}

static inline __attribute__((always_inline)) enum exit_action handle(struct vcpu *vcpu, uint32_t reason)
{
    exit_handler *handler = handlers[reason];
    enum exit_action action;

    if (unlikely(vcpu->step.active) && reason != EXIT_EPT_VIOLATION && reason != EXIT_EXCEPTION_NMI &&
        reason != EXIT_MONITOR_TRAP_FLAG)
        step_finish(vcpu);
    action = likely(handler != NULL) ? handler(vcpu) : exit_without_handler(vcpu);
    if (action == EXIT_ACTION_ADVANCE)
        advance(vcpu);
    return action;
}

/* The exit is over: vcpu->exit_end gets the TSC, *ticks what it took. */
static inline __attribute__((always_inline)) void end_exit(struct vcpu *vcpu, uint64_t *ticks)
{
    vcpu->exit_end = tsc_read();
    *ticks = vcpu->exit_end - vcpu->quick.start;
    vcpu->subject->ticks += *ticks;
}

/* An exit whose EXIT_REASON field is no index into the table: an entry that failed late, a bus lock beside
 * another reason, a reason that the manual does not have. */
static __attribute__((noinline)) enum exit_action handle_beyond(struct vcpu *vcpu, uint64_t *ticks)
{
    uint32_t field = vcpu->quick.reason;
    enum exit_action action;

    if (field & EXIT_REASON_AND_BUS_LOCK)
        vcpu->bus_lock_count++;
    if (field & EXIT_REASON_ENTRY_FAILURE)
        action = entry_failure_exit(vcpu, field);
    else if (vcpu->exit_reason < EXIT_REASON_COUNT)
        action = handle(vcpu, vcpu->exit_reason);
    else
        action = exit_unexpected(vcpu);
    end_exit(vcpu, ticks);
    if (vcpu->exit_reason < EXIT_REASON_COUNT)
        exit_statistics_add(&vcpu->statistics[vcpu->exit_reason], *ticks);
    return action;
}

/*
 * The exit, and its statistics. Inline: no way through the dispatch pays for another. What it needs behind
 * the handler it reads again from the vCPU, so that the usual way saves few registers.
 */
static inline __attribute__((always_inline)) enum exit_action
handle_and_count(struct vcpu *vcpu, uint32_t reason, uint64_t *ticks)
{
    enum exit_action action;

    vcpu->result = (struct trace_result){.code = RESULT_EMULATED};
    vcpu->subject = &vcpu->no_subject;
    if (unlikely(reason >= EXIT_REASON_COUNT))
        return handle_beyond(vcpu, ticks);
    action = handle(vcpu, reason);
    end_exit(vcpu, ticks);
    if (!__builtin_constant_p(reason))
        reason = vcpu->quick.reason;
    exit_statistics_add(&vcpu->statistics[reason], *ticks);
    return action;
}

static __attribute__((noinline)) enum exit_action dispatch_untraced(struct vcpu *vcpu)
{
    uint64_t ticks;

    return handle_and_count(vcpu, vcpu->quick.reason, &ticks);
}

/* Any reason, and the record goes where its filter says. */
static inline __attribute__((always_inline)) uint32_t dispatch_any(struct vcpu *vcpu, bool spare_cs)
{
    struct trace_record *record;
    enum exit_action action;
    uint64_t ticks;

    exit_trace_begin(vcpu, vcpu->exit_reason, spare_cs);
    action = handle_and_count(vcpu, vcpu->quick.reason, &ticks);
    record = vcpu->ring->next;
    exit_trace_end(vcpu, record->reason, record, ticks);
    if (!(vcpu->traced[(uint8_t)record->reason] & EXIT_TRACED_IF) || exit_trace_wanted(vcpu, record))
        trace_ring_put(vcpu->ring, record);
    return action;
}

static __attribute__((noinline)) uint32_t dispatch_traced(struct vcpu *vcpu)
{
    return dispatch_any(vcpu, false);
}

static __attribute__((noinline)) uint32_t dispatch_sparing(struct vcpu *vcpu)
{
    return dispatch_any(vcpu, true);
}

/* The same with a reason that the compiler knows, of which every exit is recorded. */
static inline __attribute__((always_inline)) enum exit_action dispatch_recorded(struct vcpu *vcpu,
                                                                                enum exit_reason reason)
{
    struct trace_record *record;
    enum exit_action action;
    uint64_t ticks;

    exit_trace_begin(vcpu, reason, false);
    action = handle_and_count(vcpu, reason, &ticks);
    record = vcpu->ring->next;
    exit_trace_end(vcpu, reason, record, ticks);
    exit_trace_put(vcpu->ring, reason, record);
    return action;
}

/* The usual ones: each has a way of its own, so that its record costs little. */
#define RECORDED_REASONS                                                                                     \
    RECORDED(EXIT_CPUID)                                                                                     \
    RECORDED(EXIT_VMCALL)                                                                                    \
    RECORDED(EXIT_CR_ACCESS)                                                                                 \
    RECORDED(EXIT_IO)                                                                                        \
    RECORDED(EXIT_RDMSR)                                                                                     \
    RECORDED(EXIT_WRMSR)                                                                                     \
    RECORDED(EXIT_EPT_VIOLATION)

#define RECORDED(name)                                                                                       \
    static uint32_t recorded_##name(struct vcpu *vcpu)                                                       \
    {                                                                                                        \
        return likely(vcpu->quick.reason == name) ? dispatch_recorded(vcpu, name) : dispatch_traced(vcpu);   \
    }
RECORDED_REASONS
#undef RECORDED

exit_recorder *exit_recorder_of(unsigned reason, bool every)
{
    if (workaround_active(WORKAROUND_SPARE_CS))
        return dispatch_sparing;
    switch (every ? reason : EXIT_REASON_COUNT) {
#define RECORDED(name)                                                                                       \
    case name:                                                                                               \
        return recorded_##name;
        RECORDED_REASONS
#undef RECORDED
    default:
        return dispatch_traced;
    }
}

must_check enum exit_action exit_dispatch(struct vcpu *vcpu)
{
    vcpu->exit_reason = vcpu->quick.reason & EXIT_REASON_BASIC_MASK;
    vcpu->exit_count++;
#ifndef TEST_NO_TRACE /* leaves the trace out, so that a test can show what it costs when it is off */
    /* The low byte by itself, else the compiler makes it from the whole. What is beyond ends the guest,
     * traced or not. */
    uint8_t low = __atomic_load_n((const uint8_t *)&vcpu->quick.reason, __ATOMIC_RELAXED);

    if (unlikely(vcpu->traced[low] != 0))
        return (enum exit_action)vcpu->recorders[low](vcpu);
#endif
    return dispatch_untraced(vcpu);
}
