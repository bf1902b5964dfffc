/* SPDX-License-Identifier: MIT */
/*
 * Messages: what the interrupt command register sends, and which of them are for this APIC. There is no other
 * one: an IPI that does not reach this processor reaches nobody. SDM vol. 3, "Issuing Interprocessor
 * Interrupts".
 */
#include "vmm/devices/lapic_registers.h"

#define ICR_LOGICAL    (UINT64_C(1) << 11)
#define ICR_ASSERT     (UINT64_C(1) << 14)
#define ICR_LEVEL      (UINT64_C(1) << 15)
#define ICR_SHORTHAND  18
#define ICR_MODE       8
#define XAPIC_EVERYONE 0xffu
#define EVERYONE       UINT32_MAX

#define DFR_MODEL_SHIFT 28
#define DFR_FLAT        0xfu
#define DFR_CLUSTER     0x0u

enum shorthand { TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS };

static bool logical_match(const struct lapic *lapic, uint32_t destination)
{
    uint32_t id = lapic_logical_id(lapic), model = lapic->dfr >> DFR_MODEL_SHIFT;

    if (lapic_is_x2apic(lapic))
        return destination >> 16 == id >> 16 && (destination & id & 0xffff) != 0;
    id >>= 24;
    if (model == DFR_CLUSTER)
        return (destination >> 4 & 0xf) == id >> 4 && (destination & id & 0xf) != 0;
    return model == DFR_FLAT && (destination & id) != 0;
}

static bool is_addressed(const struct lapic *lapic, bool logical, uint32_t destination, uint32_t everyone)
{
    if (destination == everyone)
        return true;
    return logical ? logical_match(lapic, destination) : destination == lapic->config.id;
}

/* What is accepted while the APIC is software-disabled: NMI, INIT, SMI and start-up. */
static bool take(struct lapic *lapic, const struct interrupt_message *message)
{
    bool enabled = (lapic->svr & SVR_ENABLE) != 0;

    switch (message->mode) {
    case DELIVERY_FIXED:
    case DELIVERY_LOWEST_PRIORITY:
        return lapic_accept(lapic, message->vector, message->level);
    case DELIVERY_EXTINT:
        lapic->external_message = lapic->external_message || enabled;
        return enabled;
    case DELIVERY_RESERVED:
        return false;
    default:
        if (lapic->config.deliver != NULL)
            lapic->config.deliver(lapic->config.context, message);
        return true;
    }
}

/* An I/O APIC's destination has 8 bits in both modes. */
bool lapic_receive(struct lapic *lapic, const struct interrupt_message *message)
{
    if (!lapic_is_enabled(lapic) ||
        !is_addressed(lapic, message->logical, message->destination, XAPIC_EVERYONE))
        return false;
    return take(lapic, message);
}

/* The combinations that the manual calls valid: a shorthand that includes the sender carries fixed interrupts
 * alone. */
static bool reaches_self(const struct lapic *lapic, const struct interrupt_message *message,
                         enum shorthand shorthand)
{
    switch (shorthand) {
    case TO_DESTINATION:
        return is_addressed(lapic, message->logical, message->destination,
                            lapic_is_x2apic(lapic) ? EVERYONE : XAPIC_EVERYONE);
    case TO_SELF:
    case TO_ALL:
        return message->mode == DELIVERY_FIXED;
    default:
        return false;
    }
}

void lapic_send(struct lapic *lapic)
{
    uint64_t icr = lapic->icr;
    struct interrupt_message message = {.vector = (uint8_t)icr,
                                        .mode = (enum delivery_mode)(icr >> ICR_MODE & 7),
                                        .logical = (icr & ICR_LOGICAL) != 0,
                                        .destination = (uint32_t)(icr >> (lapic_is_x2apic(lapic) ? 32 : 56))};
    bool has_vector = message.mode == DELIVERY_FIXED || message.mode == DELIVERY_LOWEST_PRIORITY;

    if (message.mode == DELIVERY_RESERVED || message.mode == DELIVERY_EXTINT)
        return;
    if (message.mode == DELIVERY_INIT && (icr & ICR_LEVEL) != 0 && (icr & ICR_ASSERT) == 0)
        return; /* INIT level de-assert: arbitration IDs alone */
    if (has_vector && message.vector < FIRST_LEGAL_VECTOR)
        lapic_error(lapic, ESR_SEND_ILLEGAL);
    if (reaches_self(lapic, &message, (enum shorthand)(icr >> ICR_SHORTHAND & 3)))
        (void)take(lapic, &message);
}

void lapic_send_self(struct lapic *lapic, uint8_t vector)
{
    if (vector < FIRST_LEGAL_VECTOR)
        lapic_error(lapic, ESR_SEND_ILLEGAL);
    (void)lapic_accept(lapic, vector, false);
}
