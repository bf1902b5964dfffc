/* SPDX-License-Identifier: MIT */
/*
 * libFuzzer: BIOS calls in a row, with any registers, on memory that the guest has spoilt between them.
 * Nothing outside of the drive and of the callbacks' memory is touched (ASan), every call returns, and only
 * CF and ZF change.
 */
#include <stdlib.h>

#include "test/host/simulated_bios.h"

/* Bytes of the input for one step: what to do, then registers, or a place in memory and what goes there. */
#define STEP 40u

static struct simulated_bios machine;

static void require(int condition)
{
    if (!condition)
        abort();
}

static uint32_t get32(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

static void call(const uint8_t *step)
{
    static const uint8_t vectors[] = {0x06, 0x08, 0x09, 0x10, 0x11, 0x12, 0x13, 0x15,
                                      0x16, 0x17, 0x18, 0x19, 0x1a, 0x1a, 0x10, 0x13};
    struct bios_registers r = {.eax = get32(step + 1),
                               .ebx = get32(step + 5),
                               .ecx = get32(step + 9),
                               .edx = get32(step + 13),
                               .esi = get32(step + 17),
                               .edi = get32(step + 21),
                               .ebp = get32(step + 25),
                               .ds_base = (get32(step + 29) & 0xffff) << 4,
                               .es_base = get32(step + 29) >> 16 << 4};
    enum bios_outcome outcome;

    r.flags = (uint16_t)get32(step + 33);
    r.ip = (uint16_t)(r.flags ^ 0x55);
    machine.call.time_us += step[37] * 10000u;
    outcome = simulated_interrupt(&machine, vectors[step[0] & 15], &r);
    require((unsigned)outcome <= BIOS_BREAK);
    require(((r.flags ^ get32(step + 33)) & 0xffff & ~(FLAGS_CF | FLAGS_ZF)) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    simulated_bios_start(&machine);
    for (unsigned steps = 0; size >= STEP && steps < 64; steps++, data += STEP, size -= STEP) {
        if (data[0] & 0x80)
            memcpy(machine.memory + (get32(data + 1) % (data[0] & 0x40 ? 0x500 : SIMULATED_MEMORY - 32)),
                   data + 5, 32);
        else
            call(data);
    }
    return 0;
}
