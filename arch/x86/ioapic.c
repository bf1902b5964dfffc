/* SPDX-License-Identifier: MIT */
/* Masking the pins of an I/O APIC. */
#include "arch/x86/ioapic.h"

#include <stddef.h>

#include "arch/x86/apic_quiet.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"

/* Words of the register page: which register, and its value. */
#define SELECT 0
#define WINDOW 4

#define VERSION     0x01
#define TABLE       0x10 /* two registers a pin */
#define LAST_PIN(v) ((v) >> 16 & 0xff)
#define ABSENT      0xffffffffu

static volatile uint32_t *map(uint64_t physical)
{
    return paging_map_mmio(physical & ~(uint64_t)(PAGE_SIZE - 1), PAGE_SIZE, PAT_UC);
}

static uint32_t get(volatile uint32_t *registers, unsigned number)
{
    registers[SELECT] = number;
    return registers[WINDOW];
}

static void put(volatile uint32_t *registers, unsigned number, uint32_t value)
{
    registers[SELECT] = number;
    registers[WINDOW] = value;
}

struct ioapic_pins ioapic_mask(uint64_t physical)
{
    struct ioapic_pins pins = {0, 0};
    volatile uint32_t *registers = map(physical);
    uint32_t version = registers != NULL ? get(registers, VERSION) : ABSENT;

    if (version == ABSENT)
        return pins;
    pins.all = LAST_PIN(version) + 1;
    for (unsigned pin = 0; pin < pins.all; pin++) {
        uint32_t low = get(registers, TABLE + 2 * pin), quiet = ioapic_pin_quiet(low);

        if (quiet == low)
            continue;
        pins.open++;
        put(registers, TABLE + 2 * pin, quiet);
    }
    return pins;
}

void ioapic_pin_write(uint64_t physical, unsigned pin, uint32_t low)
{
    volatile uint32_t *registers = map(physical);

    if (registers != NULL)
        put(registers, TABLE + 2 * pin, low);
}
