/* SPDX-License-Identifier: MIT */
/* The guard is found through the per-CPU data; the way back is exception_guard_call.asm. */
#include "arch/x86/exception_guard.h"

#include <stddef.h>

#include "arch/x86/control_registers.h"
#include "arch/x86/percpu.h"

/* exception_guard_call.asm */
uint64_t exception_guard_call(uint64_t *stack_pointer, void (*function)(void *argument), void *argument);
extern const char exception_guard_landing[];

must_check bool exception_guarded(void (*function)(void *argument), void *argument,
                                  struct exception_guard *guard)
{
    struct percpu *cpu = percpu();
    struct exception_guard *outer = cpu->guard;
    uint64_t cr2 = cr2_read();
    bool faulted;

    __atomic_store_n(&cpu->guard, guard, __ATOMIC_RELAXED);
    faulted = exception_guard_call(&guard->stack_pointer, function, argument) != 0;
    __atomic_store_n(&cpu->guard, outer, __ATOMIC_RELAXED);
    if (faulted)
        cr2_write(cr2);
    return !faulted;
}

static bool within(uint64_t address, uint64_t bottom, uint64_t top)
{
    return address >= bottom && address <= top;
}

static bool on_one_stack(const struct cpu_stacks *stacks, uint64_t a, uint64_t b)
{
    if (within(a, stacks->main_bottom, stacks->main_top))
        return within(b, stacks->main_bottom, stacks->main_top);
    for (unsigned i = 0; i < IST_COUNT; i++)
        if (within(a, stacks->ist_bottom[i], stacks->ist_top[i]))
            return within(b, stacks->ist_bottom[i], stacks->ist_top[i]);
    return false;
}

bool exception_guard_catch(struct exception_frame *frame)
{
    struct percpu *cpu = percpu();
    struct exception_guard *guard = cpu->guard;

    if (guard == NULL || frame->vector == VECTOR_NMI || frame->vector == VECTOR_DF ||
        frame->vector == VECTOR_MC || frame->vector >= VECTOR_FIRST_INTERRUPT)
        return false;
    /* Stacks grow down: the fault was in what the guard has called, on the guard's own stack. */
    if (frame->rsp > guard->stack_pointer || !on_one_stack(&cpu->stacks, guard->stack_pointer, frame->rsp))
        return false;
    guard->frame = *frame;
    guard->cr2 = cr2_read();
    frame->rip = (uint64_t)(uintptr_t)exception_guard_landing;
    frame->rsp = guard->stack_pointer;
    cpu->guard = NULL; /* exception_guarded() puts the outer one back */
    return true;
}
