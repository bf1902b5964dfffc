/* SPDX-License-Identifier: MIT */
/* The debug ports of the emulators. */
#include "vmm/devices/debug_port.h"

#define PORT_BOCHS 0xe9u
#define PORT_BIOS  0x402u
#define PRESENT    0xe9u

static uint32_t read(void *device, uint16_t port, unsigned size, uint64_t now)
{
    (void)device, (void)port, (void)size, (void)now;
    return PRESENT;
}

static void write(void *device, uint16_t port, unsigned size, uint32_t value, uint64_t now)
{
    const struct debug_port *debug = device;

    (void)port, (void)size, (void)now;
    device_output_put(&debug->output, (uint8_t)value);
}

bool debug_port_attach(struct debug_port *debug, struct bus *bus)
{
    const struct device_ports bochs = {"debug port", PORT_BOCHS, PORT_BOCHS, 1, debug, read, write};
    const struct device_ports bios = {"debug port", PORT_BIOS, PORT_BIOS, 1, debug, read, write};

    return bus_add_ports(bus, &bochs) && bus_add_ports(bus, &bios);
}
