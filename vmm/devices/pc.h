/* SPDX-License-Identifier: MIT */
/*
 * A PC: all devices of a VM, the wires between them, and the ranges at which they answer. Pure: what leaves
 * the machine goes to the functions of a pc_host. Only the CPU that runs the VM calls any of this.
 */
#ifndef VMM_DEVICES_PC_H
#define VMM_DEVICES_PC_H

#include "vmm/devices/bus.h"
#include "vmm/devices/debug_port.h"
#include "vmm/devices/system_ports.h"
#include "vmm/devices/uart.h"

/* Where bytes come out. */
enum pc_output {
    PC_OUTPUT_COM1,
    PC_OUTPUT_COM2,
    PC_OUTPUT_COM3,
    PC_OUTPUT_COM4,
    PC_OUTPUT_DEBUG,
    PC_OUTPUTS
};

#define PC_UARTS 4u

/* How the guest ended its machine. */
enum pc_end {
    PC_END_PORT,      /* detail: what was written to port 0xf4 */
    PC_END_RESET,     /* detail: the port that did it */
    PC_END_POWER_OFF, /* ACPI's S5; detail: 0 */
};

/* The machine around it; all functions must be there. They may be called while a device is being accessed. */
struct pc_host {
    void *context;
    void (*output)(void *context, unsigned output, uint8_t byte);
    void (*end)(void *context, enum pc_end end, unsigned detail);
};

struct pc {
    struct pc_host host;
    struct bus bus;
    struct guest_uart uarts[PC_UARTS];
    struct debug_port debug_port;
    struct system_ports system;
};

/* Makes and resets it, at guest time 0. false: two devices want the same place, which is a fault of our own.
 */
must_check bool pc_create(struct pc *pc, const struct pc_host *host);

#endif
