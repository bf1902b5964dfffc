/* SPDX-License-Identifier: MIT */
/* The machine's real-time clock (MC146818 at ports 0x70 and 0x71), read once in a while. */
#ifndef ARCH_X86_CMOS_CLOCK_H
#define ARCH_X86_CMOS_CLOCK_H

#include "arch/x86/compiler.h"
#include <stdbool.h>
#include <stdint.h>

struct cmos_time {
    uint16_t year; /* 2000 to 2099 */
    uint8_t month, day, hour, minute, second;
};

/* Date and time, in whatever zone the machine keeps it. false: there is no clock, or what it says is no date.
 * Any CPU. */
must_check bool cmos_clock_read(struct cmos_time *time);

#endif
