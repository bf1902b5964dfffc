/* SPDX-License-Identifier: MIT */
/*
 * A guest's local APIC: the xAPIC page and the x2APIC MSRs, for a VM with one processor.
 * SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)".
 *
 * Not modelled: the LVT CMCI register, EOI-broadcast suppression, and arbitration; the ID cannot be written.
 * A lowest-priority IPI is sent as a fixed one.
 */
#ifndef VMM_DEVICES_LAPIC_H
#define VMM_DEVICES_LAPIC_H

#include "arch/x86/compiler.h"
#include "vmm/devices/device.h"
#include "vmm/devices/interrupt_message.h"

#define LAPIC_GPA          UINT64_C(0xfee00000) /* after a reset */
#define LAPIC_SIZE         UINT64_C(0x1000)
#define LAPIC_NONE         (-1)
#define LAPIC_MSR_BASE     0x01bu /* IA32_APIC_BASE */
#define LAPIC_MSR_DEADLINE 0x6e0u /* IA32_TSC_DEADLINE */
#define LAPIC_MSR_FIRST    0x800u
#define LAPIC_MSR_LAST     0x8ffu
#define LAPIC_BASE_BSP     (UINT64_C(1) << 8)
#define LAPIC_BASE_EXTD    (UINT64_C(1) << 10)
#define LAPIC_BASE_EN      (UINT64_C(1) << 11)

#define LAPIC_LVT_ACTIVE_LOW 0x2000u /* of a pin's entry */

enum lapic_lvt { LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_ENTRIES };

/* What the machine around it is; the owner zeroes the local APIC and sets this once, before the first reset.
 */
struct lapic_config {
    uint32_t id;       /* 8 bits in xAPIC mode */
    uint64_t timer_hz; /* of the timer before its divider; CPUID.15H:ECX says so to the guest */
    uint64_t tsc_hz;
    uint8_t physical_address_bits; /* MAXPHYADDR */
    bool bsp;
    bool x2apic;       /* CPUID.01H:ECX[21] */
    bool tsc_deadline; /* CPUID.01H:ECX[24] */

    void *context;
    /* NMI, INIT, SMI and start-up for this processor. NULL: nobody listens. */
    void (*deliver)(void *context, const struct interrupt_message *message);
    /* End of a level-triggered interrupt, for the I/O APIC (ioapic_end_of_interrupt). NULL: nobody listens.
     */
    void (*end_of_interrupt)(void *context, uint8_t vector);
};

struct lapic {
    struct lapic_config config;
    uint64_t base; /* IA32_APIC_BASE */
    uint32_t tpr, ldr, dfr, svr;
    uint32_t isr[8], tmr[8], irr[8];
    uint32_t error_status; /* ESR as it reads */
    uint32_t errors;       /* detected since ESR was last written */
    uint64_t icr;
    uint32_t lvt[LVT_ENTRIES];
    bool lint[2];          /* electrical levels */
    bool external_message; /* an ExtINT that the I/O APIC sent, until it is acknowledged */

    uint32_t divide; /* divide configuration register */
    uint32_t initial_count;
    uint64_t expires;       /* tick of timer_hz at which the count reaches zero; UINT64_MAX: stopped */
    uint64_t expired;       /* moment at which the end of a period has last interrupted; 0: none has */
    uint64_t deadline;      /* IA32_TSC_DEADLINE; 0: not armed */
    uint64_t deadline_tick; /* the same as tick of tsc_hz since time 0; UINT64_MAX: not armed */
    uint64_t tsc_offset;    /* guest's TSC = tsc_offset + ticks of tsc_hz since time 0 */
};

/* Power-up: xAPIC mode at LAPIC_GPA, software-disabled, every LVT masked, TSC 0 at `now`. The wires stay. */
void lapic_reset(struct lapic *lapic, uint64_t now);
/* The processor's INIT: as a reset, but IA32_APIC_BASE and the TSC stay. */
void lapic_init(struct lapic *lapic);
/* What a PC's firmware leaves: software-enabled, LINT0 ExtINT, LINT1 NMI. */
void lapic_virtual_wire(struct lapic *lapic);

/* --- What the guest does. --- */

/* The page where it is now; size 0 while there is none (x2APIC mode, or IA32_APIC_BASE disabled). */
struct device_memory lapic_memory(struct lapic *lapic);

/* Whether the MSR is one of the local APIC's: then only these two know it. */
bool lapic_has_msr(uint32_t msr);
/* False: the guest gets #GP(0), and nothing has changed. After a write of IA32_APIC_BASE ask lapic_memory
 * again. */
must_check bool lapic_read_msr(struct lapic *lapic, uint32_t msr, uint64_t *value, uint64_t now);
must_check bool lapic_write_msr(struct lapic *lapic, uint32_t msr, uint64_t value, uint64_t now);

/* CR8: bits 7:4 of the TPR; value 0 to 15. */
uint8_t lapic_cr8(const struct lapic *lapic);
void lapic_set_cr8(struct lapic *lapic, uint8_t value);

/* CPUID.01H:EDX[9]. */
bool lapic_is_enabled(const struct lapic *lapic);

/* The guest's TSC reads `tsc` at `now`: at its start, and after each write of IA32_TIME_STAMP_COUNTER. Guest
 * time must be the whole nanoseconds that these ticks make, rounded down, so that no deadline comes early. */
void lapic_set_tsc(struct lapic *lapic, uint64_t tsc, uint64_t now);

/* --- What reaches it. --- */

/* LINT0 (pin 0: the 8259's INTR) and LINT1 (pin 1: NMI). `lapic` is a struct lapic: fits into a device_line.
 */
void lapic_set_lint(void *lapic, unsigned pin, bool level);
/* A message from an I/O APIC. False: it is not for this APIC, or not accepted. */
bool lapic_receive(struct lapic *lapic, const struct interrupt_message *message);
/* An IRR bit for a vector that comes by no message; edge or level. False: not accepted. */
bool lapic_accept(struct lapic *lapic, uint8_t vector, bool level);

/* --- What the processor asks before an entry. --- */

/* The 8259 (pic_acknowledge) is to be asked for a vector: its INTR comes through. lapic_external_taken when
 * it was. */
bool lapic_external(const struct lapic *lapic);
void lapic_external_taken(struct lapic *lapic);
/* The vector that would be delivered now, by IRR and PPR; LAPIC_NONE. */
int lapic_highest(const struct lapic *lapic);

/* True: lapic_external() is false and lapic_highest() LAPIC_NONE, as IRR and the pins alone tell. */
static inline bool lapic_is_quiet(const struct lapic *lapic)
{
    uint64_t requests = 0;

    for (unsigned i = 0; i < 4; i++) {
        uint64_t two;

        __builtin_memcpy(&two, &lapic->irr[2 * i], sizeof(two));
        requests |= two;
    }
    return requests == 0 && !(lapic->external_message | lapic->lint[0] | lapic->lint[1]) &&
           ((lapic->lvt[LVT_LINT0] | lapic->lvt[LVT_LINT1]) & LAPIC_LVT_ACTIVE_LOW) == 0;
}

/* Takes that vector into service and returns it; without one, the spurious vector, which is not in service.
 */
uint8_t lapic_acknowledge(struct lapic *lapic);
/* The highest vector in IRR, whatever PPR says; LAPIC_NONE. With it a TPR threshold is found. */
int lapic_requested(const struct lapic *lapic);

/* Whether the timer runs and is not masked. */
bool lapic_timer_may_interrupt(const struct lapic *lapic);

/* The next moment at which the timer has something to deliver. */
struct device_timer lapic_timer(struct lapic *lapic);

#endif
