/* SPDX-License-Identifier: MIT */
/* ACPI's fixed hardware. Names of registers and bits are those of the ACPI specification. */
#include "vmm/devices/acpi_pm.h"

#include "vmm/devices/ticks.h"

#define PM1_STS 0u /* offsets of bytes; 2 each */
#define PM1_EN  2u
#define PM1_CNT 4u
#define PM_TMR  8u
#define LAST    11u

#define TMR_STS 0x0001u
#define TMR_EN  0x0001u
/* BM, GBL, PWRBTN, SLPBTN, RTC, WAK: nothing here sets them. */
#define STS_BITS 0x8731u
#define EN_BITS  0x0721u
#define SCI_EN   0x0001u
#define BM_RLD   0x0002u
#define SLP_TYP  0x1c00u
#define SLP_EN   0x2000u /* write-only, as GBL_RLS */
#define CNT_BITS (BM_RLD | SLP_TYP)

#define SLP_TYP_SHIFT 10

static uint64_t timer_ticks(const struct acpi_pm *pm, uint64_t now)
{
    return ticks_in(now > pm->start ? now - pm->start : 0, ACPI_PM_TIMER_HZ);
}

/* Ticks between two changes of the timer's highest bit. */
static uint64_t half_range(const struct acpi_pm *pm)
{
    return UINT64_C(1) << (pm->timer_is_32_bit ? 31 : 23);
}

static void update_sci(struct acpi_pm *pm)
{
    bool level = (pm->status & pm->enable & EN_BITS) != 0;

    if (level != pm->sci_level) {
        pm->sci_level = level;
        device_line_set(&pm->sci, level);
    }
}

static void advance(struct acpi_pm *pm, uint64_t now)
{
    uint64_t halves = timer_ticks(pm, now) / half_range(pm);

    if (halves > pm->halves_done) {
        pm->halves_done = halves;
        pm->status |= TMR_STS;
    }
    update_sci(pm);
}

static uint8_t read_byte(const struct acpi_pm *pm, unsigned offset, uint64_t now)
{
    unsigned shift = offset % 2 * 8;
    uint64_t mask = half_range(pm) * 2 - 1;

    if (offset >= PM_TMR)
        return (uint8_t)((timer_ticks(pm, now) & mask) >> (offset - PM_TMR) * 8);
    switch (offset & ~1u) {
    case PM1_STS:
        return (uint8_t)(pm->status >> shift);
    case PM1_EN:
        return (uint8_t)(pm->enable >> shift);
    case PM1_CNT:
        return (uint8_t)((pm->control | SCI_EN) >> shift);
    default:
        return 0;
    }
}

static void write_byte(struct acpi_pm *pm, unsigned offset, uint8_t byte)
{
    unsigned shift = offset % 2 * 8;
    uint16_t lane = (uint16_t)(0xff << shift), value = (uint16_t)(byte << shift);

    switch (offset & ~1u) {
    case PM1_STS: /* ones clear */
        pm->status &= (uint16_t) ~(value & STS_BITS);
        break;
    case PM1_EN:
        pm->enable = (uint16_t)((pm->enable & ~lane) | (value & EN_BITS));
        break;
    case PM1_CNT:
        pm->control = (uint16_t)((pm->control & ~lane) | (value & CNT_BITS));
        if ((value & SLP_EN) != 0 && (pm->control & SLP_TYP) >> SLP_TYP_SHIFT == ACPI_PM_S5_TYPE)
            device_line_set(&pm->power_off, true);
        break;
    default: /* the timer is read-only */
        break;
    }
}

static uint32_t read_ports(void *device, uint16_t port, unsigned size, uint64_t now)
{
    struct acpi_pm *pm = device;
    uint32_t value = 0;

    advance(pm, now);
    for (unsigned i = 0; i < size; i++) {
        unsigned offset = port - ACPI_PM_BASE + i;

        value |= (uint32_t)(offset <= LAST ? read_byte(pm, offset, now) : 0xff) << i * 8;
    }
    return value;
}

static void write_ports(void *device, uint16_t port, unsigned size, uint32_t value, uint64_t now)
{
    struct acpi_pm *pm = device;

    advance(pm, now);
    for (unsigned i = 0; i < size; i++)
        write_byte(pm, port - ACPI_PM_BASE + i, (uint8_t)(value >> i * 8));
    update_sci(pm);
}

void acpi_pm_ports(struct acpi_pm *pm, struct device_ports ports[ACPI_PM_PORT_RANGES])
{
    ports[0] = (struct device_ports){.name = "acpi_pm",
                                     .first = ACPI_PM_BASE,
                                     .last = ACPI_PM_BASE + LAST,
                                     .width = 4,
                                     .device = pm,
                                     .read = read_ports,
                                     .write = write_ports};
}

static uint64_t next(const void *device)
{
    const struct acpi_pm *pm = device;

    if ((pm->enable & TMR_EN) == 0 || (pm->status & TMR_STS) != 0)
        return DEVICE_NEVER;
    return ticks_add(pm->start, tick_begins((pm->halves_done + 1) * half_range(pm), ACPI_PM_TIMER_HZ));
}

static void run(void *device, uint64_t now)
{
    advance(device, now);
}

struct device_timer acpi_pm_timer(struct acpi_pm *pm)
{
    return (struct device_timer){.device = pm, .next = next, .run = run};
}

void acpi_pm_reset(struct acpi_pm *pm, uint64_t now)
{
    pm->status = pm->enable = pm->control = 0;
    pm->start = now;
    pm->halves_done = 0;
    device_line_set(&pm->power_off, false);
    update_sci(pm);
}
