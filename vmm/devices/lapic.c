/* SPDX-License-Identifier: MIT */
/*
 * The local APIC: requests, priorities, service, and its local interrupts.
 * SDM vol. 3, "Handling Interrupts" and "Local Vector Table".
 */
#include "vmm/devices/lapic_registers.h"

#define SVR_RESET  0xffu
#define DFR_RESET  UINT32_MAX
#define LDR_FLAT_1 0x01000000u
#define NEVER      UINT64_MAX
#define CLASS      0xf0u

static bool has_bit(const uint32_t *set, unsigned vector)
{
    return (set[vector / 32] >> vector % 32 & 1) != 0;
}

static void set_bit(uint32_t *set, unsigned vector, bool value)
{
    uint32_t bit = UINT32_C(1) << vector % 32;

    set[vector / 32] = value ? set[vector / 32] | bit : set[vector / 32] & ~bit;
}

static int highest_bit(const uint32_t *set)
{
    for (int word = 7; word >= 0; word--) {
        for (int bit = 31; set[word] != 0 && bit >= 0; bit--) {
            if ((set[word] >> bit & 1) != 0)
                return word * 32 + bit;
        }
    }
    return LAPIC_NONE;
}

bool lapic_is_enabled(const struct lapic *lapic)
{
    return (lapic->base & LAPIC_BASE_EN) != 0;
}

uint32_t lapic_logical_id(const struct lapic *lapic)
{
    uint32_t id = lapic->config.id;

    return lapic_is_x2apic(lapic) ? (id >> 4) << 16 | UINT32_C(1) << (id & 15) : lapic->ldr;
}

uint8_t lapic_ppr(const struct lapic *lapic)
{
    int in_service = highest_bit(lapic->isr);
    uint32_t served = in_service == LAPIC_NONE ? 0 : (uint32_t)in_service & CLASS;

    return (uint8_t)((lapic->tpr & CLASS) >= served ? lapic->tpr : served);
}

int lapic_requested(const struct lapic *lapic)
{
    return highest_bit(lapic->irr);
}

int lapic_highest(const struct lapic *lapic)
{
    int vector = highest_bit(lapic->irr);

    if (vector == LAPIC_NONE || !lapic_is_enabled(lapic) ||
        ((uint32_t)vector & CLASS) <= (lapic_ppr(lapic) & CLASS))
        return LAPIC_NONE;
    return vector;
}

uint8_t lapic_acknowledge(struct lapic *lapic)
{
    int vector = lapic_highest(lapic);

    if (vector == LAPIC_NONE)
        return (uint8_t)lapic->svr;
    set_bit(lapic->irr, (unsigned)vector, false);
    set_bit(lapic->isr, (unsigned)vector, true);
    return (uint8_t)vector;
}

bool lapic_accept(struct lapic *lapic, uint8_t vector, bool level)
{
    if (!lapic_is_enabled(lapic) || (lapic->svr & SVR_ENABLE) == 0)
        return false;
    if (vector < FIRST_LEGAL_VECTOR) {
        lapic_error(lapic, ESR_RECEIVE_ILLEGAL);
        return false;
    }
    set_bit(lapic->irr, vector, true);
    set_bit(lapic->tmr, vector, level);
    return true;
}

/* The state is whole before the I/O APIC hears of it: it may send the next one at once. */
void lapic_eoi(struct lapic *lapic)
{
    int vector = highest_bit(lapic->isr);

    if (vector == LAPIC_NONE)
        return;
    set_bit(lapic->isr, (unsigned)vector, false);
    if (!has_bit(lapic->tmr, (unsigned)vector))
        return;
    if ((lapic->lvt[LVT_LINT0] & LVT_VECTOR) == (uint32_t)vector)
        lapic->lvt[LVT_LINT0] &= ~LVT_REMOTE_IRR;
    if (lapic->config.end_of_interrupt != NULL)
        lapic->config.end_of_interrupt(lapic->config.context, (uint8_t)vector);
    lapic_check_lint0(lapic);
}

/* An error that comes of delivering the error interrupt itself finds its bit set: this ends. */
void lapic_error(struct lapic *lapic, uint32_t bit)
{
    if ((lapic->errors & bit) != 0)
        return;
    lapic->errors |= bit;
    lapic_local_interrupt(lapic, LVT_ERROR);
}

static enum delivery_mode mode_of(uint32_t entry)
{
    return (enum delivery_mode)(entry >> LVT_MODE_SHIFT & 7);
}

