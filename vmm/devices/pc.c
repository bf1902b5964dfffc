/* SPDX-License-Identifier: MIT */
/* A PC's devices, put together. */
#include "vmm/devices/pc.h"

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

bool pc_create(struct pc *pc, const struct pc_host *host)
{
    pc->host = *host;
    bus_init(&pc->bus);
    return add_uarts(pc) && add_system_ports(pc);
}
