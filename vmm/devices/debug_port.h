/* SPDX-License-Identifier: MIT */
/*
 * The debug ports of the emulators, 0xe9 (Bochs) and 0x402 (firmware under QEMU): a byte written is printed.
 * A read gives 0xe9, by which a guest knows that the port is there. Pure.
 */
#ifndef VMM_DEVICES_DEBUG_PORT_H
#define VMM_DEVICES_DEBUG_PORT_H

#include "vmm/devices/bus.h"

struct debug_port {
    struct device_output output;
};

/* Adds both ports. false: as bus_add_ports(). */
must_check bool debug_port_attach(struct debug_port *debug, struct bus *bus);

#endif
