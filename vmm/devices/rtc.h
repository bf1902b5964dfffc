/* SPDX-License-Identifier: MIT */
/*
 * The MC146818 real-time clock of a PC with 128 bytes of CMOS memory, at 0x70 and 0x71, IRQ 8. Motorola's
 * data sheet "MC146818A Real-Time Clock Plus RAM". Not modelled: daylight saving (DSE keeps its value, as in
 * later chipsets), the square wave output, other time bases than 32.768 kHz.
 */
#ifndef VMM_DEVICES_RTC_H
#define VMM_DEVICES_RTC_H

#include "vmm/devices/device.h"
#include "vmm/devices/rtc_time.h"

#define RTC_PORT_RANGES 1u
#define RTC_CMOS_BYTES  128u

/* What a PC's firmware writes into the CMOS memory. */
struct rtc_config {
    struct rtc_time time;       /* at the reset; the weekday is computed */
    uint64_t memory_below_4g;   /* address at which RAM below 4 GiB ends */
    uint64_t memory_above_4g;   /* bytes of RAM from 4 GiB on */
    uint8_t floppy_types;       /* 0x10: drive A in bits 7:4, B in 3:0; 4 is 1.44M */
    uint8_t disk_types;         /* 0x12: drive C in bits 7:4, D in 3:0; 15 is "see 0x19, 0x1a" */
    uint8_t disk_types_more[2]; /* 0x19, 0x1a */
    uint8_t equipment;          /* 0x14, the low byte of INT 11's word */
};

/* The owner zeroes it and sets `irq` once, before the first reset: high while register C has IRQF. */
struct rtc {
    struct device_line irq;
    bool irq_level;
    uint8_t index;                /* 0x70: the byte that 0x71 reaches */
    bool nmi_masked;              /* bit 7 of 0x70 */
    uint8_t cmos[RTC_CMOS_BYTES]; /* time and alarm as the guest sees them; not registers A to D */
    uint8_t a, b, c;              /* the registers, A without UIP */
    uint64_t divider_start;       /* the moment at which the divider chain was at zero */
    uint64_t divider_offset;      /* nanoseconds that the first second was shorter by */
    uint64_t seconds_done;        /* of the divider chain, accounted for in the time */
    uint64_t periods_done;        /* of the periodic rate, accounted for in `c` */
};

/* Power-up with a battery that has kept the time: 24 hours, BCD, 1024 Hz, no interrupts. */
void rtc_reset(struct rtc *rtc, const struct rtc_config *config, uint64_t now);

/* The RESET pin, when the machine restarts: time, memory and rate stay, interrupts are off. */
void rtc_restart(struct rtc *rtc);

/* Fills in 0x70-0x71. */
void rtc_ports(struct rtc *rtc, struct device_ports ports[RTC_PORT_RANGES]);

/* The next interrupt that is enabled and not yet shown. Periods that passed unseen are one interrupt. */
struct device_timer rtc_timer(struct rtc *rtc);

/*
 * Any byte of the CMOS memory from 0x0e on but 0x32, as firmware sets it; the checksum of 0x10..0x2d at 0x2e
 * and 0x2f is brought up to date. False: not such a byte.
 */
bool rtc_set_cmos(struct rtc *rtc, uint8_t index, uint8_t value);

#endif
