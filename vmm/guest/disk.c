/* SPDX-License-Identifier: MIT */
/* The image of a disk or diskette as a drive. */
#include "vmm/guest/disk.h"

#include <stddef.h>

/* The BIOS parameter block in a FAT boot sector, behind a jump. Microsoft's "FAT: General Overview of On-Disk
 * Format". */
#define JUMP_SHORT      0xebu
#define JUMP_NEAR       0xe9u
#define BPB_SECTOR_SIZE 11u
#define BPB_PER_CLUSTER 13u
#define BPB_TOTAL       19u /* sectors; 16 bits are enough for a diskette */
#define BPB_MEDIA       21u
#define BPB_MEDIA_LEAST 0xf0u
#define BPB_PER_TRACK   24u
#define BPB_HEADS       26u

#define FLOPPY_CYLINDERS_40 43u /* what a drive of 40 cylinders reaches */
#define FLOPPY_USUAL_KIB    1440u

/* Partition table of a master boot record: four entries. UEFI Specification, "Legacy Master Boot Record". */
#define PARTITION_TABLE     446u
#define PARTITION_SIZE      16u
#define PARTITION_COUNT     4u
#define PARTITION_TYPE      4u
#define PARTITION_END_HEAD  5u /* then sector (5:0) with cylinder 9:8 in 7:6, then cylinder 7:0 */
#define PARTITION_FIRST_LBA 8u
#define PARTITION_LBA_COUNT 12u
#define CYLINDER_UNTELLING  1023u /* and above: the end could not be written as CHS */

static uint32_t read16(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8;
}

static uint32_t read32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

struct floppy_format {
    uint16_t kib;
    uint8_t cylinders, heads, per_track, type;
};

static const struct floppy_format formats[] = {
    {160, 40, 1, 8, 1}, {180, 40, 1, 9, 1},   {320, 40, 2, 8, 1},   {360, 40, 2, 9, 1},   {640, 80, 2, 8, 3},
    {720, 80, 2, 9, 3}, {1200, 80, 2, 15, 2}, {1440, 80, 2, 18, 4}, {2880, 80, 2, 36, 5},
};

/* The drive that such a diskette goes into: by its tracks, then by what fits on one. */
static uint8_t drive_type(uint32_t cylinders, uint32_t per_track)
{
    if (cylinders <= FLOPPY_CYLINDERS_40 && per_track <= 9)
        return 1;
    if (per_track <= 10)
        return 3;
    if (per_track == 15)
        return 2;
    return per_track <= 21 ? 4 : 5;
}

/*
 * The BIOS parameter block of a FAT boot sector, if it describes a diskette on which all of the image has its
 * place. Every field may be anything.
 */
static bool geometry_of_bpb(const uint8_t *image, uint64_t length, struct guest_disk *disk)
{
    uint32_t per_cluster, total, per_track, heads;

    if (length < DISK_SECTOR_SIZE || (image[0] != JUMP_SHORT && image[0] != JUMP_NEAR))
        return false;
    per_cluster = image[BPB_PER_CLUSTER];
    total = read16(image + BPB_TOTAL);
    per_track = read16(image + BPB_PER_TRACK);
    heads = read16(image + BPB_HEADS);
    if (read16(image + BPB_SECTOR_SIZE) != DISK_SECTOR_SIZE || per_cluster == 0 ||
        (per_cluster & (per_cluster - 1)) != 0 || image[BPB_MEDIA] < BPB_MEDIA_LEAST)
        return false;
    if (per_track == 0 || per_track > DISK_TRACK_SECTORS || heads == 0 || heads > DISK_FLOPPY_HEADS_MAX ||
        total == 0 || total % (per_track * heads) != 0)
        return false;
    if (total / (per_track * heads) > DISK_FLOPPY_CYLINDERS_MAX ||
        (uint64_t)total * DISK_SECTOR_SIZE < length)
        return false;
    disk->sectors = total;
    disk->per_track = per_track;
    disk->heads = heads;
    disk->cylinders = total / (per_track * heads);
    disk->floppy_type = drive_type(disk->cylinders, per_track);
    return true;
}

/* A size that is no format's is an image whose end was left out: of the usual diskette, if it is one. */
static const struct floppy_format *format_of_size(uint64_t length)
{
    const struct floppy_format *larger = NULL;

    for (unsigned i = 0; i < array_count(formats); i++) {
        uint64_t size = (uint64_t)formats[i].kib * 1024;

        if (length == size)
            return &formats[i];
        if (larger == NULL && length < size && formats[i].kib >= FLOPPY_USUAL_KIB)
            larger = &formats[i];
    }
    return larger;
}

