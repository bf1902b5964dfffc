/* SPDX-License-Identifier: MIT */
/*
 * IA32_APIC_BASE, IA32_TSC_DEADLINE and the x2APIC MSRs.
 * SDM vol. 3, "Extended XAPIC (x2APIC)" and "x2APIC State Transitions".
 */
#include "vmm/devices/lapic_registers.h"

/* The bits of an x2APIC register that may be written, 0 for one that may not; others are reserved. */
static uint64_t x2apic_writable(const struct lapic *lapic, unsigned number)
{
    if (number >= LAPIC_LVT && number < LAPIC_LVT + LVT_ENTRIES)
        return lapic_lvt_bits(lapic, number - LAPIC_LVT);
    switch (number) {
    case LAPIC_TPR:
    case LAPIC_SELF_IPI:
        return TPR_BITS;
    case LAPIC_SVR:
        return SVR_BITS;
    case LAPIC_ICR:
        return UINT64_C(0xffffffff00000000) | ICR_LOW_BITS;
    case LAPIC_INITIAL_COUNT:
        return UINT32_MAX;
    case LAPIC_DIVIDE:
        return DIVIDE_BITS;
    default:
        return 0;
    }
}

static bool write_x2apic(struct lapic *lapic, unsigned number, uint64_t value, uint64_t now)
{
    uint64_t writable = x2apic_writable(lapic, number);

    if ((value & ~writable) != 0 || (writable == 0 && number != LAPIC_EOI && number != LAPIC_ESR))
        return false;
    if (number == LAPIC_SELF_IPI) {
        lapic_send_self(lapic, (uint8_t)value);
        return true;
    }
    if (number == LAPIC_ICR)
        lapic->icr = value & ~UINT64_C(0xffffffff);
    return lapic_write_register(lapic, number, (uint32_t)value, now);
}

static bool read_x2apic(const struct lapic *lapic, unsigned number, uint64_t *value, uint64_t now)
{
    uint32_t low;

    switch (number) {
    case LAPIC_APR: /* of the xAPIC page alone, or write-only */
    case LAPIC_EOI:
    case LAPIC_RRD:
    case LAPIC_DFR:
    case LAPIC_ICR_HIGH:
        return false;
    case LAPIC_ICR:
        *value = lapic->icr;
        return true;
    default:
        if (!lapic_read_register(lapic, number, &low, now))
            return false;
        *value = low;
        return true;
    }
}

/* Disabling forgets everything but the wires; x2APIC mode is entered from xAPIC mode and left to disabled
 * only. */
static bool write_base(struct lapic *lapic, uint64_t value)
{
    uint64_t flags = LAPIC_BASE_BSP | LAPIC_BASE_EN | (lapic->config.x2apic ? LAPIC_BASE_EXTD : 0);
    uint64_t address = ((UINT64_C(1) << lapic->config.physical_address_bits) - 1) & ~LAPIC_BASE_FLAGS;
    bool enable = (value & LAPIC_BASE_EN) != 0, x2apic = (value & LAPIC_BASE_EXTD) != 0;

    if ((value & ~(flags | address)) != 0 || (x2apic && !enable))
        return false;
    if (lapic_is_x2apic(lapic) && enable && !x2apic)
        return false;
    if (!lapic_is_enabled(lapic) && x2apic)
        return false;
    if (x2apic && !lapic_is_x2apic(lapic))
        lapic->icr &= UINT64_C(0xffffffff);
    lapic->base = value;
    if (!enable)
        lapic_clear_registers(lapic);
    return true;
}

bool lapic_has_msr(uint32_t msr)
{
    return msr == LAPIC_MSR_BASE || msr == LAPIC_MSR_DEADLINE ||
           (msr >= LAPIC_MSR_FIRST && msr <= LAPIC_MSR_LAST);
}

bool lapic_read_msr(struct lapic *lapic, uint32_t msr, uint64_t *value, uint64_t now)
{
    if (msr == LAPIC_MSR_BASE) {
        *value = lapic->base;
        return true;
    }
    lapic_timer_advance(lapic, now);
    if (msr == LAPIC_MSR_DEADLINE) {
        *value = lapic_deadline(lapic);
        return lapic->config.tsc_deadline;
    }
    return lapic_has_msr(msr) && lapic_is_x2apic(lapic) &&
           read_x2apic(lapic, msr - LAPIC_MSR_FIRST, value, now);
}

bool lapic_write_msr(struct lapic *lapic, uint32_t msr, uint64_t value, uint64_t now)
{
    lapic_timer_advance(lapic, now);
    if (msr == LAPIC_MSR_BASE)
        return write_base(lapic, value);
    if (msr == LAPIC_MSR_DEADLINE) {
        if (lapic->config.tsc_deadline)
            lapic_set_deadline(lapic, value, now);
        return lapic->config.tsc_deadline;
    }
    return lapic_has_msr(msr) && lapic_is_x2apic(lapic) &&
           write_x2apic(lapic, msr - LAPIC_MSR_FIRST, value, now);
}
