/* SPDX-License-Identifier: MIT */
/*
 * What an I/O APIC or an interrupt command register sends to local APICs.
 * SDM vol. 3, "Advanced Programmable Interrupt Controller (APIC)".
 */
#ifndef VMM_DEVICES_INTERRUPT_MESSAGE_H
#define VMM_DEVICES_INTERRUPT_MESSAGE_H

#include <stdbool.h>
#include <stdint.h>

/* The encodings of the delivery-mode field, of the LVT, the ICR and the redirection entries alike. */
enum delivery_mode {
    DELIVERY_FIXED = 0,
    DELIVERY_LOWEST_PRIORITY = 1,
    DELIVERY_SMI = 2,
    DELIVERY_RESERVED = 3,
    DELIVERY_NMI = 4,
    DELIVERY_INIT = 5,
    DELIVERY_STARTUP = 6, /* ICR only */
    DELIVERY_EXTINT = 7,  /* not in the ICR */
};

struct interrupt_message {
    uint8_t vector; /* of a start-up IPI: the page */
    enum delivery_mode mode;
    bool level;           /* trigger mode */
    bool logical;         /* destination mode */
    uint32_t destination; /* 8 bits from an I/O APIC and in xAPIC mode, 32 in x2APIC mode */
};

#endif