void lapic_local_interrupt(struct lapic *lapic, enum lapic_lvt index)
{
    uint32_t entry = lapic->lvt[index];
    struct interrupt_message message = {.vector = (uint8_t)entry, .mode = mode_of(entry)};

    if ((entry & LVT_MASKED) != 0)
        return;
    switch (message.mode) {
    case DELIVERY_FIXED:
        (void)lapic_accept(lapic, message.vector, false);
        break;
    case DELIVERY_SMI:
    case DELIVERY_NMI:
    case DELIVERY_INIT:
        if (lapic->config.deliver != NULL)
            lapic->config.deliver(lapic->config.context, &message);
        break;
    default: /* ExtINT follows the pin's level: lapic_external() */
        break;
    }
}

/* --- The pins --- */

static bool lint_is_active(const struct lapic *lapic, unsigned pin)
{
    return lapic->lint[pin] != ((lapic->lvt[LVT_LINT0 + pin] & LAPIC_LVT_ACTIVE_LOW) != 0);
}

static bool lint0_is_level(const struct lapic *lapic)
{
    return (lapic->lvt[LVT_LINT0] & LVT_LEVEL) != 0 && mode_of(lapic->lvt[LVT_LINT0]) == DELIVERY_FIXED;
}

void lapic_check_lint0(struct lapic *lapic)
{
    uint32_t *entry = &lapic->lvt[LVT_LINT0];

    if (!lint0_is_level(lapic)) {
        *entry &= ~LVT_REMOTE_IRR;
        return;
    }
    if ((*entry & (LVT_MASKED | LVT_REMOTE_IRR)) == 0 && lint_is_active(lapic, 0) &&
        lapic_accept(lapic, (uint8_t)*entry, true))
        *entry |= LVT_REMOTE_IRR;
}

/* With the APIC disabled the pins are the processor's INTR and NMI. */
void lapic_set_lint(void *context, unsigned pin, bool level)
{
    struct lapic *lapic = context;
    static const struct interrupt_message nmi = {.mode = DELIVERY_NMI};
    bool was_active, was_high;

    if (pin > 1)
        return;
    was_high = lapic->lint[pin];
    was_active = lint_is_active(lapic, pin);
    lapic->lint[pin] = level;
    if (!lapic_is_enabled(lapic)) {
        if (pin == 1 && level && !was_high && lapic->config.deliver != NULL)
            lapic->config.deliver(lapic->config.context, &nmi);
    } else if (pin == 0 && lint0_is_level(lapic)) {
        lapic_check_lint0(lapic);
    } else if (!was_active && lint_is_active(lapic, pin)) {
        lapic_local_interrupt(lapic, pin == 0 ? LVT_LINT0 : LVT_LINT1);
    }
}

bool lapic_external(const struct lapic *lapic)
{
    if (!lapic_is_enabled(lapic))
        return lapic->lint[0];
    if (lapic->external_message)
        return true;
    for (unsigned pin = 0; pin < 2; pin++) {
        uint32_t entry = lapic->lvt[LVT_LINT0 + pin];

        if ((entry & LVT_MASKED) == 0 && mode_of(entry) == DELIVERY_EXTINT && lint_is_active(lapic, pin))
            return true;
    }
    return false;
}

void lapic_external_taken(struct lapic *lapic)
{
    lapic->external_message = false;
}

/* --- Reset --- */

void lapic_clear_registers(struct lapic *lapic)
{
    struct lapic fresh = {.config = lapic->config,
                          .base = lapic->base,
                          .lint = {lapic->lint[0], lapic->lint[1]},
                          .tsc_offset = lapic->tsc_offset,
                          .dfr = DFR_RESET,
                          .svr = SVR_RESET,
                          .expires = NEVER,
                          .deadline_tick = NEVER};

    *lapic = fresh;
    for (unsigned i = 0; i < LVT_ENTRIES; i++)
        lapic->lvt[i] = LVT_MASKED;
}

void lapic_reset(struct lapic *lapic, uint64_t now)
{
    lapic->base = LAPIC_GPA | LAPIC_BASE_EN | (lapic->config.bsp ? LAPIC_BASE_BSP : 0);
    lapic_clear_registers(lapic);
    lapic_set_tsc(lapic, 0, now);
}

void lapic_init(struct lapic *lapic)
{
    lapic_clear_registers(lapic);
}

void lapic_virtual_wire(struct lapic *lapic)
{
    lapic->svr |= SVR_ENABLE;
    lapic->ldr = LDR_FLAT_1;
    lapic->lvt[LVT_LINT0] = DELIVERY_EXTINT << LVT_MODE_SHIFT;
    lapic->lvt[LVT_LINT1] = DELIVERY_NMI << LVT_MODE_SHIFT;
}

uint8_t lapic_cr8(const struct lapic *lapic)
{
    return (uint8_t)(lapic->tpr >> 4);
}

void lapic_set_cr8(struct lapic *lapic, uint8_t value)
{
    lapic->tpr = (uint32_t)(value & 15) << 4;
}
