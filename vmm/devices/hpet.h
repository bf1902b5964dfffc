/* SPDX-License-Identifier: MIT */
/*
 * A high precision event timer block with three 64-bit comparators, all of them able to be periodic, counting
 * at 100 MHz. "IA-PC HPET (High Precision Event Timers) Specification" 1.0a. Interrupts as processor-bus
 * messages (FSB) are not offered.
 */
#ifndef VMM_DEVICES_HPET_H
#define VMM_DEVICES_HPET_H

#include "vmm/devices/device.h"

#define HPET_GPA     UINT64_C(0xfed00000)
#define HPET_SIZE    UINT64_C(0x400)
#define HPET_TIMERS  3u
#define HPET_TICK_NS 10u

struct hpet_comparator {
    uint64_t config;     /* the bits that can be written */
    uint64_t comparator; /* the next match */
    uint64_t period;     /* the value last written, which a periodic match adds */
    uint64_t matched;    /* moment at which a periodic match has last interrupted; 0: none has */
    bool line_level;     /* of the line that its configuration leads to */
};

/*
 * The owner zeroes it and sets the lines once, before the first reset.
 * pins: those of the I/O APIC; the pin is added to `number`.
 * legacy[0], legacy[1]: IRQ 0 and IRQ 8 in place of the PIT and the RTC, under legacy replacement.
 * legacy_replacement: high while those two are to be cut off.
 */
struct hpet {
    struct device_line pins, legacy[2], legacy_replacement;
    uint64_t config;  /* general configuration */
    uint64_t status;  /* general interrupt status */
    uint64_t counter; /* main counter, as of `counted` */
    uint64_t counted; /* nanoseconds; of a running counter the edge of one of its ticks */
    struct hpet_comparator timers[HPET_TIMERS];
};

void hpet_reset(struct hpet *hpet, uint64_t now);
struct device_memory hpet_memory(struct hpet *hpet);

/* An edge-triggered interrupt stays high until just before the next one. Matches that passed unseen are one.
 */
struct device_timer hpet_timer(struct hpet *hpet);

#endif
