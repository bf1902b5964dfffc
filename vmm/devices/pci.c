/* SPDX-License-Identifier: MIT */
/* PCI configuration space with a host bridge. */
#include "vmm/devices/pci.h"

#define PORT_ADDRESS 0xcf8u
#define PORT_DATA    0xcfcu

/* 31 enable, 23:16 bus, 15:11 device, 10:8 function, 7:2 register. */
#define ADDRESS_BITS     0x80fffffcu
#define ADDRESS_ENABLE   0x80000000u
#define ADDRESS_FUNCTION 0x00ffff00u

#define BRIDGE_VENDOR   0x8086u
#define BRIDGE_DEVICE   0x1237u
#define BRIDGE_COMMAND  0x0006u /* memory space, bus master: cannot be switched off */
#define BRIDGE_STATUS   0x0280u /* medium DEVSEL timing, fast back-to-back */
#define BRIDGE_REVISION 0x02u
#define BRIDGE_CLASS    0x060000u

void pci_reset(struct pci *pci)
{
    pci->address = 0;
}

/* The header's type is 0: BARs, subsystem, ROM, capabilities and interrupt are all 0. */
static uint32_t bridge_register(unsigned number)
{
    switch (number) {
    case 0x00:
        return BRIDGE_DEVICE << 16 | BRIDGE_VENDOR;
    case 0x04:
        return BRIDGE_STATUS << 16 | BRIDGE_COMMAND;
    case 0x08:
        return BRIDGE_CLASS << 8 | BRIDGE_REVISION;
    default:
        return 0;
    }
}

static uint32_t read(void *device, uint16_t port, unsigned size, uint64_t now)
{
    const struct pci *pci = device;

    (void)now;
    if (port == PORT_ADDRESS) /* its parts are no registers of this bus */
        return size == 4 ? pci->address : UINT32_MAX;
    if ((pci->address & ADDRESS_ENABLE) == 0 || (pci->address & ADDRESS_FUNCTION) != 0)
        return UINT32_MAX;
    return bridge_register(pci->address & 0xfc) >> (8 * (port & 3));
}

static void write(void *device, uint16_t port, unsigned size, uint32_t value, uint64_t now)
{
    struct pci *pci = device;

    (void)now;
    if (port == PORT_ADDRESS && size == 4)
        pci->address = value & ADDRESS_BITS;
}

bool pci_attach(struct pci *pci, struct bus *bus)
{
    const struct device_ports address = {"pci", PORT_ADDRESS, PORT_ADDRESS, 4, pci, read, write};
    const struct device_ports data = {"pci", PORT_DATA, PORT_DATA + 3, 4, pci, read, write};

    return bus_add_ports(bus, &address) && bus_add_ports(bus, &data);
}
