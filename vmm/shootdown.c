/* SPDX-License-Identifier: MIT */
/* Cross-CPU invalidation. */
#include "vmm/shootdown.h"
#include "arch/x86/apic.h"
#include "arch/x86/invept.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "vmm/cpu.h"
#include "vmm/dirty_log.h"
#include "vmm/vm.h"

/*
 * From the interrupt to the first NMI, and from one NMI to the next. The interrupt alone is enough by the
 * manual: it stays pending until the guest is entered, and ends it whatever its RFLAGS.IF. Bochs 2.7 keeps it
 * back from a guest that was entered with IF clear; there the NMI works.
 */
#define NMI_AFTER_US 20

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

void shootdown_kick(struct vcpu *other, uint64_t *tries)
{
    struct shootdown_statistics *statistics = &other->vm->shootdown_statistics;
    uint64_t try = (*tries)++;
    uint32_t id = other->cpu->percpu->apic_id;
    bool sent = try == 0 ? apic_send_fixed(id, SHOOTDOWN_VECTOR) : apic_send_nmi(id);

    if (sent) /* else the preemption timer will do */
        count(try == 0 ? &statistics->interrupts : &statistics->nmis, 1);
}

static void wait_for(struct vcpu *other, uint64_t generation)
{
    uint64_t tries = 0, next = 0;

    while (!shootdown_passed(&other->sync, generation)) {
        uint64_t now = tsc_read();

        if (now >= next) {
            shootdown_kick(other, &tries);
            next = now + tsc_ticks(NMI_AFTER_US);
        }
        cpu_pause();
    }
}

must_check bool shootdown(struct vm *vm)
{
    const struct vcpu *self = vmm_cpu()->vcpu;
    uint64_t generation, start, ticks, longest;

    if (vm->vcpu_count == 1)
        return invalidate(vm);
    /* This CPU is outside like others that are, and invalidates before its next entry, once for all requests.
     */
    generation = shootdown_raise(&vm->sync);
    start = tsc_read();
    for (unsigned i = 0; i < vm->vcpu_count && FLUSHES; i++) {
        if (&vm->vcpus[i] != self)
            wait_for(&vm->vcpus[i], generation);
    }
    ticks = tsc_read() - start;
    longest = __atomic_load_n(&vm->shootdown_statistics.longest, __ATOMIC_RELAXED);
    if (ticks > longest) /* of two at a time the shorter may win: it is a figure, no more */
        __atomic_store_n(&vm->shootdown_statistics.longest, ticks, __ATOMIC_RELAXED);
    count(&vm->shootdown_statistics.requests, 1);
    count(&vm->shootdown_statistics.ticks, ticks);
    return true;
}

void shootdown_nudge(struct vm *vm)
{
    struct vcpu *self = vmm_cpu() != NULL ? vmm_cpu()->vcpu : NULL;
    uint64_t generation = shootdown_raise(&vm->sync);

    for (unsigned i = 0; i < vm->vcpu_count; i++) {
        uint64_t tries = 0;

        if (&vm->vcpus[i] != self && !shootdown_passed(&vm->vcpus[i].sync, generation))
            shootdown_kick(&vm->vcpus[i], &tries);
    }
}

must_check bool shootdown_catch_up(struct vcpu *vcpu)
{
    struct vm *vm = vcpu->vm;
    uint64_t generation;

    do {
        if (shootdown_paused_for_other(&vm->sync, vcpu->index)) {
            vm_dirty_leave(vcpu);
            shootdown_park(&vcpu->sync);
            do {
                while (shootdown_paused_for_other(&vm->sync, vcpu->index))
                    cpu_pause();
            } while (!shootdown_unpark(&vm->sync, &vcpu->sync, vcpu->index));
        }
        vm_dirty_join(vcpu);
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
