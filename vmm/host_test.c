/* SPDX-License-Identifier: MIT */
/* Faults on purpose. */
#include "vmm/host_test.h"

#include <stdint.h>

#include "arch/x86/apic.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"
#include "vmm/machine.h"
#include "vmm/panic.h"

#define NMI_WAIT_US 100000
#define PENDING_VECTOR 0x40
/* Page 0 is unmapped; an offset into it is what a null pointer to a structure makes. */
#define NULL_MEMBER 0x18
/* Far more than a stack holds. */
#define RECURSION 100000u

void host_test_page_fault(volatile uint32_t *nowhere);
void host_test_undefined(void);
uint32_t host_test_recurse(uint32_t depth);

__attribute__((noinline)) void host_test_page_fault(volatile uint32_t *nowhere)
{
    *nowhere = 1;
}

__attribute__((noinline)) void host_test_undefined(void)
{
    __asm__ volatile("ud2");
}

__attribute__((noinline)) uint32_t host_test_recurse(uint32_t depth)
{
    volatile uint32_t room[64];

    room[depth % 64] = depth;
    if (depth == 0)
        return room[0];
    return host_test_recurse(depth - 1) + room[depth % 64];
}

static uint32_t nmi_count(void)
{
    return __atomic_load_n(&percpu()->nmi_count, __ATOMIC_RELAXED);
}

static void nmi_to_self(void)
{
    uint32_t before = nmi_count();
    uint64_t start = tsc_read();

    if (!apic_send_nmi(percpu()->apic_id)) {
        console_printf("adept: nmi: could not be sent\n");
        return;
    }
    while (nmi_count() == before && tsc_read() - start < tsc_ticks(NMI_WAIT_US))
        cpu_pause();
    if (nmi_count() == before)
        console_printf("adept: nmi: did not arrive\n");
    else
        console_printf("adept: nmi: survived count=%u\n", nmi_count());
}

/* An interrupt of the machine's that waits, the host never taking any, until the first guest with RFLAGS.IF set runs. */
static void interrupt_to_self(void)
{
    if (!apic_send_fixed(percpu()->apic_id, PENDING_VECTOR))
        console_printf("adept: interrupt: could not be sent\n");
}

void host_test_run(void)
{
    const struct cmdline_options *options = machine_options();
    uintptr_t nowhere = NULL_MEMBER;

    if (cmdline_has_test(options, "host-nmi"))
        nmi_to_self();
    if (cmdline_has_test(options, "guest-interrupt"))
        interrupt_to_self();
    if (cmdline_has_test(options, "host-exception"))
        host_test_page_fault((volatile uint32_t *)nowhere);
    if (cmdline_has_test(options, "host-undefined"))
        host_test_undefined();
    if (cmdline_has_test(options, "host-stack-overflow"))
        console_printf("adept: recursion came to an end: %u\n", host_test_recurse(RECURSION));
    if (cmdline_has_test(options, "host-panic"))
        panic("asked for by test=host-panic");
}
