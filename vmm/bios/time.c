/* SPDX-License-Identifier: MIT */
/*
 * IRQ 0 and INT 1Ah: the count of ticks since midnight, 1193182 / 65536 of them in a second. It follows guest
 * time, whoever asks first: a tick that came late, or a timer that a program runs at a rate of its own, does
 * not change it. The clock with a battery is served by the stubs, by ports alone.
 */
#include "vmm/bios/bios.h"

#define PIT_FREQUENCY  UINT64_C(1193182)
#define TICK_DIVISOR   UINT64_C(65536)
#define SECOND_US      UINT64_C(1000000)
#define TICKS_A_DAY    0x1800b0u
#define ERROR_NOT_HERE 0x81u /* of PCI BIOS, AH=B1h */

static uint64_t ticks_at(uint64_t time_us)
{
    uint64_t seconds = time_us / SECOND_US, rest = time_us % SECOND_US;

    return (seconds * PIT_FREQUENCY + rest * PIT_FREQUENCY / SECOND_US) / TICK_DIVISOR;
}

void bios_time_tick(struct bios_call *call)
{
    uint64_t now = ticks_at(call->time_us), count = bios_read32(call, BDA_TICKS);

    if (now <= call->bios->ticks_counted)
        return;
    count += now - call->bios->ticks_counted;
    call->bios->ticks_counted = now;
    if (count >= TICKS_A_DAY) {
        count %= TICKS_A_DAY;
        bios_write8(call, BDA_MIDNIGHT, 1);
    }
    bios_write32(call, BDA_TICKS, (uint32_t)count);
}

enum bios_outcome bios_time(struct bios_call *call, struct bios_registers *r)
{
    uint32_t count;

    switch (bios_high(r->eax)) {
    case 0x00:
        bios_time_tick(call);
        count = bios_read32(call, BDA_TICKS);
        bios_set16(&r->ecx, (uint16_t)(count >> 16));
        bios_set16(&r->edx, (uint16_t)count);
        bios_set8(&r->eax, bios_read8(call, BDA_MIDNIGHT));
        bios_write8(call, BDA_MIDNIGHT, 0);
        break;
    case 0x01:
        bios_time_tick(call);
        bios_write32(call, BDA_TICKS, (r->ecx & 0xffff) << 16 | (r->edx & 0xffff));
        bios_write8(call, BDA_MIDNIGHT, 0);
        break;
    case 0xb1:
        return bios_missing(call, r, 0x1a, ERROR_NOT_HERE);
    default:
        return bios_missing(call, r, 0x1a, bios_high(r->eax));
    }
    bios_set_high(&r->eax, 0);
    bios_flag(r, FLAGS_CF, false);
    return BIOS_RETURN;
}
