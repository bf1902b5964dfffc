/* SPDX-License-Identifier: MIT */
/* A date and a time of day, as a real-time clock keeps them, and their moving on. */
#ifndef VMM_DEVICES_RTC_TIME_H
#define VMM_DEVICES_RTC_TIME_H

#include <stdbool.h>
#include <stdint.h>

struct rtc_time {
    uint16_t year; /* 0 to 9999 */
    uint8_t month; /* 1 to 12 */
    uint8_t day;   /* 1 to 31 */
    uint8_t hour, minute, second;
    uint8_t weekday; /* 1 Sunday to 7 Saturday */
};

/*
 * Moves on by `seconds`, by the Gregorian calendar; after the year 9999 comes 0. The weekday is counted on
 * its own, as the chip does. Fields that are out of range are taken for the nearest that are not.
 */
void rtc_time_add(struct rtc_time *time, uint64_t seconds);

/* 1 to 7 by the calendar. */
uint8_t rtc_time_weekday(const struct rtc_time *time);

#endif
