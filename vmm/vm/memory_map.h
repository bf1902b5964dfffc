/* SPDX-License-Identifier: MIT */
/* Which of a guest's physical memory a program may use, as INT 15h AX=E820h, multiboot and fw_cfg tell it.
 * Pure. */
#ifndef VMM_VM_MEMORY_MAP_H
#define VMM_VM_MEMORY_MAP_H

#include <stdint.h>

#include "ept/region.h"

#define GUEST_MEMORY_MAP_MAX 64

/* The numbers are those of E820h and of multiboot. */
#define GUEST_MEMORY_USABLE   1u
#define GUEST_MEMORY_RESERVED 2u

struct guest_memory_range {
    uint64_t base, length; /* bytes */
    uint32_t type;
};

struct guest_memory_map {
    struct guest_memory_range ranges[GUEST_MEMORY_MAP_MAX]; /* sorted, disjoint */
    unsigned count;
};

/*
 * RAM and identity regions are usable, ROM regions reserved. Between `low_end` (a multiple of 1 KiB, at most
 * 640 KiB) and 1 MiB nothing is usable: RAM below 640 KiB is reserved there, and other RAM, which is a video
 * adapter's, not told. What does not fit is left out from the top.
 */
void guest_memory_map_make(struct guest_memory_map *map, const struct ept_region_list *regions,
                           uint64_t low_end);

/* KiB of usable memory in a row from 0, and from 1 MiB, the latter at most up to 4 GiB. */
uint32_t guest_memory_map_lower(const struct guest_memory_map *map);
uint32_t guest_memory_map_upper(const struct guest_memory_map *map);

/* Bytes of usable memory at and above `from` in the range that holds it, 0 if none does. */
uint64_t guest_memory_map_room(const struct guest_memory_map *map, uint64_t from);

#endif
