/* SPDX-License-Identifier: MIT */
/* The end: emulators' exits, ACPI S5, resets, and if nothing works a halt that says so. */
#include "vmm/host/power.h"

#include <stddef.h>

#include "arch/x86/exception.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "arch/x86/port.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tsc.h"
#include "drivers/console.h"

#define PORT_DEBUG_EXIT     0xf4   /* QEMU's isa-debug-exit: status value << 1 | 1 */
#define PORT_BOCHS_SHUTDOWN 0x8900 /* Bochs: the bytes of "Shutdown" */
#define PORT_RESET          0xcf9
#define PORT_KEYBOARD       0x64
#define PORT_PCI_ADDRESS    0xcf8
#define PORT_PCI_DATA       0xcfc

/* ACPI Specification, "Power Management 1 Control Registers" and "Sleep Control Register". */
#define PM1_SCI_EN             (1u << 0)
#define PM1_SLEEP_TYPE_BIT     10
#define PM1_SLEEP_TYPE_MASK    (7u << PM1_SLEEP_TYPE_BIT)
#define PM1_SLEEP_ENABLE       (1u << 13)
#define SLEEP_CONTROL_TYPE_BIT 2
#define SLEEP_CONTROL_ENABLE   (1u << 5)

#define ACPI_ENABLE_WAIT_US 100000
#define TRY_WAIT_US         100000 /* from a write that should end the machine to the next attempt */

static const struct acpi_info *acpi;
static const char *last_line;
static enum cmdline_on_end on_end = ON_END_POWEROFF;

void power_init(const struct acpi_info *tables, enum cmdline_on_end wanted)
{
    acpi = tables;
    on_end = wanted;
}

/* The PM1 registers work only in ACPI mode; firmware may have left legacy mode on. */
static void enter_acpi_mode(void)
{
    uint64_t start = tsc_read();

    if ((in16(acpi->pm1a_control) & PM1_SCI_EN) || acpi->smi_command == 0 || acpi->acpi_enable == 0)
        return;
    out8(acpi->smi_command, acpi->acpi_enable);
    while (!(in16(acpi->pm1a_control) & PM1_SCI_EN) && tsc_read() - start < tsc_ticks(ACPI_ENABLE_WAIT_US))
        cpu_pause();
}

static void write_pm1(uint16_t port, uint8_t sleep_type)
{
    uint16_t value = in16(port);

    value = (uint16_t)((value & ~PM1_SLEEP_TYPE_MASK) | (unsigned)sleep_type << PM1_SLEEP_TYPE_BIT);
    out16(port, value | PM1_SLEEP_ENABLE);
}

/* A byte to a register of ACPI's: where its Generic Address Structure says. */
static void write_register(uint8_t space, uint64_t address, uint8_t value)
{
    volatile uint8_t *memory;

    switch (space) {
    case ACPI_SPACE_IO:
        out8((uint16_t)address, value);
        break;
    case ACPI_SPACE_MEMORY:
        memory = paging_map_mmio(address, 1, PAT_UC);
        if (memory != NULL)
            *memory = value;
        break;
    case ACPI_SPACE_PCI:
        out32(PORT_PCI_ADDRESS, 0x80000000u | (uint32_t)(address >> 32 & 0x1f) << 11 |
                                    (uint32_t)(address >> 16 & 7) << 8 | (uint32_t)(address & 0xfc));
        out8((uint16_t)(PORT_PCI_DATA + (address & 3)), value);
        break;
    default:
        break;
    }
}

static void acpi_power_off(void)
{
    if (acpi == NULL || !acpi->s5_found)
        return;
    if (acpi->sleep_control_address != 0) {
        write_register(acpi->sleep_control_space, acpi->sleep_control_address,
                       (uint8_t)((unsigned)acpi->s5_type_a << SLEEP_CONTROL_TYPE_BIT | SLEEP_CONTROL_ENABLE));
        delay_us(TRY_WAIT_US);
    }
    if (acpi->pm1a_control == 0)
        return;
    enter_acpi_mode();
    write_pm1(acpi->pm1a_control, acpi->s5_type_a);
    if (acpi->pm1b_control != 0)
        write_pm1(acpi->pm1b_control, acpi->s5_type_b);
    delay_us(TRY_WAIT_US);
}

static void power_off(int status)
{
    out8(PORT_DEBUG_EXIT, (uint8_t)status);
    for (const char *byte = "Shutdown"; *byte != '\0'; byte++)
        out8(PORT_BOCHS_SHUTDOWN, (uint8_t)*byte);
    acpi_power_off();
}

static void reboot(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) no_idt = {0, 0};

    if (acpi != NULL && acpi->reset_found) {
        write_register(acpi->reset_space, acpi->reset_address, acpi->reset_value);
        delay_us(TRY_WAIT_US);
    }
    out8(PORT_RESET, 0x02);
    out8(PORT_RESET, 0x06);
    delay_us(TRY_WAIT_US);
    out8(PORT_KEYBOARD, 0xfe);
    delay_us(TRY_WAIT_US);
    /* With no IDT any exception is a triple fault, which a PC turns into a reset. */
    __asm__ volatile("lidt %0; ud2" : : "m"(no_idt) : "memory");
}

void power_set_last_line(const char *line)
{
    last_line = line;
}

static void print_last_line(void)
{
    if (last_line != NULL)
        console_printf("%s\n", last_line);
}

noreturn_fn void power_reboot(void)
{
    on_end = ON_END_REBOOT;
    power_end(1);
}

noreturn_fn void power_end(int status)
{
    static const char *const names[] = {
        [ON_END_POWEROFF] = "poweroff", [ON_END_HALT] = "halt", [ON_END_REBOOT] = "reboot"};

    console_printf("adept: end: %s status=%d\n", names[on_end], status);
    print_last_line();
    console_flush();
    if (on_end == ON_END_POWEROFF)
        power_off(status);
    if (on_end == ON_END_REBOOT)
        reboot();
    console_printf("adept: halted: switch off by hand\n");
    print_last_line();
    console_flush();
    cpu_halt_forever();
}
