/* SPDX-License-Identifier: MIT */
/* The bytes of the CMOS memory that a PC's firmware fills in. The layout is the IBM PC AT's and its
 * followers'. */
#include "vmm/devices/rtc_registers.h"

#define FLOPPY_TYPES     0x10u
#define DISK_TYPES       0x12u
#define EQUIPMENT        0x14u
#define BASE_MEMORY      0x15u /* KiB, 2 bytes */
#define EXTENDED_MEMORY  0x17u /* KiB above 1 MiB, 2 bytes; again at 0x30 */
#define DISK_TYPE_C      0x19u
#define DISK_TYPE_D      0x1au
#define CHECKSUM         0x2eu /* high byte first */
#define EXTENDED_MEMORY2 0x30u
#define MEMORY_ABOVE_16M 0x34u /* units of 64 KiB, 2 bytes */
#define MEMORY_ABOVE_4G  0x5bu /* units of 64 KiB, 3 bytes */

#define FIRST_PLAIN     0x0eu /* those before are time and registers */
#define FIRST_SUMMED    0x10u
#define LAST_SUMMED     0x2du
#define KIB             UINT64_C(1024)
#define MIB             (KIB * 1024)
#define BASE_MEMORY_KIB 640u

static void set_number(struct rtc *rtc, unsigned index, unsigned bytes, uint64_t value)
{
    uint64_t highest = (UINT64_C(1) << bytes * 8) - 1;

    if (value > highest)
        value = highest;
    for (unsigned i = 0; i < bytes; i++)
        rtc->cmos[index + i] = (uint8_t)(value >> i * 8);
}

/* Units of memory from `from` to `to`, none if that lies before. */
static uint64_t units(uint64_t from, uint64_t to, uint64_t unit)
{
    return to > from ? (to - from) / unit : 0;
}

static void update_checksum(struct rtc *rtc)
{
    unsigned sum = 0;

    for (unsigned i = FIRST_SUMMED; i <= LAST_SUMMED; i++)
        sum += rtc->cmos[i];
    rtc->cmos[CHECKSUM] = (uint8_t)(sum >> 8);
    rtc->cmos[CHECKSUM + 1] = (uint8_t)sum;
}

void rtc_fill_cmos(struct rtc *rtc, const struct rtc_config *config)
{
    uint64_t end = config->memory_below_4g, base = units(0, end, KIB);

    rtc->cmos[FLOPPY_TYPES] = config->floppy_types;
    rtc->cmos[DISK_TYPES] = config->disk_types;
    rtc->cmos[DISK_TYPE_C] = config->disk_types_more[0];
    rtc->cmos[DISK_TYPE_D] = config->disk_types_more[1];
    rtc->cmos[EQUIPMENT] = config->equipment;
    set_number(rtc, BASE_MEMORY, 2, base < BASE_MEMORY_KIB ? base : BASE_MEMORY_KIB);
    set_number(rtc, EXTENDED_MEMORY, 2, units(MIB, end, KIB));
    set_number(rtc, EXTENDED_MEMORY2, 2, units(MIB, end, KIB));
    set_number(rtc, MEMORY_ABOVE_16M, 2, units(16 * MIB, end, 64 * KIB));
    set_number(rtc, MEMORY_ABOVE_4G, 3, config->memory_above_4g / (64 * KIB));
    update_checksum(rtc);
}

bool rtc_set_cmos(struct rtc *rtc, uint8_t index, uint8_t value)
{
    if (index < FIRST_PLAIN || index >= RTC_CMOS_BYTES || index == CENTURY)
        return false;
    rtc->cmos[index] = value;
    update_checksum(rtc);
    return true;
}
