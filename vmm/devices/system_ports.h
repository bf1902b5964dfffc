/* SPDX-License-Identifier: MIT */
/*
 * Single ports of a PC's board: 0x80 (power-on self test code), 0x92 (system control port A: A20, fast
 * reset), 0xcf9 (reset control of Intel's chip sets), and 0xf4, at which a guest ends itself. Pure.
 *
 * A20 is a line and no more: it reads back as it was set, and address bit 20 passes whatever it says. The
 * processor ignores A20M# in VMX operation, and a guest that relies on wrapping at 1 MiB wants an 8086.
 */
#ifndef VMM_DEVICES_SYSTEM_PORTS_H
#define VMM_DEVICES_SYSTEM_PORTS_H

#include "vmm/devices/bus.h"

struct system_ports {
    struct device_line reset_control_a; /* raised by port 0x92 */
    struct device_line reset_control;   /* raised by port 0xcf9 */
    struct device_output end;           /* takes what is written to 0xf4 */
    bool a20;                           /* as port 0x92 sets it; the keyboard controller has one of its own */
    uint8_t control;                    /* of 0xcf9 */
    uint8_t post_code;
};

/* As a PC's firmware leaves it: A20 on. Lines and output stay. */
void system_ports_reset(struct system_ports *system);

/* Adds the ports. false: as bus_add_ports(). */
must_check bool system_ports_attach(struct system_ports *system, struct bus *bus);

#endif
