/* SPDX-License-Identifier: MIT */
/* Cross-CPU invalidation. */
#include "vmm/vm/shootdown.h"
#include "arch/x86/apic.h"
#include "arch/x86/apic_quiet.h"
#include "arch/x86/invept.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "vmm/host/cpu.h"
#include "vmm/vm/dirty_log.h"
#include "vmm/vm/vm.h"
#include "vmm/vcpu/vcpu.h"

_Static_assert(SHOOTDOWN_VECTOR >= OWN_VECTOR_FIRST, "the task priority holds back what is below");

/*
 * From the interrupt to the first NMI, and from one NMI to the next. The interrupt alone is enough by the
 * manual: it stays pending until the guest is entered, and ends it whatever its RFLAGS.IF. Bochs 2.7 keeps it
 * back from a guest that was entered with IF clear; there the NMI works.
 */
#define NMI_AFTER_US 20

/*
 * What a vCPU that a pause has held up is owed in the guest before the next one, at a stretch: enough for an
 * instruction, whatever the kick that comes right at the entry leaves of it, and a quick exit in front of it
 * (vmm/quick/quick.h), which counts as in the guest. One that comes out again and again for faults is waited
 * for so many times as long, no longer.
 */
#define OWED_US    10
#define OWED_TICKS 2000 /* where a microsecond has few, as in an emulator */
#define OWED_TIMES 16

/*
 * -DTEST_NO_FLUSH leaves out every INVEPT and every kick that a change asks for, so that a test can show what
 * they are there for. Never in a hypervisor that shall work.
 */
#ifdef TEST_NO_FLUSH
#define FLUSHES false
#else
#define FLUSHES true
#endif

static bool invalidate(const struct vm *vm)
{
    return !FLUSHES || invept_context(vmx_shared_capabilities()->ept_vpid, vm->eptp) == VMX_OK;
}

static void count(uint64_t *counter, uint64_t amount)
{
    (void)__atomic_add_fetch(counter, amount, __ATOMIC_RELAXED);
}

void shootdown_kick(struct vcpu *other, bool by_nmi)
{
    struct shootdown_statistics *statistics = &other->vm->shootdown_statistics;
    uint32_t id = other->cpu->percpu->apic_id;

    __atomic_store_n(&other->quick.kicked, true, __ATOMIC_RELAXED);
    if (by_nmi ? apic_send_nmi(id)
               : apic_send_fixed(id, SHOOTDOWN_VECTOR)) /* else the preemption timer will do */
        count(by_nmi ? &statistics->nmis : &statistics->interrupts, 1);
}

/* What is waited for: PARKED, or at least that nothing older than the generation can be used. */
static bool has_come(const struct vcpu *other, bool parked, uint64_t generation)
{
    return parked ? shootdown_is_parked(&other->sync) : shootdown_passed(&other->sync, generation);
}

/* One look at all others; those in the guest that have not come yet are kicked if told. true: all have come.
 */
static bool look(struct vm *vm, const struct vcpu *self, bool parked, uint64_t generation, bool kicks,
                 bool by_nmi)
{
    bool all = true;

    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        struct vcpu *other = &vm->vcpus[i];

        if (other == self || has_come(other, parked, generation))
            continue;
        all = false;
        /* One in the host comes by itself: it finds the new generation before its next entry. */
        if (kicks && !shootdown_passed(&other->sync, generation))
            shootdown_kick(other, by_nmi);
    }
    return all;
}

static void wait_for_others(struct vm *vm, const struct vcpu *self, bool parked, uint64_t generation)
{
    bool all = look(vm, self, parked, generation, true, false);
    uint64_t next = all ? 0 : tsc_read() + tsc_ticks(NMI_AFTER_US);

    while (!all) {
        uint64_t now = tsc_read();

        cpu_pause();
        all = look(vm, self, parked, generation, now >= next, true);
        if (now >= next)
            next = now + tsc_ticks(NMI_AFTER_US);
    }
}

static void add_ticks(struct shootdown_statistics *statistics, uint64_t ticks)
{
    uint64_t longest = __atomic_load_n(&statistics->longest, __ATOMIC_RELAXED);

    if (ticks > longest) /* of two at a time the shorter may win: it is a figure, no more */
        __atomic_store_n(&statistics->longest, ticks, __ATOMIC_RELAXED);
    count(&statistics->requests, 1);
    count(&statistics->ticks, ticks);
}

must_check bool shootdown(struct vm *vm)
{
    const struct vcpu *self = vmm_cpu()->vcpu;
    uint64_t generation, start;

    if (vm->vcpu_count == 1)
        return invalidate(vm);
    /* This CPU is outside like others that are, and invalidates before its next entry, once for all requests.
     */
    start = tsc_read();
    generation = shootdown_raise(&vm->sync);
    if (FLUSHES)
        wait_for_others(vm, self, false, generation);
    add_ticks(&vm->shootdown_statistics, tsc_read() - start);
    return true;
}

void shootdown_nudge(struct vm *vm)
{
    (void)look(vm, vmm_cpu()->vcpu, false, shootdown_raise(&vm->sync), true, false);
}

void shootdown_wait_parked(struct vm *vm)
{
    wait_for_others(vm, vmm_cpu()->vcpu, true, shootdown_raise(&vm->sync));
}

void shootdown_wait_owed(struct vm *vm)
{
    const struct vcpu *self = vmm_cpu()->vcpu;
    uint64_t moment = tsc_ticks(OWED_US) > OWED_TICKS ? tsc_ticks(OWED_US) : OWED_TICKS;
    uint64_t inside = tsc_read(), limit = inside + OWED_TIMES * moment;

    for (;;) {
        bool any = false, outside = false;
        uint64_t now;

        for (unsigned i = 0; i < vm->vcpu_count; i++) {
            bool in_guest;

            if (&vm->vcpus[i] == self || !shootdown_is_owed(&vm->vcpus[i].sync, &in_guest))
                continue;
            any = true;
            outside |= !in_guest;
        }
        now = tsc_read();
        if (outside)
            inside = now;
        if (!any || now - inside >= moment || now >= limit)
            return;
        cpu_pause();
    }
}

void shootdown_step_aside(struct vcpu *vcpu)
{
    vm_dirty_leave(vcpu);
    shootdown_park(&vcpu->sync);
}

void shootdown_come_back(struct vcpu *vcpu)
{
    do {
        while (shootdown_paused_for_other(&vcpu->vm->sync, vcpu->index)) {
            shootdown_hold_up(&vcpu->sync);
            cpu_pause();
        }
    } while (!shootdown_unpark(&vcpu->vm->sync, &vcpu->sync, vcpu->index));
    vm_dirty_join(vcpu);
}

must_check bool shootdown_catch_up(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    uint64_t generation;

    do {
        if (shootdown_paused_for_other(&vm->sync, vcpu->index)) {
            shootdown_step_aside(vcpu);
            shootdown_come_back(vcpu);
        } else {
            vm_dirty_join(vcpu);
        }
        /* Read before the pause is looked for again: a pause from here on raises it, and is found at the
         * entry. */
        generation = shootdown_generation(&vm->sync);
        if (shootdown_paused_for_other(&vm->sync, vcpu->index))
            continue;
        if (vm_has_ended(vm))
            return false;
        if (!invalidate(vm)) {
            vm_end(vm, VM_FAILED, "INVEPT fails before an entry");
            return false;
        }
        count(&vm->shootdown_statistics.invalidations, 1);
        vcpu->caught_up++;
        shootdown_seen(&vcpu->sync, generation);
    } while (!shootdown_enter(&vm->sync, &vcpu->sync));
    return true;
}
