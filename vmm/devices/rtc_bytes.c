/* SPDX-License-Identifier: MIT */
/* The time and alarm registers as bytes: BCD or binary, 24 or 12 hours. */
#include "vmm/devices/rtc_registers.h"

#define DAY_SECONDS 86400u

static uint8_t encode(const struct rtc *rtc, unsigned value)
{
    return (uint8_t)((rtc->b & B_BINARY) != 0 ? value : value / 10 << 4 | value % 10);
}

static unsigned decode(const struct rtc *rtc, uint8_t byte)
{
    return (rtc->b & B_BINARY) != 0 ? byte : (byte >> 4) * 10u + (byte & 15u);
}

static uint8_t encode_hour(const struct rtc *rtc, unsigned hour)
{
    if ((rtc->b & B_24_HOURS) != 0)
        return encode(rtc, hour);
    return (uint8_t)(encode(rtc, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? HOUR_PM : 0));
}

static unsigned decode_hour(const struct rtc *rtc, uint8_t byte)
{
    if ((rtc->b & B_24_HOURS) != 0)
        return decode(rtc, byte);
    return decode(rtc, byte & (uint8_t)~HOUR_PM) % 12 + ((byte & HOUR_PM) != 0 ? 12 : 0);
}

struct rtc_time rtc_read_time(const struct rtc *rtc)
{
    const uint8_t *cmos = rtc->cmos;

    return (struct rtc_time){.year = (uint16_t)(decode(rtc, cmos[CENTURY]) * 100 + decode(rtc, cmos[YEAR])),
                             .month = (uint8_t)decode(rtc, cmos[MONTH]),
                             .day = (uint8_t)decode(rtc, cmos[DAY]),
                             .hour = (uint8_t)decode_hour(rtc, cmos[HOUR]),
                             .minute = (uint8_t)decode(rtc, cmos[MINUTE]),
                             .second = (uint8_t)decode(rtc, cmos[SECOND]),
                             .weekday = (uint8_t)decode(rtc, cmos[WEEKDAY])};
}

void rtc_write_time(struct rtc *rtc, const struct rtc_time *time)
{
    rtc->cmos[SECOND] = encode(rtc, time->second);
    rtc->cmos[MINUTE] = encode(rtc, time->minute);
    rtc->cmos[HOUR] = encode_hour(rtc, time->hour);
    rtc->cmos[WEEKDAY] = encode(rtc, time->weekday);
    rtc->cmos[DAY] = encode(rtc, time->day);
    rtc->cmos[MONTH] = encode(rtc, time->month);
    rtc->cmos[YEAR] = encode(rtc, time->year % 100u);
    rtc->cmos[CENTURY] = encode(rtc, time->year / 100u);
}

static bool alarm_part(const struct rtc *rtc, unsigned alarm, unsigned value)
{
    uint8_t byte = rtc->cmos[alarm];

    if ((byte & DONT_CARE) == DONT_CARE)
        return true;
    return value == (alarm == HOUR_ALARM ? decode_hour(rtc, byte) : decode(rtc, byte));
}

static bool alarm_is_possible(const struct rtc *rtc)
{
    static const uint8_t parts[3] = {SECOND_ALARM, MINUTE_ALARM, HOUR_ALARM};

    for (unsigned i = 0; i < 3; i++) {
        uint8_t byte = rtc->cmos[parts[i]];
        unsigned value = parts[i] == HOUR_ALARM ? decode_hour(rtc, byte) : decode(rtc, byte);

        if ((byte & DONT_CARE) != DONT_CARE && value > (parts[i] == HOUR_ALARM ? 23 : 59))
            return false;
    }
    return true;
}

/* Skips the hours and minutes that cannot be. */
unsigned rtc_seconds_to_alarm(const struct rtc *rtc)
{
    struct rtc_time time = rtc_read_time(rtc);
    unsigned start, wait = 1;

    if (!alarm_is_possible(rtc))
        return 0;
    rtc_time_add(&time, 0);
    start = time.hour * 3600u + time.minute * 60u + time.second;
    while (wait <= DAY_SECONDS) {
        unsigned at = (start + wait) % DAY_SECONDS;

        if (!alarm_part(rtc, HOUR_ALARM, at / 3600))
            wait += 3600 - at % 3600;
        else if (!alarm_part(rtc, MINUTE_ALARM, at / 60 % 60))
            wait += 60 - at % 60;
        else if (!alarm_part(rtc, SECOND_ALARM, at % 60))
            wait++;
        else
            return wait;
    }
    return 0;
}
