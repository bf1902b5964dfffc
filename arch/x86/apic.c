/* SPDX-License-Identifier: MIT */
/* The local APIC: memory-mapped registers in xAPIC mode, MSRs in x2APIC mode; one register number serves
 * both. */
#include "arch/x86/apic.h"

#include <stddef.h>

#include "arch/x86/apic_quiet.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/exception.h"
#include "arch/x86/memory.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "arch/x86/port.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"

/* Register numbers: times 16 the offset in xAPIC mode, plus 0x800 the MSR in x2APIC mode. */
#define APIC_ID        0x02
#define APIC_VERSION   0x03
#define APIC_TPR       0x08
#define APIC_EOI       0x0b
#define APIC_SPURIOUS  0x0f
#define APIC_ISR       0x10 /* eight registers of 32 vectors */
#define APIC_ESR       0x28
#define APIC_LVT_CMCI  0x2f
#define APIC_ICR       0x30
#define APIC_ICR_HIGH  0x31 /* xAPIC mode only */
#define APIC_LVT_TIMER 0x32 /* then thermal, performance, LINT0, LINT1, error */

#define APIC_SOFTWARE_ENABLE (1u << 8)
#define LVT_STANDARD_COUNT   6

#define APIC_TIMER_INITIAL 0x38
#define APIC_TIMER_CURRENT 0x39
#define APIC_TIMER_DIVIDE  0x3e
#define TIMER_DIVIDE_BY_1  0xb
#define TIMER_MEASURE_US   2000

#define ICR_NMI             (4u << 8)
#define ICR_INIT            (5u << 8)
#define ICR_STARTUP         (6u << 8)
#define ICR_DELIVERY_STATUS (1u << 12)
#define ICR_ASSERT          (1u << 14)
#define ICR_POLL_BOUND      1000000

#define MSR_X2APIC_FIRST 0x800
#define VECTOR_COUNT     256

_Static_assert(VECTOR_WAKE >= OWN_VECTOR_FIRST, "the task priority holds back what is below");

#define PIC1_DATA 0x21
#define PIC2_DATA 0xa1

/* The same page on every CPU: firmware may move it, but not differently for each. */
static volatile uint32_t *registers;

static enum apic_mode read_mode(void)
{
    uint64_t base;

    if (!(cpuid(1, 0).edx & CPUID_1_EDX_APIC) || !msr_read_safe(MSR_IA32_APIC_BASE, &base) ||
        !(base & APIC_BASE_ENABLE))
        return APIC_ABSENT;
    return base & APIC_BASE_EXTD ? APIC_X2APIC : APIC_XAPIC;
}

enum apic_mode apic_mode(void)
{
    return (enum apic_mode)percpu()->apic_mode;
}

const char *apic_mode_text(enum apic_mode mode)
{
    switch (mode) {
    case APIC_ABSENT:
        return "none";
    case APIC_XAPIC:
        return "xapic";
    case APIC_X2APIC:
        return "x2apic";
    }
    return "unknown";
}

static uint32_t apic_read(enum apic_mode mode, unsigned number)
{
    if (mode == APIC_X2APIC)
        return (uint32_t)msr_read(MSR_X2APIC_FIRST + number);
    return registers[number * 4];
}

static void apic_write(enum apic_mode mode, unsigned number, uint32_t value)
{
    if (mode == APIC_X2APIC)
        msr_write(MSR_X2APIC_FIRST + number, value);
    else
        registers[number * 4] = value;
}

/* Local interrupts have no handler in the host, except NMI. */
static void mask_local_interrupts(enum apic_mode mode)
{
    unsigned last = apic_read(mode, APIC_VERSION) >> 16 & 0xff;

    for (unsigned i = 0; i < LVT_STANDARD_COUNT && i <= last; i++)
        apic_write(mode, APIC_LVT_TIMER + i, apic_lvt_quiet(apic_read(mode, APIC_LVT_TIMER + i)));
    if (last >= LVT_STANDARD_COUNT)
        apic_write(mode, APIC_LVT_CMCI, apic_lvt_quiet(apic_read(mode, APIC_LVT_CMCI)));
}

/* What was in service when the firmware was left would hold our own vectors back, if it ranks as high. */
static void end_interrupts_in_service(enum apic_mode mode)
{
    for (unsigned i = 0; i < VECTOR_COUNT; i++) {
        uint32_t in_service = 0;

        for (unsigned word = 0; word < VECTOR_COUNT / 32; word++)
            in_service |= apic_read(mode, APIC_ISR + word);
        if (in_service == 0)
            break;
        apic_write(mode, APIC_EOI, 0);
    }
}

