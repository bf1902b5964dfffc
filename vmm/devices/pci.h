/* SPDX-License-Identifier: MIT */
/*
 * PCI configuration space by mechanism 1 (0xcf8, 0xcfc to 0xcff), with a host bridge as function 0 of device
 * 0 on bus 0 and nothing else: all other functions read all ones. PCI Local Bus Specification 3.0,
 * "Configuration Space". The bridge calls itself Intel's 440FX, as QEMU's does; of its registers only the
 * standard header is there, and none can be changed. Pure.
 */
#ifndef VMM_DEVICES_PCI_H
#define VMM_DEVICES_PCI_H

#include "vmm/devices/bus.h"

struct pci {
    uint32_t address; /* 0xcf8 */
};

void pci_reset(struct pci *pci);

/* Adds the ports. false: as bus_add_ports(). */
must_check bool pci_attach(struct pci *pci, struct bus *bus);

#endif