must_check bool guest_disk_floppy(struct guest_disk *disk, const uint8_t *image, uint64_t length)
{
    const struct floppy_format *format = format_of_size(length);

    *disk = (struct guest_disk){.number = DISK_FIRST_FLOPPY};
    if (geometry_of_bpb(image, length, disk))
        return true;
    if (format == NULL)
        return false;
    disk->sectors = (uint64_t)format->kib * 1024 / DISK_SECTOR_SIZE;
    disk->cylinders = format->cylinders;
    disk->heads = format->heads;
    disk->per_track = format->per_track;
    disk->floppy_type = format->type;
    return true;
}

/* The end of a partition stands there twice, as CHS and as a number: if both name one sector, its head and
 * sector are the last of a cylinder, as partitions of old end. */
static bool geometry_of_partition(const uint8_t *entry, struct guest_disk *disk)
{
    uint32_t head = entry[PARTITION_END_HEAD], sector = entry[PARTITION_END_HEAD + 1] & 0x3f;
    uint32_t cylinder = (entry[PARTITION_END_HEAD + 1] & 0xc0u) << 2 | entry[PARTITION_END_HEAD + 2];
    uint64_t end = (uint64_t)read32(entry + PARTITION_FIRST_LBA) + read32(entry + PARTITION_LBA_COUNT);
    uint64_t told = (((uint64_t)cylinder * (head + 1)) + head) * sector + sector;

    if (entry[PARTITION_TYPE] == 0 || sector == 0 || head >= DISK_HEADS_MAX || cylinder >= CYLINDER_UNTELLING)
        return false;
    if (end != told)
        return false;
    disk->heads = head + 1;
    disk->per_track = sector;
    return true;
}

static bool geometry_of_table(const uint8_t *image, uint64_t length, struct guest_disk *disk)
{
    if (length < DISK_SECTOR_SIZE || !guest_disk_bootable(image))
        return false;
    for (unsigned i = 0; i < PARTITION_COUNT; i++)
        if (geometry_of_partition(image + PARTITION_TABLE + i * PARTITION_SIZE, disk))
            return true;
    return false;
}

static void geometry_of_size(struct guest_disk *disk)
{
    static const uint8_t heads[] = {16, 32, 64, 128, DISK_HEADS_MAX};

    disk->per_track = DISK_TRACK_SECTORS;
    for (unsigned i = 0; i < array_count(heads); i++) {
        disk->heads = heads[i];
        if (disk->sectors <= (uint64_t)DISK_CYLINDERS_MAX * heads[i] * DISK_TRACK_SECTORS)
            break;
    }
}

void guest_disk_hard_disk(struct guest_disk *disk, const uint8_t *image, uint64_t length)
{
    uint64_t sectors = length / DISK_SECTOR_SIZE + (length % DISK_SECTOR_SIZE != 0), cylinders;

    *disk = (struct guest_disk){.sectors = sectors, .number = DISK_FIRST_HARD_DISK};
    if (!geometry_of_table(image, length, disk))
        geometry_of_size(disk);
    /* An incomplete last cylinder counts: what it lacks is refused sector by sector. */
    cylinders = (sectors + disk->heads * disk->per_track - 1) / (disk->heads * disk->per_track);
    disk->cylinders = cylinders > DISK_CYLINDERS_MAX ? DISK_CYLINDERS_MAX : (uint32_t)cylinders;
}

bool guest_disk_bootable(const uint8_t *sector)
{
    return read16(sector + DISK_SECTOR_SIZE - 2) == DISK_SIGNATURE;
}

must_check bool guest_disk_translate(const struct guest_disk *disk, uint32_t cylinder, uint32_t head,
                                     uint32_t sector, uint64_t *lba)
{
    if (cylinder >= disk->cylinders || head >= disk->heads || sector == 0 || sector > disk->per_track)
        return false;
    *lba = ((uint64_t)cylinder * disk->heads + head) * disk->per_track + sector - 1;
    return *lba < disk->sectors;
}

uint8_t *guest_disk_range(const struct guest_disk *disk, uint64_t lba, uint64_t count)
{
    if (lba > disk->sectors || count > disk->sectors - lba)
        return NULL;
    return disk->bytes + lba * DISK_SECTOR_SIZE;
}
