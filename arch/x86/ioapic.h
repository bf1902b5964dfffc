/* SPDX-License-Identifier: MIT */
/* The machine's I/O APICs: all that is done with them is to mask their pins. 82093AA I/O APIC. */
#ifndef ARCH_X86_IOAPIC_H
#define ARCH_X86_IOAPIC_H

#include <stdint.h>

struct ioapic_pins {
    unsigned all;  /* 0: nothing answers at the address */
    unsigned open; /* that were not masked, SMI pins left out */
};

/* Masks the pins of the I/O APIC at this physical address. Boot CPU, interrupts off. */
struct ioapic_pins ioapic_mask(uint64_t physical);

/* For test=: writes the low half of a pin's redirection table entry. */
void ioapic_pin_write(uint64_t physical, unsigned pin, uint32_t low);

#endif
