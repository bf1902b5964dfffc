/* SPDX-License-Identifier: MIT */
/* The image of a disk or diskette as a drive. */
#include "vmm/guest_disk.h"

#include <stddef.h>

/* Partition table of a master boot record: four entries. UEFI Specification, "Legacy Master Boot Record". */
#define PARTITION_TABLE     446u
#define PARTITION_SIZE      16u
#define PARTITION_COUNT     4u
#define PARTITION_TYPE      4u
#define PARTITION_END_HEAD  5u /* then sector (5:0) with cylinder 9:8 in 7:6, then cylinder 7:0 */
#define PARTITION_FIRST_LBA 8u
#define PARTITION_LBA_COUNT 12u
#define CYLINDER_UNTELLING  1023u /* and above: the end could not be written as CHS */

struct floppy_format {
    uint16_t kib;
    uint8_t cylinders, heads, per_track, type;
};

static const struct floppy_format formats[] = {
    {160, 40, 1, 8, 1}, {180, 40, 1, 9, 1},   {320, 40, 2, 8, 1},   {360, 40, 2, 9, 1},
    {720, 80, 2, 9, 3}, {1200, 80, 2, 15, 2}, {1440, 80, 2, 18, 4}, {2880, 80, 2, 36, 5},
};

must_check bool guest_disk_floppy(struct guest_disk *disk, uint8_t *bytes, uint64_t length)
{
    for (unsigned i = 0; i < array_count(formats); i++) {
        const struct floppy_format *format = &formats[i];

        if (length != (uint64_t)format->kib * 1024)
            continue;
        *disk = (struct guest_disk){
            .bytes = bytes,
            .sectors = length / DISK_SECTOR_SIZE,
            .cylinders = format->cylinders,
            .heads = format->heads,
            .per_track = format->per_track,
            .number = DISK_FIRST_FLOPPY,
            .floppy_type = format->type,
        };
        return true;
    }
    return false;
}

static uint32_t read32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
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

static bool geometry_of_table(struct guest_disk *disk)
{
    if (!guest_disk_bootable(disk))
        return false;
    for (unsigned i = 0; i < PARTITION_COUNT; i++)
        if (geometry_of_partition(disk->bytes + PARTITION_TABLE + i * PARTITION_SIZE, disk))
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

void guest_disk_hard_disk(struct guest_disk *disk, uint8_t *bytes, uint64_t sectors)
{
    uint64_t cylinders;

    *disk = (struct guest_disk){.bytes = bytes, .sectors = sectors, .number = DISK_FIRST_HARD_DISK};
    if (!geometry_of_table(disk))
        geometry_of_size(disk);
    /* An incomplete last cylinder counts: what it lacks is refused sector by sector. */
    cylinders = (sectors + disk->heads * disk->per_track - 1) / (disk->heads * disk->per_track);
    disk->cylinders = cylinders > DISK_CYLINDERS_MAX ? DISK_CYLINDERS_MAX : (uint32_t)cylinders;
}

bool guest_disk_bootable(const struct guest_disk *disk)
{
    return disk->bytes[DISK_SECTOR_SIZE - 2] == (DISK_SIGNATURE & 0xff) &&
           disk->bytes[DISK_SECTOR_SIZE - 1] == DISK_SIGNATURE >> 8;
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
