/* SPDX-License-Identifier: MIT */
/* The machine's real-time clock. */
#include "arch/x86/cmos_clock.h"
#include "arch/x86/port.h"
#include "arch/x86/spinlock.h"

#define PORT_INDEX 0x70
#define PORT_DATA  0x71

#define REGISTERS  10 /* seconds 0, minutes 2, hours 4, day 7, month 8, year 9 */
#define REGISTER_A 0x0a
#define REGISTER_B 0x0b

#define A_UPDATE   0x80
#define B_24_HOURS 0x02
#define B_BINARY   0x04
#define HOUR_PM    0x80

/* An update takes 2 ms, a read of a register about 1 us. */
#define TRIES_MAX 10000

static struct spinlock lock; /* index and data are two accesses */

static uint8_t read_register(uint8_t index)
{
    out8(PORT_INDEX, index);
    return in8(PORT_DATA);
}

static void read_all(uint8_t registers[REGISTERS])
{
    for (unsigned i = 0; i < REGISTERS; i++)
        registers[i] = read_register((uint8_t)i);
}

static unsigned number(uint8_t value, uint8_t register_b)
{
    return register_b & B_BINARY ? value : (value >> 4) * 10u + (value & 0xf);
}

static unsigned hour_of_day(uint8_t value, uint8_t register_b)
{
    unsigned hour = number(value & ~HOUR_PM & 0xff, register_b);

    if (register_b & B_24_HOURS)
        return number(value, register_b);
    return hour % 12 + (value & HOUR_PM ? 12 : 0);
}

static bool read_time(struct cmos_time *time)
{
    uint8_t first[REGISTERS], second[REGISTERS], register_b = read_register(REGISTER_B);

    /* Twice the same outside of an update is right. */
    for (unsigned tries = 0;; tries++) {
        bool same = true;

        if (tries == TRIES_MAX)
            return false;
        if (read_register(REGISTER_A) & A_UPDATE)
            continue;
        read_all(first);
        read_all(second);
        for (unsigned i = 0; i < REGISTERS; i++)
            same &= first[i] == second[i];
        if (same)
            break;
    }
    time->second = (uint8_t)number(first[0], register_b);
    time->minute = (uint8_t)number(first[2], register_b);
    time->hour = (uint8_t)hour_of_day(first[4], register_b);
    time->day = (uint8_t)number(first[7], register_b);
    time->month = (uint8_t)number(first[8], register_b);
    time->year = (uint16_t)(2000 + number(first[9], register_b));
    return time->second < 60 && time->minute < 60 && time->hour < 24 && time->day >= 1 && time->day <= 31 &&
           time->month >= 1 && time->month <= 12 && time->year < 2100;
}

must_check bool cmos_clock_read(struct cmos_time *time)
{
    bool good;

    spinlock_lock(&lock);
    good = read_time(time);
    spinlock_unlock(&lock);
    return good;
}
