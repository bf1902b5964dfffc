/* SPDX-License-Identifier: MIT */
/*
 * Between the files of the local APIC: its registers' bits, and what one part needs of another. Others
 * include vmm/devices/lapic.h alone.
 */
#ifndef VMM_DEVICES_LAPIC_REGISTERS_H
#define VMM_DEVICES_LAPIC_REGISTERS_H

#include "vmm/devices/lapic.h"

/* Registers by number: offset in the xAPIC page / 16, x2APIC MSR - 0x800. */
#define LAPIC_ID            0x02u
#define LAPIC_VERSION       0x03u
#define LAPIC_TPR           0x08u
#define LAPIC_APR           0x09u
#define LAPIC_PPR           0x0au
#define LAPIC_EOI           0x0bu
#define LAPIC_RRD           0x0cu
#define LAPIC_LDR           0x0du
#define LAPIC_DFR           0x0eu
#define LAPIC_SVR           0x0fu
#define LAPIC_ISR           0x10u /* 8 registers, as TMR and IRR */
#define LAPIC_TMR           0x18u
#define LAPIC_IRR           0x20u
#define LAPIC_ESR           0x28u
#define LAPIC_ICR           0x30u
#define LAPIC_ICR_HIGH      0x31u
#define LAPIC_LVT           0x32u /* in the order of enum lapic_lvt */
#define LAPIC_INITIAL_COUNT 0x38u
#define LAPIC_CURRENT_COUNT 0x39u
#define LAPIC_DIVIDE        0x3eu
#define LAPIC_SELF_IPI      0x3fu

#define LAPIC_BASE_FLAGS    UINT64_C(0xfff) /* below the address in IA32_APIC_BASE */
#define TPR_BITS            0xffu
#define DIVIDE_BITS         0x0bu
#define ICR_STATUS          0x1000u /* delivery status: ignored when it is written, in both modes */
#define ICR_LOW_BITS        0x000cdfffu
#define SVR_ENABLE          0x100u
#define SVR_BITS            0x1ffu
#define ESR_SEND_ILLEGAL    0x20u
#define ESR_RECEIVE_ILLEGAL 0x40u
#define ESR_REGISTER        0x80u
#define FIRST_LEGAL_VECTOR  16u

#define LVT_VECTOR         0xffu
#define LVT_MODE_SHIFT     8
#define LVT_STATUS         0x1000u
#define LVT_REMOTE_IRR     0x4000u
#define LVT_LEVEL          0x8000u
#define LVT_MASKED         0x10000u
#define LVT_TIMER_SHIFT    17
#define LVT_TIMER_ONE_SHOT 0u
#define LVT_TIMER_PERIODIC 1u
#define LVT_TIMER_DEADLINE 2u

static inline bool lapic_is_x2apic(const struct lapic *lapic)
{
    return (lapic->base & LAPIC_BASE_EN) != 0 && (lapic->base & LAPIC_BASE_EXTD) != 0;
}

/* --- lapic.c --- */

/* All registers as after power-up, without IA32_APIC_BASE and the TSC. */
void lapic_clear_registers(struct lapic *lapic);
/* An interrupt of the local vector table: delivered as its entry says, unless that is masked. */
void lapic_local_interrupt(struct lapic *lapic, enum lapic_lvt entry);
/* Records an error; a bit that was clear requests the LVT's error interrupt. */
void lapic_error(struct lapic *lapic, uint32_t bit);
/* Level-triggered LINT0: requested while it is active. After every change of its entry. */
void lapic_check_lint0(struct lapic *lapic);
uint8_t lapic_ppr(const struct lapic *lapic);
void lapic_eoi(struct lapic *lapic);
uint32_t lapic_logical_id(const struct lapic *lapic);

/* --- lapic_registers.c --- */

/* False: there is no such register. A write to a read-only one does nothing. */
bool lapic_read_register(const struct lapic *lapic, unsigned number, uint32_t *value, uint64_t now);
bool lapic_write_register(struct lapic *lapic, unsigned number, uint32_t value, uint64_t now);
/* The bits of an LVT entry that exist; delivery status and remote IRR are among them, but read-only. */
uint32_t lapic_lvt_bits(const struct lapic *lapic, unsigned entry);

/* --- lapic_ipi.c --- */

/* Sends what the ICR holds. */
void lapic_send(struct lapic *lapic);
void lapic_send_self(struct lapic *lapic, uint8_t vector);

/* --- lapic_timer.c --- */

/* What is due by `now`; before every access to a register. */
void lapic_timer_advance(struct lapic *lapic, uint64_t now);
uint32_t lapic_current_count(const struct lapic *lapic, uint64_t now);
void lapic_set_initial_count(struct lapic *lapic, uint32_t count, uint64_t now);
void lapic_set_divide(struct lapic *lapic, uint32_t value, uint64_t now);
/* The LVT timer entry was `old`: to and from the TSC-deadline mode the timer is disarmed. */
void lapic_timer_mode_changed(struct lapic *lapic, uint32_t old);
uint64_t lapic_deadline(const struct lapic *lapic);
void lapic_set_deadline(struct lapic *lapic, uint64_t deadline, uint64_t now);

#endif
