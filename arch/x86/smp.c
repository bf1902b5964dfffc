/* SPDX-License-Identifier: MIT */
/* INIT-SIPI-SIPI, and the first C code of a started CPU. */
#include "arch/x86/smp.h"

#include "arch/x86/apic.h"
#include "arch/x86/control_registers.h"
#include "arch/x86/exception.h"
#include "arch/x86/gdt.h"
#include "arch/x86/idt.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "arch/x86/pat.h"
#include "arch/x86/smp_abi.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"

/* The delays of SDM vol. 3, "MP Initialization Protocol Algorithm". */
#define INIT_TO_SIPI_US 10000
#define SIPI_TO_SIPI_US 200

extern const uint8_t ap_trampoline_start[], ap_trampoline_end[], ap_trampoline_gdt[], ap_trampoline_long[];
extern uint8_t boot_tables[];
noreturn_fn void smp_enter(struct percpu *cpu);

static uint64_t trampoline;
static noreturn_fn void (*cpu_entry)(void);

static void *word_at(unsigned offset)
{
    return (uint8_t *)phys_to_virt(trampoline) + offset;
}

static void put32(unsigned offset, uint32_t value)
{
    __atomic_store_n((uint32_t *)word_at(offset), value, __ATOMIC_RELAXED);
}

static void put64(unsigned offset, uint64_t value)
{
    __atomic_store_n((uint64_t *)word_at(offset), value, __ATOMIC_RELAXED);
}

void smp_init(uint64_t trampoline_physical)
{
    uint16_t gdt_limit = 15;
    uint32_t gdt_base = (uint32_t)(trampoline_physical + (uint64_t)(ap_trampoline_gdt - ap_trampoline_start));
    uint16_t selector = 8;

    trampoline = trampoline_physical;
    memset(word_at(0), 0, PAGE_SIZE);
    memcpy(word_at(0), ap_trampoline_start, (size_t)(ap_trampoline_end - ap_trampoline_start));
    put32(TRAMPOLINE_BOOT_CR3, (uint32_t)virt_to_phys(boot_tables));
    memcpy(word_at(TRAMPOLINE_GDTR), &gdt_limit, sizeof(gdt_limit));
    memcpy(word_at(TRAMPOLINE_GDTR + 2), &gdt_base, sizeof(gdt_base));
    put32(TRAMPOLINE_JUMP,
          (uint32_t)(trampoline_physical + (uint64_t)(ap_trampoline_long - ap_trampoline_start)));
    memcpy(word_at(TRAMPOLINE_JUMP + 4), &selector, sizeof(selector));
    put32(TRAMPOLINE_CR0, (uint32_t)HOST_CR0);
    put32(TRAMPOLINE_CR4, (uint32_t)HOST_CR4);
    put64(TRAMPOLINE_CR3, paging_root());
    put32(TRAMPOLINE_TICKET, TICKET_CLOSED);
}

static uint32_t ticket(void)
{
    return __atomic_load_n((uint32_t *)word_at(TRAMPOLINE_TICKET), __ATOMIC_ACQUIRE);
}

static bool wait_for_ticket(void)
{
    uint64_t start = tsc_read(), ticks = tsc_ticks(SMP_ANSWER_MS * 1000);

    while (ticket() == TICKET_OPEN && tsc_read() - start < ticks)
        cpu_pause();
    return ticket() == TICKET_CLAIMED;
}

static bool wait_for_ready(struct percpu *cpu)
{
    uint64_t start = tsc_read(), ticks = tsc_ticks(SMP_READY_MS * 1000);

    uint32_t starting = CPU_STARTING;

    while (percpu_state(cpu) == CPU_STARTING && tsc_read() - start < ticks)
        cpu_pause();
    /* Given up: should it get there after all, its own exchange in smp_ready() fails, and it halts. */
    (void)__atomic_compare_exchange_n(&cpu->state, &starting, CPU_STOPPED, false, __ATOMIC_ACQ_REL,
                                      __ATOMIC_ACQUIRE);
    return percpu_state(cpu) == CPU_ONLINE;
}

must_check enum smp_status smp_start(struct percpu *cpu, noreturn_fn void (*entry)(void), bool mute)
{
    uint8_t page = (uint8_t)(trampoline >> 12);
    uint32_t open = TICKET_OPEN;
    bool sent;

    cpu_entry = entry;
    percpu_set_state(cpu, CPU_STARTING);
    put32(TRAMPOLINE_APIC_ID, cpu->apic_id);
    put64(TRAMPOLINE_STACK, cpu->stacks.main_top);
    put64(TRAMPOLINE_PERCPU, (uint64_t)(uintptr_t)cpu);
    __atomic_store_n((uint32_t *)word_at(TRAMPOLINE_TICKET), TICKET_OPEN, __ATOMIC_RELEASE);

    sent = apic_send_init(cpu->apic_id);
    delay_us(INIT_TO_SIPI_US);
    if (sent && !mute) {
        sent = apic_send_startup(cpu->apic_id, page);
        delay_us(SIPI_TO_SIPI_US);
        /* A CPU that has come already would take the second one for nothing. */
        if (sent && ticket() == TICKET_OPEN)
            sent = apic_send_startup(cpu->apic_id, page);
    }
    if (sent && wait_for_ticket())
        return wait_for_ready(cpu) ? SMP_READY : SMP_NOT_READY;

    /* From here on a late CPU finds the ticket closed and halts; if it got in first, it is there after all.
     */
    if (__atomic_compare_exchange_n((uint32_t *)word_at(TRAMPOLINE_TICKET), &open, TICKET_CLOSED, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
        return sent ? SMP_NO_ANSWER : SMP_IPI_FAILED;
    return wait_for_ready(cpu) ? SMP_READY : SMP_NOT_READY;
}

/* Called by boot/ap_trampoline.asm on the CPU's main stack and the final tables. */
noreturn_fn void smp_enter(struct percpu *cpu)
{
    gdt_load(cpu);
    idt_load();
    control_registers_set();
    pat_set();
    cpu_entry();
}

must_check bool smp_ready(void)
{
    uint32_t starting = CPU_STARTING;

    return __atomic_compare_exchange_n(&percpu()->state, &starting, CPU_ONLINE, false, __ATOMIC_ACQ_REL,
                                       __ATOMIC_ACQUIRE);
}

bool smp_nmi_others(void)
{
    const struct percpu *self = percpu();
    bool all = true;

    for (uint32_t i = 0; i < percpu_count(); i++) {
        const struct percpu *other = percpu_of(i);
        if (other != self && percpu_state(other) == CPU_ONLINE && !apic_send_nmi(other->apic_id))
            all = false;
    }
    return all;
}
