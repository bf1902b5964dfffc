/* SPDX-License-Identifier: MIT */
/*
 * ACPI's fixed hardware: PM1a event and control blocks and the power management timer, where the ICH9 of a
 * q35 machine has them. ACPI specification, "ACPI Hardware Specification".
 *
 *     0x600 PM1_STS   0x602 PM1_EN   0x604 PM1_CNT   0x608 PM_TMR (32 bits)
 *
 * Always in ACPI mode: SCI_EN reads 1, there is no SMI_CMD. SLP_TYP for S5 is 0, as in QEMU and the PIIX4,
 * so that what is written for those (0x2000 at 0x604) works; other sleep types do nothing.
 */
#ifndef VMM_DEVICES_ACPI_PM_H
#define VMM_DEVICES_ACPI_PM_H

#include "vmm/devices/device.h"

#define ACPI_PM_BASE         0x600u /* also of PM1a_EVT_BLK, 4 bytes */
#define ACPI_PM_CONTROL_PORT 0x604u /* PM1a_CNT_BLK, 2 bytes */
#define ACPI_PM_TIMER_PORT   0x608u /* PM_TMR_BLK, 4 bytes */
#define ACPI_PM_TIMER_HZ     3579545u
#define ACPI_PM_SCI          9u /* the IRQ of the ACPI tables' SCI_INT, active high, level */
#define ACPI_PM_S5_TYPE      0u
#define ACPI_PM_PORT_RANGES  1u

/*
 * The owner zeroes it and sets sci, power_off and timer_is_32_bit once, before the first reset. power_off
 * goes high, and stays so until the reset, when the guest enters S5.
 */
struct acpi_pm {
    struct device_line sci, power_off;
    bool timer_is_32_bit; /* TMR_VAL_EXT of the FADT; else 24 bits */
    bool sci_level;
    uint16_t status, enable, control;
    uint64_t start;       /* nanoseconds: the timer's zero */
    uint64_t halves_done; /* of the timer's range, accounted for in TMR_STS */
};

void acpi_pm_reset(struct acpi_pm *pm, uint64_t now);
/* Fills in 0x600-0x60b. */
void acpi_pm_ports(struct acpi_pm *pm, struct device_ports ports[ACPI_PM_PORT_RANGES]);
/* The next change of the timer's highest bit, while that would raise the SCI. */
struct device_timer acpi_pm_timer(struct acpi_pm *pm);

#endif
