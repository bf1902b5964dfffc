/* SPDX-License-Identifier: MIT */
/* What happens to a host exception before it becomes a report: NMIs are counted, expected faults are fixed
 * up, those of a guarded call go back to it. */
#include "arch/x86/exception.h"

#include <stddef.h>

#include "arch/x86/apic.h"
#include "arch/x86/exception_guard.h"
#include "arch/x86/percpu.h"

struct fixup {
    uint64_t faulting, landing;
};

extern const struct fixup fixup_start[], fixup_end[];

static const struct fixup *fixup_of(const struct exception_frame *frame)
{
    if (frame->vector != VECTOR_GP && frame->vector != VECTOR_UD && frame->vector != VECTOR_PF)
        return NULL;
    for (const struct fixup *entry = fixup_start; entry < fixup_end; entry++) {
        if (entry->faulting == frame->rip)
            return entry;
    }
    return NULL;
}

void exception_dispatch(struct exception_frame *frame)
{
    const struct fixup *fixup;

    if (frame->vector == VECTOR_NMI) {
        __atomic_add_fetch(&percpu()->nmi_count, 1, __ATOMIC_RELAXED);
        exception_nmi(frame);
        return;
    }
    if (frame->vector >= VECTOR_FIRST_INTERRUPT) {
        if (frame->vector != VECTOR_SPURIOUS) /* a spurious one is not in service */
            apic_end_of_interrupt();
        return;
    }
    fixup = fixup_of(frame);
    if (fixup != NULL)
        frame->rip = fixup->landing;
    else if (!exception_guard_catch(frame))
        exception_report(frame);
}

noreturn_fn void cpu_halt_forever(void)
{
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}
