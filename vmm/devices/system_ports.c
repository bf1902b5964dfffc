/* SPDX-License-Identifier: MIT */
/* Single ports of a PC's board. */
#include "vmm/devices/system_ports.h"

#define PORT_POST          0x80u
#define PORT_CONTROL_A     0x92u
#define PORT_END           0xf4u
#define PORT_RESET_CONTROL 0xcf9u

#define CONTROL_A_RESET 0x01u
#define CONTROL_A_A20   0x02u

/* Intel's ICH data sheets, "RST_CNT - Reset Control Register": the processor is reset as bit 2 rises; bits 1
 * and 3 say how thoroughly. */
#define RESET_CONTROL_CPU  0x04u
#define RESET_CONTROL_BITS 0x0eu

void system_ports_reset(struct system_ports *system)
{
    system->a20 = true;
    system->control = 0;
    system->post_code = 0;
}

static uint32_t read(void *device, uint16_t port, unsigned size, uint64_t now)
{
    const struct system_ports *system = device;

    (void)size, (void)now;
    switch (port) {
    case PORT_POST:
        return system->post_code;
    case PORT_CONTROL_A:
        return system->a20 ? CONTROL_A_A20 : 0;
    case PORT_RESET_CONTROL:
        return system->control;
    default: /* 0xf4 is there to be written */
        return 0xff;
    }
}

static void write(void *device, uint16_t port, unsigned size, uint32_t value, uint64_t now)
{
    struct system_ports *system = device;

    (void)size, (void)now;
    switch (port) {
    case PORT_POST:
        system->post_code = (uint8_t)value;
        break;
    case PORT_CONTROL_A:
        system->a20 = (value & CONTROL_A_A20) != 0;
        if ((value & CONTROL_A_RESET) != 0)
            device_line_set(&system->reset_control_a, true);
        break;
    case PORT_RESET_CONTROL:
        if ((value & ~(uint32_t)system->control & RESET_CONTROL_CPU) != 0)
            device_line_set(&system->reset_control, true);
        system->control = value & RESET_CONTROL_BITS;
        break;
    default:
        device_output_put(&system->end, (uint8_t)value);
    }
}

bool system_ports_attach(struct system_ports *system, struct bus *bus)
{
    const struct device_ports ranges[] = {
        {"post code", PORT_POST, PORT_POST, 1, system, read, write},
        {"port 92", PORT_CONTROL_A, PORT_CONTROL_A, 1, system, read, write},
        {"end", PORT_END, PORT_END, 1, system, read, write},
        {"reset control", PORT_RESET_CONTROL, PORT_RESET_CONTROL, 1, system, read, write},
    };

    for (unsigned i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (!bus_add_ports(bus, &ranges[i]))
            return false;
    return true;
}
