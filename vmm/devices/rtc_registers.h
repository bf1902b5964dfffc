/* SPDX-License-Identifier: MIT */
/* Between the files of the real-time clock: its registers, by number, and the time in them. Others include
 * vmm/devices/rtc.h alone. */
#ifndef VMM_DEVICES_RTC_REGISTERS_H
#define VMM_DEVICES_RTC_REGISTERS_H

#include "vmm/devices/rtc.h"

#define SECOND       0x00u
#define SECOND_ALARM 0x01u
#define MINUTE       0x02u
#define MINUTE_ALARM 0x03u
#define HOUR         0x04u
#define HOUR_ALARM   0x05u
#define WEEKDAY      0x06u
#define DAY          0x07u
#define MONTH        0x08u
#define YEAR         0x09u
#define REGISTER_A   0x0au
#define REGISTER_B   0x0bu
#define REGISTER_C   0x0cu
#define REGISTER_D   0x0du
#define CENTURY      0x32u

#define A_UIP      0x80u
#define A_DIVIDER  0x70u
#define A_HELD     0x60u /* both upper bits of DV: the chain is held at zero */
#define A_RATE     0x0fu
#define A_DEFAULT  0x26u /* 32.768 kHz, 1024 Hz */
#define B_24_HOURS 0x02u
#define B_BINARY   0x04u
#define B_SQWE     0x08u
#define B_UIE      0x10u
#define B_AIE      0x20u
#define B_PIE      0x40u
#define B_SET      0x80u
#define C_UF       0x10u
#define C_AF       0x20u
#define C_PF       0x40u
#define C_IRQF     0x80u
#define D_VRT      0x80u
#define HOUR_PM    0x80u
#define DONT_CARE  0xc0u

/* --- rtc_bytes.c --- */

/* The time registers, in whatever form register B says they are in. */
struct rtc_time rtc_read_time(const struct rtc *rtc);
void rtc_write_time(struct rtc *rtc, const struct rtc_time *time);
/* Seconds, 1 to 86400, until the time is next equal to the alarm registers; 0 if it never is. */
unsigned rtc_seconds_to_alarm(const struct rtc *rtc);

/* --- rtc_cmos.c --- */

/* What `config` says besides the time. */
void rtc_fill_cmos(struct rtc *rtc, const struct rtc_config *config);

#endif
