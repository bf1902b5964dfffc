/* SPDX-License-Identifier: MIT */
/*
 * QEMU's firmware configuration device at 0x510 (selector, 16 bits) and 0x511 (data). QEMU's
 * "docs/specs/fw_cfg". Here: signature, interface id, RAM size, CPU counts, the file directory and one file,
 * etc/e820. What is not here reads as zeros, as in QEMU. Not modelled: DMA, writing, which QEMU dropped.
 * Pure.
 */
#ifndef VMM_DEVICES_FW_CFG_H
#define VMM_DEVICES_FW_CFG_H

#include "vmm/devices/bus.h"

#define FW_CFG_E820_MAX        128u
#define FW_CFG_E820_ENTRY_SIZE 20u
#define FW_CFG_DIRECTORY_SIZE  (4u + 64u)

/* Address range types of ACPI's "System Address Map Interfaces". */
enum e820_type { E820_RAM = 1, E820_RESERVED = 2 };

struct e820_entry {
    uint64_t base, length;
    enum e820_type type;
};

struct fw_cfg {
    uint64_t ram_bytes;
    uint16_t cpus;
    uint16_t selected;
    uint32_t offset; /* of the next byte in what is selected */
    uint32_t e820_size;
    uint8_t e820[FW_CFG_E820_MAX * FW_CFG_E820_ENTRY_SIZE];
    uint8_t directory[FW_CFG_DIRECTORY_SIZE];
};

/* Entries beyond FW_CFG_E820_MAX do not fit and are left out. */
void fw_cfg_reset(struct fw_cfg *fw_cfg, uint64_t ram_bytes, uint16_t cpus, const struct e820_entry *map,
                  unsigned count);

/* Adds both ports. false: as bus_add_ports(). */
must_check bool fw_cfg_attach(struct fw_cfg *fw_cfg, struct bus *bus);

#endif
