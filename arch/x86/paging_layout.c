/* SPDX-License-Identifier: MIT */
/* Building the final tables: the direct map with the largest pages that fit, the image by its sections. */
#include "arch/x86/control_registers.h"
#include "arch/x86/cpuid.h"
#include "arch/x86/memory.h"
#include "arch/x86/paging.h"
#include "arch/x86/paging_entry.h"

extern const uint8_t image_start[], text_start[], text_end[], data_start[], data_end[], image_end[];

static uint64_t direct_map_end;

/* How a piece of the direct map is mapped, up to `end`. */
struct piece {
    uint64_t end;
    uint64_t rights;
    enum pat_index type;
};

static uint64_t image_size(const uint8_t *from, const uint8_t *to)
{
    return (uint64_t)(to - from);
}

/* The range of the memory map that holds the address decides; where there is none: device memory, up to the
 * next range. */
static struct piece piece_at(const struct paging_layout *layout, uint64_t physical, uint64_t limit)
{
    struct piece piece = {limit, PAGE_WRITE | PAGE_NO_EXECUTE, PAT_UC};
    /* The image's read-only part must not be writable by way of the direct map. */
    uint64_t fixed_end = layout->image_physical + image_size(image_start, data_start);

    for (unsigned i = 0; i < layout->range_count; i++) {
        const struct paging_range *range = &layout->ranges[i];
        uint64_t end = range->base + range->length;
        if (physical >= end)
            continue;
        if (physical < range->base) {
            piece.end = range->base < limit ? range->base : limit;
            return piece;
        }
        piece.type = range->ram ? PAT_WB : PAT_UC;
        piece.end = end < limit ? end : limit;
        /* Neighbours of one kind make one piece, for the sake of large pages. */
        while (++i < layout->range_count && layout->ranges[i].base == piece.end &&
               layout->ranges[i].ram == range->ram && piece.end < limit)
            piece.end += layout->ranges[i].length;
        if (piece.end > limit)
            piece.end = limit;
        break;
    }
    if (physical >= layout->image_physical && physical < fixed_end) {
        piece.rights = PAGE_NO_EXECUTE;
        piece.end = fixed_end < piece.end ? fixed_end : piece.end;
    } else if (physical < layout->image_physical && layout->image_physical < piece.end) {
        piece.end = layout->image_physical;
    }
    return piece;
}

static bool map_direct(const struct paging_layout *layout, uint64_t from, uint64_t to)
{
    unsigned largest = 2;

    if (cpuid_highest_extended() >= 0x80000001u && (cpuid(0x80000001u, 0).edx & CPUID_81_EDX_PAGE_1G))
        largest = 3;
    while (from < to) {
        struct piece piece = piece_at(layout, from, to);
        while (from < piece.end) {
            unsigned level = largest;
            uint64_t *entry;
            while (level > 1) {
                uint64_t size = paging_level_size(level);
                if ((from & (size - 1)) == 0 && piece.end - from >= size &&
                    mtrr_page_uniform(layout->mtrr, from, size))
                    break;
                level--;
            }
            entry = paging_entry(MEMORY_DIRECT_MAP_BASE + from, level);
            if (entry == NULL)
                return false;
            *entry = paging_leaf(from, level, piece.rights, piece.type);
            from += paging_level_size(level);
        }
    }
    return true;
}

/* [from, to) of the image, as linked. */
static bool map_image(const struct paging_layout *layout, const uint8_t *from, const uint8_t *to,
                      uint64_t rights)
{
    uint64_t physical = layout->image_physical + image_size(image_start, from);

    for (uint64_t address = (uint64_t)(uintptr_t)from; address < (uint64_t)(uintptr_t)to;
         address += PAGE_SIZE) {
        uint64_t *entry = paging_entry(address, 1);
        if (entry == NULL)
            return false;
        *entry = paging_leaf(physical, 1, rights, PAT_WB);
        physical += PAGE_SIZE;
    }
    return true;
}

/* Everything the processor can address at most: beyond it an entry would have reserved bits set. */
static uint64_t physical_limit(void)
{
    uint64_t limit = UINT64_C(1) << cpuid_physical_width();

    return limit < MEMORY_DIRECT_MAP_SIZE ? limit : MEMORY_DIRECT_MAP_SIZE;
}

must_check bool paging_init(const struct paging_layout *layout)
{
    uint64_t limit = physical_limit(), table;
    uint64_t low_end = limit < FOUR_GIB ? limit : FOUR_GIB;

    paging_set_alloc(layout->alloc);
    table = layout->alloc();
    if (table == PAGING_NO_FRAME)
        return false;
    memset(phys_to_virt(table), 0, PAGE_SIZE);
    paging_set_root(table);

    /* The first 4 GiB wholly: firmware tables and devices are there. Above, what the memory map names. */
    if (!map_direct(layout, 0, low_end))
        goto fail;
    direct_map_end = low_end;
    for (unsigned i = 0; i < layout->range_count; i++) {
        uint64_t from = layout->ranges[i].base, to = from + layout->ranges[i].length;
        if (from < direct_map_end)
            from = direct_map_end;
        if (to > limit)
            to = limit;
        if (from >= to)
            continue;
        if (!map_direct(layout, from, to))
            goto fail;
        direct_map_end = to;
    }
    if (!map_image(layout, image_start, text_start, PAGE_NO_EXECUTE) ||
        !map_image(layout, text_start, text_end, 0) ||
        !map_image(layout, text_end, data_start, PAGE_NO_EXECUTE) ||
        !map_image(layout, data_start, data_end, PAGE_WRITE | PAGE_NO_EXECUTE) ||
        !map_image(layout, data_end, image_end, PAGE_NO_EXECUTE))
        goto fail;
    cr3_write(table);
    return true;

fail:
    paging_set_root(0);
    return false;
}
