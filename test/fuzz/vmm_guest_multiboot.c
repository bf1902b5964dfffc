/* SPDX-License-Identifier: MIT */
/* libFuzzer: any file as a multiboot kernel. What is accepted lies in the file and below 4 GiB, and places do
 * not overlap it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/guest/multiboot.h"

static void require(int condition)
{
    if (!condition)
        abort();
}

static const struct guest_memory_map map = {
    .ranges = {{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2}, {0xc0000, 0x40000, 2}, {0x100000, 0xf00000, 1}},
    .count = 4};

static void check_place(const struct multiboot_image *image, uint64_t place, uint64_t size)
{
    if (place == 0)
        return;
    require(place % 4096 == 0 && size <= guest_memory_map_room(&map, place));
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct multiboot_segment *segment = &image->segments[i];

        require(segment->gpa >= place + size || segment->gpa + segment->memory_size <= place);
    }
}

struct area {
    uint64_t gpa, used;
};

/* Reads all that it is given, and takes nothing outside of the area that was counted before. */
static bool put(void *context, uint64_t gpa, const void *bytes, uint64_t length)
{
    const struct area *area = context;
    volatile uint8_t seen;

    require(gpa >= area->gpa && gpa - area->gpa <= area->used && length <= area->used - (gpa - area->gpa));
    for (uint64_t i = 0; i < length; i++)
        seen = ((const uint8_t *)bytes)[i];
    (void)seen;
    return true;
}

static void check_sections(const uint8_t *file, size_t size, const struct multiboot_image *image)
{
    struct area area = {0x400000, guest_multiboot_sections(file, size, image, 0x400000, NULL, NULL)};

    if (area.used != 0 && area.used < 0x1000000) /* more has no room in a guest */
        require(guest_multiboot_sections(file, size, image, 0x400000, put, &area) == area.used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A block of exactly its size: ASan sees a read too far. */
    uint8_t *file = malloc(size > 0 ? size : 1);
    struct multiboot_image image;

    memcpy(file, data, size);
    if (guest_multiboot_parse(file, size, &image) == NULL) {
        require(image.segment_count > 0 && image.segment_count <= MULTIBOOT_SEGMENTS_MAX);
        for (unsigned i = 0; i < image.segment_count; i++) {
            const struct multiboot_segment *segment = &image.segments[i];

            require(segment->size <= segment->memory_size && segment->memory_size > 0);
            require(segment->offset <= size && segment->size <= size - segment->offset);
            require(segment->gpa + segment->memory_size <= UINT64_C(0x100000000));
        }
        check_sections(file, size, &image);
        check_place(&image, guest_multiboot_low_place(&image, &map, 0x4000), 0x4000);
        check_place(&image, guest_multiboot_high_place(&image, &map, size, 12345), 12345);
    }
    free(file);
    return 0;
}
