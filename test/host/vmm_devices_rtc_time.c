/* SPDX-License-Identifier: MIT */
/* vmm/devices/rtc_time.c against the C library's calendar, and where fields are wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <time.h>

#include "vmm/devices/rtc_time.h"

static void assert_is(const struct rtc_time *time, time_t seconds)
{
    struct tm expected;

    assert_non_null(gmtime_r(&seconds, &expected));
    assert_int_equal(time->year, expected.tm_year + 1900);
    assert_int_equal(time->month, expected.tm_mon + 1);
    assert_int_equal(time->day, expected.tm_mday);
    assert_int_equal(time->hour, expected.tm_hour);
    assert_int_equal(time->minute, expected.tm_min);
    assert_int_equal(time->second, expected.tm_sec);
    assert_int_equal(time->weekday, expected.tm_wday + 1);
    assert_int_equal(rtc_time_weekday(time), expected.tm_wday + 1);
}

static void every_day_of_four_centuries(void **state)
{
    struct rtc_time time = {.year = 1970, .month = 1, .day = 1, .weekday = 5};

    (void)state;
    for (time_t seconds = 0; seconds < 400ll * 366 * 86400; seconds += 86400 + 3607) {
        assert_is(&time, seconds);
        rtc_time_add(&time, 86400 + 3607);
    }
}

static void every_second_of_a_day(void **state)
{
    struct rtc_time time = {.year = 2024, .month = 2, .day = 28, .hour = 12, .weekday = 4};

    (void)state;
    for (time_t seconds = 1709121600; seconds < 1709121600 + 86400; seconds++) {
        assert_is(&time, seconds);
        rtc_time_add(&time, 1);
    }
    assert_int_equal(time.day, 29);
}

static void long_times(void **state)
{
    struct rtc_time time = {.year = 1970, .month = 1, .day = 1, .weekday = 5};

    (void)state;
    rtc_time_add(&time, 253402300799); /* the last second of 9999 */
    assert_is(&time, 253402300799);
    rtc_time_add(&time, 1);
    assert_int_equal(time.year, 0);
    assert_int_equal(time.month, 1);
    assert_int_equal(time.day, 1);
    rtc_time_add(&time, UINT64_MAX);
    assert_in_range(time.month, 1, 12);
    assert_in_range(time.day, 1, 31);
}

static void leap_years(void **state)
{
    static const struct {
        uint16_t year;
        uint8_t month, day;
    } next[] = {{2023, 3, 1}, {2024, 2, 29}, {2000, 2, 29}, {1900, 3, 1}, {2100, 3, 1}};

    (void)state;
    for (unsigned i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
        struct rtc_time time = {.year = next[i].year,
                                .month = 2,
                                .day = 28,
                                .hour = 23,
                                .minute = 59,
                                .second = 59,
                                .weekday = 7};

        rtc_time_add(&time, 1);
        assert_int_equal(time.month, next[i].month);
        assert_int_equal(time.day, next[i].day);
        assert_int_equal(time.weekday, 1);
        assert_int_equal(time.hour + time.minute + time.second, 0);
    }
}

static void wrong_fields(void **state)
{
    struct rtc_time time = {
        .year = 65535, .month = 0, .day = 0, .hour = 255, .minute = 255, .second = 255, .weekday = 0};

    (void)state;
    rtc_time_add(&time, 1);
    assert_int_equal(time.year, 9999);
    assert_int_equal(time.month, 1);
    assert_int_equal(time.day, 2);
    assert_int_equal(time.weekday, 2);
    time = (struct rtc_time){
        .year = 2023, .month = 2, .day = 31, .hour = 23, .minute = 59, .second = 59, .weekday = 99};
    rtc_time_add(&time, 1);
    assert_int_equal(time.month, 3);
    assert_int_equal(time.day, 4); /* three days beyond the month's end, and one */
    assert_int_equal(time.weekday, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_of_four_centuries),
        cmocka_unit_test(every_second_of_a_day),
        cmocka_unit_test(long_times),
        cmocka_unit_test(leap_years),
        cmocka_unit_test(wrong_fields),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