must_check enum apic_mode apic_init_cpu(bool want_x2apic)
{
    uint64_t base;
    enum apic_mode mode;

    if (!(cpuid(1, 0).edx & CPUID_1_EDX_APIC) || !msr_read_safe(MSR_IA32_APIC_BASE, &base))
        return APIC_ABSENT;
    if (!(base & APIC_BASE_ENABLE) && !msr_write_safe(MSR_IA32_APIC_BASE, base | APIC_BASE_ENABLE))
        return APIC_ABSENT;
    base = msr_read(MSR_IA32_APIC_BASE);
    if (want_x2apic && (base & APIC_BASE_ENABLE) && !(base & APIC_BASE_EXTD) &&
        (cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC) && !msr_write_safe(MSR_IA32_APIC_BASE, base | APIC_BASE_EXTD))
        return APIC_ABSENT;

    mode = read_mode();
    if (mode == APIC_XAPIC && registers == NULL) {
        uint64_t width_mask = (UINT64_C(1) << cpuid_physical_width()) - 1;
        registers = paging_map_mmio(base & width_mask & ~(PAGE_SIZE - 1), PAGE_SIZE, PAT_UC);
        if (registers == NULL)
            return APIC_ABSENT;
    }
    if (mode == APIC_ABSENT)
        return mode;
    apic_write(mode, APIC_TPR, APIC_TPR_OWN);
    apic_write(mode, APIC_SPURIOUS, APIC_SOFTWARE_ENABLE | VECTOR_SPURIOUS);
    mask_local_interrupts(mode);
    end_interrupts_in_service(mode);
    apic_write(mode, APIC_ESR, 0);
    percpu()->apic_mode = (uint8_t)mode;
    return mode;
}

void apic_end_of_interrupt(void)
{
    enum apic_mode mode = apic_mode();

    if (mode == APIC_X2APIC || (mode == APIC_XAPIC && registers != NULL))
        apic_write(mode, APIC_EOI, 0);
}

uint32_t apic_id(void)
{
    enum apic_mode mode = apic_mode();

    if (mode == APIC_X2APIC)
        return apic_read(mode, APIC_ID);
    if (mode == APIC_XAPIC && registers != NULL)
        return apic_read(mode, APIC_ID) >> 24;
    return cpuid(1, 0).ebx >> 24;
}

static bool send(uint32_t id, uint32_t command)
{
    enum apic_mode mode = apic_mode();

    if (mode == APIC_X2APIC) {
        /* WRMSR to these registers does not wait for earlier stores. SDM vol. 3, "MSR Access in x2APIC Mode".
         */
        __asm__ volatile("mfence; lfence" : : : "memory");
        msr_write(MSR_IA32_X2APIC_ICR, (uint64_t)id << 32 | command);
        return true;
    }
    if (mode == APIC_ABSENT || registers == NULL || id > 0xff)
        return false;
    apic_write(mode, APIC_ICR_HIGH, id << 24);
    apic_write(mode, APIC_ICR, command);
    for (unsigned i = 0; i < ICR_POLL_BOUND; i++) {
        if (!(apic_read(mode, APIC_ICR) & ICR_DELIVERY_STATUS))
            return true;
        cpu_pause();
    }
    return false;
}

must_check bool apic_send_init(uint32_t id)
{
    return send(id, ICR_INIT | ICR_ASSERT);
}

must_check bool apic_send_startup(uint32_t id, uint8_t page)
{
    return send(id, ICR_STARTUP | ICR_ASSERT | page);
}

must_check bool apic_send_nmi(uint32_t id)
{
    return send(id, ICR_NMI | ICR_ASSERT);
}

must_check bool apic_send_fixed(uint32_t id, uint8_t vector)
{
    return send(id, ICR_ASSERT | vector);
}

void apic_timer_start(uint32_t ticks, uint8_t vector)
{
    enum apic_mode mode = apic_mode();

    if (mode == APIC_ABSENT || (mode == APIC_XAPIC && registers == NULL))
        return;
    apic_write(mode, APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    /* Bits 18:17 0: one-shot. SDM vol. 3, "Local Vector Table". */
    apic_write(mode, APIC_LVT_TIMER, ticks == 0 ? APIC_ENTRY_MASKED | vector : vector);
    apic_write(mode, APIC_TIMER_INITIAL, ticks);
}

static uint64_t measure_timer(void)
{
    enum apic_mode mode = apic_mode();
    uint32_t left;

    if (mode == APIC_ABSENT || (mode == APIC_XAPIC && registers == NULL))
        return 0;
    apic_write(mode, APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    apic_write(mode, APIC_LVT_TIMER, APIC_ENTRY_MASKED | VECTOR_SPURIOUS);
    apic_write(mode, APIC_TIMER_INITIAL, UINT32_MAX);
    delay_us(TIMER_MEASURE_US);
    left = apic_read(mode, APIC_TIMER_CURRENT);
    apic_write(mode, APIC_TIMER_INITIAL, 0);
    return (uint64_t)(UINT32_MAX - left) * 1000 / TIMER_MEASURE_US;
}

uint64_t apic_timer_khz(void)
{
    static uint64_t khz;
    static bool measured; /* atomic; two CPUs that measure at a time find the same */

    if (!__atomic_load_n(&measured, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&khz, measure_timer(), __ATOMIC_RELAXED);
        __atomic_store_n(&measured, true, __ATOMIC_RELEASE);
    }
    return __atomic_load_n(&khz, __ATOMIC_RELAXED);
}

void pic_mask(void)
{
    out8(PIC1_DATA, 0xff);
    out8(PIC2_DATA, 0xff);
}
