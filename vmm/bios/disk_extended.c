/* SPDX-License-Identifier: MIT */
/* The extensions of INT 13h, sectors by number. "BIOS Enhanced Disk Drive Specification" 1.1, Phoenix. */
#include "vmm/bios/bios.h"
#include "vmm/bios/disk.h"

#include <stddef.h>

#define EXTENSIONS_FIXED 0x01u /* CX: AH=42h to 44h, 47h, 48h */

/* The disk address packet at DS:SI. */
#define PACKET_SIZE   16u
#define PACKET_COUNT  2u
#define PACKET_BUFFER 4u /* offset, segment */
#define PACKET_LBA    8u
#define PACKET_MAX    127u /* sectors */

/* The result buffer of AH=48h at DS:SI. */
#define RESULT_SIZE     26u
#define RESULT_GEOMETRY 0x0002u /* cylinders, heads and sectors are valid */

static uint64_t read64(struct bios_call *call, uint32_t linear)
{
    return bios_read32(call, linear) | (uint64_t)bios_read32(call, linear + 4) << 32;
}

static uint8_t transfer(struct bios_call *call, struct bios_registers *r, enum bios_disk_transfer kind)
{
    uint32_t packet = r->ds_base + (uint16_t)r->esi;
    uint32_t count = bios_read16(call, packet + PACKET_COUNT);
    uint32_t linear = ((uint32_t)bios_read16(call, packet + PACKET_BUFFER + 2) << 4) +
                      bios_read16(call, packet + PACKET_BUFFER);
    uint8_t status = DISK_BAD_COMMAND;

    if (bios_read8(call, packet) < PACKET_SIZE)
        return DISK_BAD_COMMAND; /* too short to hold even the count */
    if (count <= PACKET_MAX)     /* 0: nothing is moved, and that is no error */
        status = bios_disk_transfer(call, kind, read64(call, packet + PACKET_LBA), count, linear);
    if (status != DISK_DONE)
        bios_write16(call, packet + PACKET_COUNT, 0); /* as many were moved */
    return status;
}

static uint8_t parameters(struct bios_call *call, struct bios_registers *r)
{
    uint32_t result = r->ds_base + (uint16_t)r->esi;

    if (bios_read16(call, result) < RESULT_SIZE)
        return DISK_BAD_COMMAND;
    bios_write16(call, result, RESULT_SIZE);
    bios_write16(call, result + 2, RESULT_GEOMETRY);
    bios_write32(call, result + 4, call->bios->disk.cylinders);
    bios_write32(call, result + 8, call->bios->disk.heads);
    bios_write32(call, result + 12, call->bios->disk.per_track);
    bios_write32(call, result + 16, (uint32_t)call->bios->disk.sectors);
    bios_write32(call, result + 20, (uint32_t)(call->bios->disk.sectors >> 32));
    bios_write16(call, result + 24, DISK_SECTOR_SIZE);
    return DISK_DONE;
}

uint8_t bios_disk_extended(struct bios_call *call, struct bios_registers *r)
{
    if (call->bios->disk.number < DISK_FIRST_HARD_DISK)
        return DISK_BAD_COMMAND;
    switch (bios_high(r->eax)) {
    case 0x41:
        if ((uint16_t)r->ebx != 0x55aa)
            return DISK_BAD_COMMAND;
        bios_set16(&r->ebx, 0xaa55);
        bios_set16(&r->ecx, EXTENSIONS_FIXED);
        return DISK_DONE;
    case 0x42:
        return transfer(call, r, DISK_READ);
    case 0x43: /* AL: with or without verification, of which RAM needs none */
        return (r->eax & 0xff) > 2 ? DISK_BAD_COMMAND : transfer(call, r, DISK_WRITE);
    case 0x44:
        return transfer(call, r, DISK_VERIFY);
    case 0x47:
        return guest_disk_range(&call->bios->disk, read64(call, r->ds_base + (uint16_t)r->esi + PACKET_LBA),
                                1)
                   ? DISK_DONE
                   : DISK_SECTOR_NOT_FOUND;
    default:
        return parameters(call, r);
    }
}
