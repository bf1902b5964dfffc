/* SPDX-License-Identifier: MIT */
/* What both parts of INT 13h share. Pure. */
#ifndef VMM_BIOS_DISK_H
#define VMM_BIOS_DISK_H

#include <stdint.h>

struct bios_call;

/* Status in AH. */
enum {
    DISK_DONE = 0x00,
    DISK_BAD_COMMAND = 0x01, /* function or argument */
    DISK_SECTOR_NOT_FOUND = 0x04,
    DISK_BAD_PARAMETERS = 0x07,
    DISK_BOUNDARY = 0x09, /* the memory for it cannot be reached */
    DISK_TIMEOUT = 0x80,  /* no drive answers */
};

#define DISK_EXTENSIONS_VERSION 0x21u /* AH=41h: 1.1 */

enum bios_disk_transfer { DISK_READ, DISK_WRITE, DISK_VERIFY };

/* Moves whole sectors between the drive and linear memory. Returns the status; after
 * DISK_BOUNDARY some may have been moved. */
uint8_t bios_disk_transfer(struct bios_call *call, enum bios_disk_transfer kind, uint64_t lba, uint32_t count,
                           uint32_t linear);

#endif
