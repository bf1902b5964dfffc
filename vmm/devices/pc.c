/* SPDX-License-Identifier: MIT */
/* A PC's devices, put together. */
#include "vmm/devices/pc.h"
#include "vmm/devices/pc_interrupts.h"

/* How long a character waits for room in the UART before it goes to the keyboard alone. */
#define CONSOLE_PATIENCE_NS UINT64_C(20000000)

static const struct {
    uint16_t base;
    uint8_t irq;
} uart_places[PC_UARTS] = {{0x3f8, 4}, {0x2f8, 3}, {0x3e8, 4}, {0x2e8, 3}};

static void end_port(void *context, unsigned number, uint8_t byte)
{
    const struct pc *pc = context;

    (void)number;
    pc->host.end(pc->host.context, PC_END_PORT, byte);
}

static void power_off(void *context, unsigned number, bool level)
{
    const struct pc *pc = context;

    (void)number;
    if (level)
        pc->host.end(pc->host.context, PC_END_POWER_OFF, 0);
}

/* `port` is the number of the line. */
static void reset_request(void *context, unsigned port, bool level)
{
    const struct pc *pc = context;

    if (level)
        pc->host.end(pc->host.context, PC_END_RESET, port);
}

static bool add_uarts(struct pc *pc)
{
    for (unsigned i = 0; i < PC_UARTS; i++) {
        pc->uarts[i].interrupt =
            pc_irq_line(pc, uart_places[i].irq, i < 2 ? PC_SOURCE_FIRST : PC_SOURCE_SECOND);
        pc->uarts[i].output = (struct device_output){pc->host.output, pc->host.context, PC_OUTPUT_COM1 + i};
        guest_uart_reset(&pc->uarts[i]);
        if (!guest_uart_attach(&pc->uarts[i], &pc->bus, uart_places[i].base))
            return false;
    }
    return true;
}

static bool add_system_ports(struct pc *pc)
{
    pc->debug_port.output = (struct device_output){pc->host.output, pc->host.context, PC_OUTPUT_DEBUG};
    pc->system.reset_control_a = (struct device_line){reset_request, pc, 0x92};
    pc->system.reset_control = (struct device_line){reset_request, pc, 0xcf9};
    pc->system.end = (struct device_output){end_port, pc, 0};
    system_ports_reset(&pc->system);
    return debug_port_attach(&pc->debug_port, &pc->bus) && system_ports_attach(&pc->system, &pc->bus);
}

static bool add_keyboard(struct pc *pc)
{
    pc->keyboard.interrupt = pc_irq_line(pc, 1, PC_SOURCE_FIRST);
    pc->keyboard.reset = (struct device_line){reset_request, pc, 0x64};
    keyboard_reset(&pc->keyboard);
    return keyboard_attach(&pc->keyboard, &pc->bus);
}

static bool add_ports(struct pc *pc, const struct device_ports *ports, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (!bus_add_ports(&pc->bus, &ports[i]))
            return false;
    return true;
}

static bool add_pit(struct pc *pc)
{
    struct device_ports ports[PIT_PORT_RANGES];
    struct device_timer timer = pit_timer(&pc->pit);

    pc->pit.irq = pc_timer_line(pc, 0);
    pit_reset(&pc->pit, 0);
    pit_ports(&pc->pit, ports);
    return add_ports(pc, ports, PIT_PORT_RANGES) && bus_add_timer(&pc->bus, &timer);
}

static bool add_rtc(struct pc *pc, const struct rtc_config *config)
{
    struct device_ports ports[RTC_PORT_RANGES];
    struct device_timer timer = rtc_timer(&pc->rtc);

    pc->rtc.irq = pc_timer_line(pc, 8);
    rtc_reset(&pc->rtc, config, 0);
    rtc_ports(&pc->rtc, ports);
    return add_ports(pc, ports, RTC_PORT_RANGES) && bus_add_timer(&pc->bus, &timer);
}

static bool add_hpet(struct pc *pc)
{
    struct device_memory memory = hpet_memory(&pc->hpet);
    struct device_timer timer = hpet_timer(&pc->hpet);

    pc->hpet.pins = pc_pin_line(pc, 0, PC_SOURCE_HPET);
    pc->hpet.legacy[0] = pc_irq_line(pc, 0, PC_SOURCE_HPET);
    pc->hpet.legacy[1] = pc_irq_line(pc, 8, PC_SOURCE_HPET);
    pc->hpet.legacy_replacement = pc_legacy_replacement_line(pc);
    hpet_reset(&pc->hpet, 0);
    return bus_add_memory(&pc->bus, &memory) && bus_add_timer(&pc->bus, &timer);
}

static bool add_acpi_pm(struct pc *pc)
{
    struct device_ports ports[ACPI_PM_PORT_RANGES];
    struct device_timer timer = acpi_pm_timer(&pc->acpi_pm);

    pc->acpi_pm.sci = pc_irq_line(pc, ACPI_PM_SCI, PC_SOURCE_FIRST);
    pc->acpi_pm.power_off = (struct device_line){power_off, pc, 0};
    pc->acpi_pm.timer_is_32_bit = true;
    acpi_pm_reset(&pc->acpi_pm, 0);
    acpi_pm_ports(&pc->acpi_pm, ports);
    return add_ports(pc, ports, ACPI_PM_PORT_RANGES) && bus_add_timer(&pc->bus, &timer);
}

static bool add_passive(struct pc *pc, const struct pc_config *config)
{
    vga_text_reset(&pc->vga);
    fw_cfg_reset(&pc->fw_cfg, config->ram_bytes, config->cpus, config->map, config->map_count);
    pci_reset(&pc->pci);
    return vga_text_attach(&pc->vga, &pc->bus) && fw_cfg_attach(&pc->fw_cfg, &pc->bus) &&
           pci_attach(&pc->pci, &pc->bus);
}

bool pc_create(struct pc *pc, const struct pc_host *host, const struct pc_config *config)
{
    *pc = (struct pc){.host = *host};
    bus_init(&pc->bus);
    return pc_add_interrupt_controllers(pc, &config->lapic) && add_pit(pc) && add_rtc(pc, &config->rtc) &&
           add_hpet(pc) && add_acpi_pm(pc) && add_uarts(pc) && add_system_ports(pc) && add_keyboard(pc) &&
           add_passive(pc, config);
}

bool pc_console_input(struct pc *pc, char character, uint64_t now)
{
    bool to_line = pc->console != PC_CONSOLE_KEYBOARD, to_keys = pc->console != PC_CONSOLE_COM1;
    bool line = to_line && guest_uart_has_room(&pc->uarts[0]), taken = line;

    /* A UART that is read will have room soon; none of its characters is lost to the speed of the typing. */
    if (to_line && !line && (!to_keys || now - pc->console_last < CONSOLE_PATIENCE_NS))
        return false;
    pc->console_last = now;
    if (line)
        guest_uart_receive(&pc->uarts[0], (uint8_t)character, now);
    if (to_keys)
        taken = keyboard_receive(&pc->keyboard, character, now) || taken;
    bus_device_accessed(&pc->bus, &pc->uarts[0]);
    bus_device_accessed(&pc->bus, &pc->keyboard);
    return taken;
}

bool pc_a20(const struct pc *pc)
{
    return pc->system.a20 || keyboard_a20(&pc->keyboard);
}

uint64_t pc_next_deadline(const struct pc *pc)
{
    return bus_next(&pc->bus);
}

void pc_run(struct pc *pc, uint64_t now)
{
    bus_run(&pc->bus, now);
}
