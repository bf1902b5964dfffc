/* SPDX-License-Identifier: MIT */
/* Which of a guest's physical memory a program may use. */
#include "vmm/vm/memory_map.h"

#include <stddef.h>

#define VIDEO_BASE UINT64_C(0xa0000)
#define MIB        UINT64_C(0x100000)
#define GIB_4      UINT64_C(0x100000000)

static void add(struct guest_memory_map *map, uint64_t base, uint64_t end, uint32_t type)
{
    struct guest_memory_range *last = map->count > 0 ? &map->ranges[map->count - 1] : NULL;

    if (base >= end)
        return;
    if (last != NULL && last->type == type && last->base + last->length == base)
        last->length += end - base;
    else if (map->count < GUEST_MEMORY_MAP_MAX)
        map->ranges[map->count++] = (struct guest_memory_range){base, end - base, type};
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add_ram(struct guest_memory_map *map, uint64_t base, uint64_t end, uint64_t low_end)
{
    add(map, base, least(end, low_end), GUEST_MEMORY_USABLE);
    add(map, most(base, low_end), least(end, VIDEO_BASE), GUEST_MEMORY_RESERVED);
    add(map, most(base, MIB), end, GUEST_MEMORY_USABLE);
}

void guest_memory_map_make(struct guest_memory_map *map, const struct ept_region_list *regions,
                           uint64_t low_end)
{
    map->count = 0;
    for (unsigned i = 0; i < regions->count; i++) {
        const struct ept_region *region = &regions->regions[i];

        if (region->kind == EPT_REGION_RAM || region->kind == EPT_REGION_IDENTITY)
            add_ram(map, region->gpa, region->gpa + region->size, low_end);
        else if (region->kind == EPT_REGION_ROM)
            add(map, region->gpa, region->gpa + region->size, GUEST_MEMORY_RESERVED);
    }
}

uint64_t guest_memory_map_room(const struct guest_memory_map *map, uint64_t from)
{
    for (unsigned i = 0; i < map->count; i++) {
        const struct guest_memory_range *range = &map->ranges[i];

        if (range->type == GUEST_MEMORY_USABLE && from >= range->base && from - range->base < range->length)
            return range->length - (from - range->base);
    }
    return 0;
}

uint32_t guest_memory_map_lower(const struct guest_memory_map *map)
{
    return (uint32_t)(least(guest_memory_map_room(map, 0), VIDEO_BASE) / 1024);
}

uint32_t guest_memory_map_upper(const struct guest_memory_map *map)
{
    return (uint32_t)(least(guest_memory_map_room(map, MIB), GIB_4 - MIB) / 1024);
}
