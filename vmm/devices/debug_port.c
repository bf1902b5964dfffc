/* SPDX-License-Identifier: MIT */
/* The debug ports of the emulators. */
#include "vmm/devices/debug_port.h"

#include "vmm/hypercall_abi.h"

#define PRESENT   0xe9u
#define NO_DEVICE 0xffu

bool debug_port_has(uint16_t port)
{
    return port == PORT_DEBUG_BOCHS || port == PORT_DEBUG_BIOS;
}

uint8_t debug_port_read(uint16_t port)
{
    return debug_port_has(port) ? PRESENT : NO_DEVICE;
}

bool debug_port_write(uint16_t port, uint8_t value, struct guest_line *out)
{
    return debug_port_has(port) && guest_line_put(out, (char)value);
}
