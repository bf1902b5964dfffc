/* SPDX-License-Identifier: MIT */
/* The calendar: days are counted from 1 March of the year 0, so that a leap day is the last of its year. */
#include "vmm/devices/rtc_time.h"

#define DAY_SECONDS   86400u
#define YEARS         10000u
#define ERA_YEARS     400u
#define ERA_DAYS      146097u
#define CALENDAR_DAYS (YEARS / ERA_YEARS * ERA_DAYS)

static uint32_t within(uint32_t value, uint32_t lowest, uint32_t highest)
{
    return value < lowest ? lowest : value > highest ? highest : value;
}

/* Days since 1 March of the year 0, modulo the 10000 years. January and February belong to the year before.
 */
static uint32_t day_number(uint32_t year, uint32_t month, uint32_t day)
{
    uint32_t from_march = (month + 9) % 12;

    if (from_march >= 10)
        year = (year + YEARS - 1) % YEARS;
    return (year * 365 + year / 4 - year / 100 + year / 400 + (from_march * 153 + 2) / 5 + day - 1) %
           CALENDAR_DAYS;
}

static void set_date(struct rtc_time *time, uint32_t days)
{
    uint32_t year = (uint32_t)((uint64_t)days * ERA_YEARS / ERA_DAYS), from_march;

    /* The estimate is at most one year off. */
    while (year > 0 && year * 365 + year / 4 - year / 100 + year / 400 > days)
        year--;
    while ((year + 1) * 365 + (year + 1) / 4 - (year + 1) / 100 + (year + 1) / 400 <= days)
        year++;
    days -= year * 365 + year / 4 - year / 100 + year / 400;
    from_march = (days * 5 + 2) / 153;
    time->day = (uint8_t)(days - (from_march * 153 + 2) / 5 + 1);
    time->month = (uint8_t)((from_march + 2) % 12 + 1);
    time->year = (uint16_t)((year + (from_march >= 10)) % YEARS);
}

void rtc_time_add(struct rtc_time *time, uint64_t seconds)
{
    uint32_t year = within(time->year, 0, YEARS - 1), month = within(time->month, 1, 12);
    uint32_t day = within(time->day, 1, 31);
    uint64_t of_day =
        within(time->hour, 0, 23) * 3600u + within(time->minute, 0, 59) * 60u + within(time->second, 0, 59);
    uint64_t days;

    of_day += seconds % DAY_SECONDS;
    days = seconds / DAY_SECONDS + of_day / DAY_SECONDS;
    of_day %= DAY_SECONDS;
    time->hour = (uint8_t)(of_day / 3600);
    time->minute = (uint8_t)(of_day / 60 % 60);
    time->second = (uint8_t)(of_day % 60);
    if (days == 0)
        return;
    set_date(time, (uint32_t)((day_number(year, month, day) + days % CALENDAR_DAYS) % CALENDAR_DAYS));
    time->weekday = (uint8_t)((within(time->weekday, 1, 7) - 1 + days % 7) % 7 + 1);
}

uint8_t rtc_time_weekday(const struct rtc_time *time)
{
    /* 1 March of the year 0 is a Wednesday. */
    uint32_t days =
        day_number(within(time->year, 0, YEARS - 1), within(time->month, 1, 12), within(time->day, 1, 31));

    return (uint8_t)((days + 3) % 7 + 1);
}
