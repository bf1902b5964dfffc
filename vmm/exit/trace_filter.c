/* SPDX-License-Identifier: MIT */
/* Which exits are recorded. */
#include "vmm/exit/trace_filter.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "vmm/host/cpu.h"
#include "vmm/exit/exit.h"
#include "vmm/quick/quick.h"
#include "vmm/exit/trace.h"
#include "vmm/host/machine.h"
#include "vmm/vm/vm.h"

/*
 * Of all guests. Writers hold the lock. Readers take none: the version is odd while the terms are being
 * written, and what was read is good if the version was even and is the same afterwards.
 */
static struct {
    struct spinlock lock;
    uint32_t version;
    struct trace_terms terms;
    uint32_t rate;
} filter;

static uint8_t bits_of(const struct vcpu *vcpu, unsigned reason)
{
    if (!trace_filter_has(&vcpu->trace, reason))
        return 0;
    switch (trace_terms_of(&filter.terms, reason, vcpu->cpu->percpu->index, vcpu->vm->config.name)) {
    case TERMS_NEVER:
        return 0;
    case TERMS_ALWAYS:
        return filter.rate != 0 ? EXIT_TRACED | EXIT_TRACED_IF : EXIT_TRACED;
    default:
        return EXIT_TRACED | EXIT_TRACED_IF;
    }
}

/* Under the lock. */
static void choose(struct vcpu *vcpu)
{
    for (unsigned reason = 0; reason < EXIT_TRACED_REASONS; reason++) {
        uint8_t bits = bits_of(vcpu, reason);

        __atomic_store_n(&vcpu->recorders[reason], exit_recorder_of(reason, bits == EXIT_TRACED),
                         __ATOMIC_RELAXED);
        __atomic_store_n(&vcpu->traced[reason], bits, __ATOMIC_RELAXED);
    }
    exit_quick_trace_changed(vcpu);
}

static void choose_all(void)
{
    for (unsigned i = 0; i < vmm_cpu_count(); i++)
        if (vmm_cpu_at(i) != NULL && vmm_cpu_at(i)->traced != NULL)
            choose(vmm_cpu_at(i)->traced);
}

void exit_trace_filter_setup(void)
{
    filter.terms = machine_options()->trace_terms;
    filter.rate = machine_options()->trace_rate;
}

void exit_trace_enter(struct vcpu *vcpu)
{
    spinlock_lock(&filter.lock);
    vcpu->cpu->traced = vcpu;
    choose(vcpu);
    spinlock_unlock(&filter.lock);
}

void exit_trace_leave(struct vcpu *vcpu)
{
    spinlock_lock(&filter.lock);
    vcpu->cpu->traced = NULL;
    spinlock_unlock(&filter.lock);
}

void exit_trace_set_reasons(struct vm *vm, const struct trace_filter *reasons)
{
    spinlock_lock(&filter.lock);
    for (unsigned i = 0; i < vm->vcpu_count; i++)
        vm->vcpus[i].trace = *reasons;
    choose_all();
    spinlock_unlock(&filter.lock);
}

void exit_trace_set_terms(const struct trace_terms *terms)
{
    spinlock_lock(&filter.lock);
    __atomic_store_n(&filter.version, filter.version + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    filter.terms = *terms;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&filter.version, filter.version + 1, __ATOMIC_RELAXED);
    choose_all();
    spinlock_unlock(&filter.lock);
}

void exit_trace_set_rate(uint32_t records_a_second)
{
    spinlock_lock(&filter.lock);
    __atomic_store_n(&filter.rate, records_a_second, __ATOMIC_RELAXED);
    choose_all();
    spinlock_unlock(&filter.lock);
}

static bool pass(const struct vcpu *vcpu, const struct trace_record *record)
{
    for (;;) {
        uint32_t version = __atomic_load_n(&filter.version, __ATOMIC_ACQUIRE);
        bool passes = trace_terms_pass(&filter.terms, record, vcpu->vm->config.name);

        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (version % 2 == 0 && __atomic_load_n(&filter.version, __ATOMIC_RELAXED) == version)
            return passes;
        cpu_pause();
    }
}

/* A record of what was suppressed, into the ring, which has room for it. */
static void say_suppressed(struct vmm_cpu *cpu, uint64_t tsc)
{
    struct trace_record *record = cpu->trace.next;

    *record = (struct trace_record){.tsc = tsc, .count = cpu->rate.suppressed};
    record->source.kind = TRACE_SUPPRESSED;
    record->source.cpu = (uint16_t)cpu->percpu->index;
    cpu->rate.suppressed = 0;
    trace_ring_put(&cpu->trace, record);
}

static bool ring_has_room(const struct vmm_cpu *cpu)
{
    return cpu->trace.next != &cpu->trace.scratch;
}

/* false: this second has had its records. */
static bool within_rate(struct vmm_cpu *cpu, uint64_t tsc, uint32_t rate)
{
    if (tsc - cpu->rate.second >= tsc_ticks(1000000)) {
        cpu->rate.second = tsc;
        cpu->rate.recorded = 0;
    }
    if (cpu->rate.recorded >= rate) {
        cpu->rate.suppressed++;
        return false;
    }
    cpu->rate.recorded++;
    return true;
}

bool exit_trace_wanted(struct vcpu *vcpu, struct trace_record *record)
{
    uint32_t rate = __atomic_load_n(&filter.rate, __ATOMIC_RELAXED);
    struct vmm_cpu *cpu = vcpu->cpu;
    struct trace_record copy;

    if (!pass(vcpu, record) || (rate != 0 && !within_rate(cpu, record->tsc, rate)))
        return false;
    if (cpu->rate.suppressed == 0 || !ring_has_room(cpu))
        return true;
    copy = *record;
    say_suppressed(cpu, copy.tsc);
    *cpu->trace.next = copy;
    trace_ring_put(&cpu->trace, cpu->trace.next);
    return false;
}

bool exit_trace_rate_finish(struct vmm_cpu *cpu)
{
    if (cpu->rate.suppressed == 0)
        return true;
    if (!ring_has_room(cpu) && !trace_ring_finish(&cpu->trace))
        return false;
    if (ring_has_room(cpu))
        say_suppressed(cpu, tsc_read());
    return cpu->rate.suppressed == 0;
}
