/* SPDX-License-Identifier: MIT */
/* INT 13h: one drive, sectors by cylinder, head and sector. Extensions are in vmm/bios/disk_extended.c. */
#include "vmm/bios/bios.h"
#include "vmm/bios/disk.h"

#include <stddef.h>

#define CHANGE_LINE_NONE 0x01u /* AH=15h: a diskette drive without one */
#define HARD_DISK        0x03u

static bool has_drive(const struct bios_call *call, uint8_t number)
{
    return call->bios->has_disk && number == call->bios->disk.number;
}

uint8_t bios_disk_transfer(struct bios_call *call, enum bios_disk_transfer kind, uint64_t lba, uint32_t count,
                           uint32_t linear)
{
    uint8_t *bytes = guest_disk_range(&call->bios->disk, lba, count);
    size_t length = (size_t)count * DISK_SECTOR_SIZE;
    bool good = true;

    if (bytes == NULL)
        return DISK_SECTOR_NOT_FOUND;
    if (kind == DISK_READ)
        good = call->access->write(call->context, linear, bytes, length);
    else if (kind == DISK_WRITE)
        good = call->access->read(call->context, linear, bytes, length);
    return good ? DISK_DONE : DISK_BOUNDARY;
}

/* AH=02h, 03h, 04h. AL counts sectors; CH and CL 7:6 are the cylinder, CL 5:0 the sector, DH the head. */
static uint8_t transfer(struct bios_call *call, struct bios_registers *r, enum bios_disk_transfer kind)
{
    uint32_t count = r->eax & 0xff, sector = r->ecx & 0x3f;
    uint32_t cylinder = bios_high(r->ecx) | (r->ecx & 0xc0) << 2;
    uint64_t lba;
    uint8_t status;

    if (count == 0 || sector == 0)
        return DISK_BAD_COMMAND;
    if (!guest_disk_translate(&call->bios->disk, cylinder, bios_high(r->edx), sector, &lba))
        return DISK_SECTOR_NOT_FOUND;
    /* A BIOS goes on to the next track and head by itself; to the next sectors, then. */
    status = bios_disk_transfer(call, kind, lba, count, r->es_base + (uint16_t)r->ebx);
    if (status != DISK_DONE)
        bios_set8(&r->eax, 0);
    return status;
}

/* AH=08h: the last cylinder, head and sector, and how many drives there are. */
static uint8_t parameters(struct bios_call *call, struct bios_registers *r)
{
    uint8_t number = (uint8_t)r->edx;
    uint32_t last = call->bios->disk.cylinders - 1;
    bool floppy = number < DISK_FIRST_HARD_DISK;
    bool drives = call->bios->has_disk && floppy == (call->bios->disk.number < DISK_FIRST_HARD_DISK);

    if (!has_drive(call, number)) {
        bios_set16(&r->ecx, 0);
        bios_set16(&r->edx, drives ? 1 : 0);
        if (!floppy)
            return DISK_BAD_PARAMETERS;
        bios_set16(&r->eax, 0);
        bios_set16(&r->ebx, 0);
        return DISK_DONE;
    }
    bios_set_high(&r->ecx, (uint8_t)last);
    bios_set8(&r->ecx, (uint8_t)(call->bios->disk.per_track | (last >> 2 & 0xc0)));
    bios_set_high(&r->edx, (uint8_t)(call->bios->disk.heads - 1));
    bios_set8(&r->edx, 1);
    bios_set8(&r->eax, 0);
    if (floppy) {
        bios_set16(&r->ebx, call->bios->disk.floppy_type);
        bios_set16(&r->edi, call->bios->rom.floppy_parameters);
        r->es = call->bios->code_segment;
        r->set_es = true;
    }
    return DISK_DONE;
}

/* AH=15h has its own results: AH is the kind of drive, CX:DX the sectors of a hard disk. */
static enum bios_outcome drive_type(struct bios_call *call, struct bios_registers *r)
{
    uint64_t sectors = call->bios->disk.sectors;
    uint8_t number = (uint8_t)r->edx;

    bios_flag(r, FLAGS_CF, false);
    if (!has_drive(call, number)) {
        bios_set_high(&r->eax, 0);
    } else if (number < DISK_FIRST_HARD_DISK) {
        bios_set_high(&r->eax, CHANGE_LINE_NONE);
    } else {
        if (sectors > UINT32_MAX)
            sectors = UINT32_MAX;
        bios_set_high(&r->eax, HARD_DISK);
        bios_set16(&r->ecx, (uint16_t)(sectors >> 16));
        bios_set16(&r->edx, (uint16_t)sectors);
    }
    return BIOS_RETURN;
}

static enum bios_outcome finish(struct bios_call *call, struct bios_registers *r, uint8_t status)
{
    call->bios->disk_status = status;
    bios_write8(call, (uint8_t)r->edx < DISK_FIRST_HARD_DISK ? BDA_FLOPPY_STATUS : BDA_DISK_STATUS, status);
    bios_set_high(&r->eax, status);
    bios_flag(r, FLAGS_CF, status != DISK_DONE);
    return BIOS_RETURN;
}

/* What needs a drive and tells its end in AH. */
static enum bios_outcome with_drive(struct bios_call *call, struct bios_registers *r)
{
    uint8_t function = bios_high(r->eax);

    if (!has_drive(call,
                   (uint8_t)r->edx)) /* a diskette drive does not answer, a disk's number is not known */
        return finish(call, r, (uint8_t)r->edx < DISK_FIRST_HARD_DISK ? DISK_TIMEOUT : DISK_BAD_COMMAND);
    switch (function) {
    case 0x02:
        return finish(call, r, transfer(call, r, DISK_READ));
    case 0x03:
        return finish(call, r, transfer(call, r, DISK_WRITE));
    case 0x04:
        return finish(call, r, transfer(call, r, DISK_VERIFY));
    case 0x0c: /* seek */
    case 0x0d: /* reset the hard disk */
    case 0x10: /* is it ready */
    case 0x11: /* recalibrate */
    case 0x16: /* was the diskette changed: never */
        return finish(call, r, DISK_DONE);
    case 0x41:
        (void)finish(call, r, bios_disk_extended(call, r));
        if (!(r->flags & FLAGS_CF))
            bios_set_high(&r->eax, DISK_EXTENSIONS_VERSION);
        return BIOS_RETURN;
    case 0x42:
    case 0x43:
    case 0x44:
    case 0x47:
    case 0x48:
        return finish(call, r, bios_disk_extended(call, r));
    default:
        (void)finish(call, r, DISK_BAD_COMMAND);
        bios_set_high(&r->eax, function); /* which it was */
        return bios_missing(call, r, 0x13, DISK_BAD_COMMAND);
    }
}

enum bios_outcome bios_disk(struct bios_call *call, struct bios_registers *r)
{
    uint8_t status;

    switch (bios_high(r->eax)) {
    case 0x00: /* reset; all drives are always fit */
        return finish(call, r, DISK_DONE);
    case 0x01: /* status of the last call */
        status = call->bios->disk_status;
        bios_set8(&r->eax, status);
        return finish(call, r, status);
    case 0x08:
        return finish(call, r, parameters(call, r));
    case 0x15:
        return drive_type(call, r);
    default:
        return with_drive(call, r);
    }
}
