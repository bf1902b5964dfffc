/* SPDX-License-Identifier: MIT */
/*
 * An I/O APIC with 24 pins. Intel's data sheet "82093AA I/O Advanced Programmable Interrupt Controller"; the
 * EOI register is that of later chipsets (version 0x20).
 */
#ifndef VMM_DEVICES_IOAPIC_H
#define VMM_DEVICES_IOAPIC_H

#include "vmm/devices/device.h"
#include "vmm/devices/interrupt_message.h"

#define IOAPIC_GPA  UINT64_C(0xfec00000)
#define IOAPIC_SIZE UINT64_C(0x1000)
#define IOAPIC_PINS 24u

/*
 * The owner zeroes it and sets `deliver` and `context` once, before the first reset. deliver sends a message
 * to the local APICs (lapic_receive) and says whether one of them took it; a level-triggered one that nobody
 * took is tried again at the next write to its entry or change of its pin.
 */
struct ioapic {
    bool (*deliver)(void *context, const struct interrupt_message *message);
    void *context;
    uint8_t id, index;
    uint32_t pins; /* electrical levels, a bit each */
    uint64_t redirection[IOAPIC_PINS];
};

void ioapic_reset(struct ioapic *ioapic);
struct device_memory ioapic_memory(struct ioapic *ioapic);

/*
 * A pin, 0 to 23, and its electrical level: an entry with active-low polarity sees it inverted. The wires of
 * this machine are active high, and its ACPI tables say so. `ioapic` is a struct ioapic: the function fits
 * into a device_line.
 */
void ioapic_set_pin(void *ioapic, unsigned pin, bool level);

/* Whether the pin's entry is not masked. */
bool ioapic_pin_may_interrupt(const struct ioapic *ioapic, unsigned pin);

/* The same, and it would send an NMI. */
bool ioapic_pin_may_send_nmi(const struct ioapic *ioapic, unsigned pin);

/* The EOI message of a local APIC for a level-triggered vector. */
void ioapic_end_of_interrupt(struct ioapic *ioapic, uint8_t vector);

#endif
