/* SPDX-License-Identifier: MIT */
/* QEMU's firmware configuration device. */
#include "vmm/devices/fw_cfg.h"

#define PORT_SELECTOR 0x510u
#define PORT_DATA     0x511u

#define KEY_SIGNATURE 0x0000u
#define KEY_ID        0x0001u
#define KEY_RAM_SIZE  0x0003u
#define KEY_CPUS      0x0005u
#define KEY_MAX_CPUS  0x000fu
#define KEY_DIRECTORY 0x0019u
#define KEY_E820      0x0020u /* of the first file */

#define ID_TRADITIONAL 1u /* no DMA */

/* Numbers in the items are little-endian, those in the directory big-endian. */
static void put_little(uint8_t *to, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> (8 * i));
}

static void put_big(uint8_t *to, uint32_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        to[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

/* The number of files, then for each its size, key, two reserved bytes and 56 of name. */
static void fill_directory(struct fw_cfg *fw_cfg)
{
    static const char name[] = "etc/e820";

    put_big(fw_cfg->directory, 1, 4);
    put_big(fw_cfg->directory + 4, fw_cfg->e820_size, 4);
    put_big(fw_cfg->directory + 8, KEY_E820, 2);
    for (unsigned i = 0; i < sizeof(name); i++)
        fw_cfg->directory[12 + i] = (uint8_t)name[i];
}

void fw_cfg_reset(struct fw_cfg *fw_cfg, uint64_t ram_bytes, uint16_t cpus, const struct e820_entry *map,
                  unsigned count)
{
    *fw_cfg = (struct fw_cfg){.ram_bytes = ram_bytes, .cpus = cpus};
    for (unsigned i = 0; i < count && i < FW_CFG_E820_MAX; i++) {
        uint8_t *entry = fw_cfg->e820 + fw_cfg->e820_size;

        put_little(entry, map[i].base, 8);
        put_little(entry + 8, map[i].length, 8);
        put_little(entry + 16, map[i].type, 4);
        fw_cfg->e820_size += FW_CFG_E820_ENTRY_SIZE;
    }
    fill_directory(fw_cfg);
}

static uint8_t byte_of(uint64_t value, uint32_t offset, unsigned size)
{
    return offset < size ? (uint8_t)(value >> (8 * offset)) : 0;
}

static uint8_t next_byte(struct fw_cfg *fw_cfg)
{
    uint32_t offset = fw_cfg->offset;

    if (offset == UINT32_MAX)
        return 0;
    fw_cfg->offset++;
    switch (fw_cfg->selected) {
    case KEY_SIGNATURE:
        return byte_of('Q' | 'E' << 8 | 'M' << 16 | 'U' << 24, offset, 4);
    case KEY_ID:
        return byte_of(ID_TRADITIONAL, offset, 4);
    case KEY_RAM_SIZE:
        return byte_of(fw_cfg->ram_bytes, offset, 8);
    case KEY_CPUS:
    case KEY_MAX_CPUS:
        return byte_of(fw_cfg->cpus, offset, 2);
    case KEY_DIRECTORY:
        return offset < FW_CFG_DIRECTORY_SIZE ? fw_cfg->directory[offset] : 0;
    case KEY_E820:
        return offset < fw_cfg->e820_size ? fw_cfg->e820[offset] : 0;
    default:
        return 0;
    }
}

/* Only the data port can be read. */
static uint32_t read(void *device, uint16_t port, unsigned size, uint64_t now)
{
    (void)size, (void)now;
    return port == PORT_DATA ? next_byte(device) : UINT32_MAX;
}

/* Only the selector can be written, and only as a whole. */
static void write(void *device, uint16_t port, unsigned size, uint32_t value, uint64_t now)
{
    struct fw_cfg *fw_cfg = device;

    (void)now;
    if (port != PORT_SELECTOR || size != 2)
        return;
    fw_cfg->selected = (uint16_t)value;
    fw_cfg->offset = 0;
}

bool fw_cfg_attach(struct fw_cfg *fw_cfg, struct bus *bus)
{
    const struct device_ports selector = {"fw_cfg", PORT_SELECTOR, PORT_SELECTOR, 2, fw_cfg, read, write};
    const struct device_ports data = {"fw_cfg", PORT_DATA, PORT_DATA, 1, fw_cfg, read, write};

    return bus_add_ports(bus, &selector) && bus_add_ports(bus, &data);
}
