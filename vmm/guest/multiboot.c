/* SPDX-License-Identifier: MIT */
/* A multiboot kernel: where its parts go and where it is entered. */
#include "vmm/guest/multiboot.h"
#include "vmm/guest/multiboot_file.h"

#include <stddef.h>

#define HEADER_SEARCH    8192u
#define HEADER_SIZE      12u
#define HEADER_ADDRESSES 32u /* length with the address fields */
#define HEADER_MAGIC     0x1badb002u
#define FLAG_PAGE_ALIGN  (1u << 0)
#define FLAG_MEMORY      (1u << 1)
#define FLAG_VIDEO       (1u << 2)
#define FLAGS_REQUIRED   0xffffu /* of these a loader must know what is set */
#define FLAG_ADDRESSES   (1u << 16)

#define GIB_4 UINT64_C(0x100000000)
#define MIB   UINT64_C(0x100000)
#define PAGE  UINT64_C(0x1000)

/* Below it are vectors and BIOS data; up to it, programs keep stacks. */
#define LOW_PLACE 0x10000u

static bool find_header(const struct multiboot_file *file, uint64_t *at)
{
    uint64_t end = file->length < HEADER_SEARCH ? file->length : HEADER_SEARCH;

    for (*at = 0; *at + HEADER_SIZE <= end; *at += 4) {
        uint32_t magic = (uint32_t)multiboot_get(file, *at, 4),
                 flags = (uint32_t)multiboot_get(file, *at + 4, 4);

        if (magic == HEADER_MAGIC &&
            (uint32_t)(magic + flags + (uint32_t)multiboot_get(file, *at + 8, 4)) == 0)
            return true;
    }
    return false;
}

must_check const char *multiboot_add_segment(const struct multiboot_file *file, struct multiboot_image *image,
                                             const struct multiboot_segment *segment)
{
    if (segment->memory_size == 0)
        return NULL;
    if (segment->size > segment->memory_size)
        return "a segment is larger in the file than in memory";
    if (!multiboot_within(file, segment->offset, segment->size))
        return "the file ends before one of its segments does";
    if (segment->gpa >= GIB_4 || segment->memory_size > GIB_4 - segment->gpa)
        return "a segment lies above 4 GiB";
    if (image->segment_count == MULTIBOOT_SEGMENTS_MAX)
        return "it has more than 64 segments";
    image->segments[image->segment_count++] = *segment;
    return NULL;
}

/* The address fields behind the header's first three: header_addr, load_addr, load_end_addr, bss_end_addr,
 * entry_addr. */
static const char *parse_addresses(const struct multiboot_file *file, uint64_t at,
                                   struct multiboot_image *image)
{
    uint32_t header = (uint32_t)multiboot_get(file, at + 12, 4),
             load = (uint32_t)multiboot_get(file, at + 16, 4);
    uint32_t load_end = (uint32_t)multiboot_get(file, at + 20, 4),
             bss_end = (uint32_t)multiboot_get(file, at + 24, 4);
    struct multiboot_segment segment = {.gpa = load};

    if (!multiboot_within(file, at, HEADER_ADDRESSES))
        return "the file ends within its address fields";
    if (load > header || header - load > at)
        return "its address fields want bytes from before the file's start";
    segment.offset = at - (header - load);
    if (load_end == 0) /* all of the file */
        segment.size = file->length - segment.offset;
    else if (load_end < load)
        return "load_end_addr lies below load_addr";
    else
        segment.size = load_end - load;
    segment.memory_size = segment.size;
    if (bss_end != 0) {
        if (bss_end < load || bss_end - load < segment.size)
            return "bss_end_addr lies below load_end_addr";
        segment.memory_size = bss_end - load;
    }
    image->format = "address fields";
    image->entry = (uint32_t)multiboot_get(file, at + 28, 4);
    return multiboot_add_segment(file, image, &segment);
}

must_check const char *guest_multiboot_parse(const uint8_t *bytes, uint64_t length,
                                             struct multiboot_image *image)
{
    const struct multiboot_file file = {bytes, length};
    const char *wrong;
    uint64_t at;
    uint32_t flags;

    *image = (struct multiboot_image){.format = "?"};
    if (!find_header(&file, &at))
        return "no multiboot header is in its first 8 KiB";
    flags = (uint32_t)multiboot_get(&file, at + 4, 4);
    if (flags & FLAGS_REQUIRED & ~(FLAG_PAGE_ALIGN | FLAG_MEMORY | FLAG_VIDEO))
        return "its header requires a feature that is not known";
    wrong = flags & FLAG_ADDRESSES ? parse_addresses(&file, at, image) : multiboot_parse_elf(&file, image);
    if (wrong == NULL && image->segment_count == 0)
        return "it has nothing to load";
    return wrong;
}

struct multiboot_segment guest_multiboot_loaded(const struct multiboot_segment *segment, uint64_t hole)
{
    struct multiboot_segment loaded = *segment;
    uint64_t skipped = MIB - segment->gpa;

    if (segment->gpa < hole || segment->gpa >= MIB)
        return loaded;
    if (skipped > segment->memory_size)
        skipped = segment->memory_size;
    loaded.gpa += skipped;
    loaded.memory_size -= skipped;
    loaded.offset += skipped < segment->size ? skipped : segment->size;
    loaded.size -= skipped < segment->size ? skipped : segment->size;
    return loaded;
}

static uint64_t page_up(uint64_t address)
{
    return (address + PAGE - 1) & ~(PAGE - 1);
}

/* The end of a segment that overlaps the range, 0 if none does. */
static uint64_t overlapped(const struct multiboot_image *image, uint64_t base, uint64_t size)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        uint64_t start = image->segments[i].gpa, end = start + image->segments[i].memory_size;

        if (start < base + size && base < end)
            return end;
    }
    return 0;
}

uint32_t guest_multiboot_high_place(const struct multiboot_image *image, const struct guest_memory_map *map,
                                    uint64_t from, uint64_t size)
{
    uint64_t at = from > MIB ? from : MIB;

    for (unsigned i = 0; i < image->segment_count; i++) {
        uint64_t end = image->segments[i].gpa + image->segments[i].memory_size;

        if (end > at)
            at = end;
    }
    at = page_up(at);
    return at < GIB_4 && size <= guest_memory_map_room(map, at) && size <= GIB_4 - at ? (uint32_t)at : 0;
}

uint32_t guest_multiboot_low_place(const struct multiboot_image *image, const struct guest_memory_map *map,
                                   uint64_t size)
{
    for (uint64_t at = LOW_PLACE; at < MIB && size <= guest_memory_map_room(map, at);) {
        uint64_t end = overlapped(image, at, size);

        if (end == 0)
            return (uint32_t)at;
        at = page_up(end);
    }
    return guest_multiboot_high_place(image, map, MIB, size);
}
