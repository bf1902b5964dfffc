/* SPDX-License-Identifier: MIT */
/*
 * The image of a disk or diskette as a drive of 512-byte sectors with a geometry of cylinders, heads and
 * sectors. Pure: the bytes are handed in.
 */
#ifndef VMM_GUEST_DISK_H
#define VMM_GUEST_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"

#define DISK_SECTOR_SIZE          512u
#define DISK_SIGNATURE            0xaa55u /* the last word of a sector that can be booted */
#define DISK_CYLINDERS_MAX        1024u   /* what INT 13h has bits for */
#define DISK_HEADS_MAX            255u
#define DISK_TRACK_SECTORS        63u
#define DISK_FIRST_FLOPPY         0x00u
#define DISK_FLOPPY_HEADS_MAX     2u
#define DISK_FLOPPY_CYLINDERS_MAX 86u /* what a drive of 80 cylinders reaches */
#define DISK_FLOPPY_BYTES_MAX                                                                                \
    (DISK_FLOPPY_CYLINDERS_MAX * DISK_FLOPPY_HEADS_MAX * DISK_TRACK_SECTORS * DISK_SECTOR_SIZE)
#define DISK_FIRST_HARD_DISK 0x80u

struct guest_disk {
    uint8_t *bytes; /* `sectors` whole sectors */
    uint64_t sectors;
    uint32_t cylinders;  /* 1 to 1024 */
    uint32_t heads;      /* 1 to 255 */
    uint32_t per_track;  /* 1 to 63 sectors, numbered from 1 */
    uint8_t number;      /* as INT 13h calls the drive: 0x00 or 0x80 */
    uint8_t floppy_type; /* as CMOS and INT 13h AH=08h number them, 1: 360K to 5: 2.88M; 0: a hard disk */
};

/*
 * What diskette an image of `length` bytes is of: the one that its BIOS parameter block describes, if all of
 * it has its place there; else of 160K, 180K, 320K, 360K, 640K, 720K, 1200K, 1440K or 2880K by its size; a
 * shorter one is of 1440K, or of 2880K, and what it lacks is zero. false: it is longer than any. The caller
 * sets disk->bytes, to disk->sectors sectors that begin with the image.
 */
must_check bool guest_disk_floppy(struct guest_disk *disk, const uint8_t *image, uint64_t length);

/*
 * What hard disk an image of `length` bytes (at least 1) is of: the last sector may be incomplete. Heads and
 * sectors a track are those by which the partition table was written, if it tells; else 63 sectors, and as
 * few heads of 16, 32, 64, 128, 255 as reach all of it with 1024 cylinders, or the most. The caller sets
 * disk->bytes, to whole sectors.
 */
void guest_disk_hard_disk(struct guest_disk *disk, const uint8_t *image, uint64_t length);

/* Whether a sector ends with 55h AAh. */
bool guest_disk_bootable(const uint8_t *sector);

/* The sector number of a CHS address, in *lba. false: the geometry, or the image, does not have it. */
must_check bool guest_disk_translate(const struct guest_disk *disk, uint32_t cylinder, uint32_t head,
                                     uint32_t sector, uint64_t *lba);

/* The bytes of `count` sectors from `lba`; NULL if not all of them exist. */
uint8_t *guest_disk_range(const struct guest_disk *disk, uint64_t lba, uint64_t count);

#endif
