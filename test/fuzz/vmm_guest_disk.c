/* SPDX-License-Identifier: MIT */
/* libFuzzer: any image as a diskette and as a disk, whatever its boot sector says. The geometry is one that
 * INT 13h can tell, a diskette holds its image, and every address that is translated is a sector of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/guest/disk.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

static void check(const struct guest_disk *disk, uint64_t length)
{
    uint64_t lba;

    require(disk->cylinders >= 1 && disk->cylinders <= DISK_CYLINDERS_MAX);
    require(disk->heads >= 1 && disk->heads <= DISK_HEADS_MAX);
    require(disk->per_track >= 1 && disk->per_track <= DISK_TRACK_SECTORS);
    require(disk->sectors >= length / DISK_SECTOR_SIZE);
    require(guest_disk_translate(disk, 0, 0, 1, &lba) && lba == 0);
    if (guest_disk_translate(disk, disk->cylinders - 1, disk->heads - 1, disk->per_track, &lba))
        require(lba < disk->sectors);
    require(!guest_disk_translate(disk, disk->cylinders, 0, 1, &lba));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The length that is claimed first, in sectors, then the image's first bytes: as much of it as there is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct guest_disk disk;
    uint64_t length = size;
    uint32_t sectors;
    uint8_t *image;

    if (size < sizeof(sectors))
        return 0;
    memcpy(&sectors, data, sizeof(sectors));
    size -= sizeof(sectors);
    image = malloc(size > 0 ? size : 1); /* of exactly its size: ASan sees a read too far */
    memcpy(image, data + sizeof(sectors), size);
    length = size < DISK_SECTOR_SIZE ? size : (uint64_t)sectors * DISK_SECTOR_SIZE + size;
    if (guest_disk_floppy(&disk, image, length)) {
        require(disk.cylinders <= DISK_FLOPPY_CYLINDERS_MAX && disk.heads <= DISK_FLOPPY_HEADS_MAX);
        require(disk.sectors == (uint64_t)disk.cylinders * disk.heads * disk.per_track);
        require(disk.sectors * DISK_SECTOR_SIZE >= length &&
                disk.sectors * DISK_SECTOR_SIZE <= DISK_FLOPPY_BYTES_MAX);
        require(disk.floppy_type >= 1 && disk.floppy_type <= 5);
        check(&disk, length);
    }
    if (length > 0) {
        guest_disk_hard_disk(&disk, image, length);
        check(&disk, length);
    }
    free(image);
    return 0;
}
