/* SPDX-License-Identifier: MIT */
/* What the parsers of a multiboot kernel share: its file. Pure. */
#ifndef VMM_GUEST_MULTIBOOT_FILE_H
#define VMM_GUEST_MULTIBOOT_FILE_H

#include "vmm/guest/multiboot.h"

struct multiboot_file {
    const uint8_t *bytes;
    uint64_t length;
};

static inline bool multiboot_within(const struct multiboot_file *file, uint64_t offset, uint64_t size)
{
    return offset <= file->length && size <= file->length - offset;
}

/* A little-endian number of up to 8 bytes; 0 where not all of it is in the file. */
static inline uint64_t multiboot_get(const struct multiboot_file *file, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    if (multiboot_within(file, offset, size))
        for (unsigned i = 0; i < size; i++)
            value |= (uint64_t)file->bytes[offset + i] << (8 * i);
    return value;
}

/* NULL, or what is wrong with the segment. An empty one is left out. */
must_check const char *multiboot_add_segment(const struct multiboot_file *file, struct multiboot_image *image,
                                             const struct multiboot_segment *segment);

/* vmm/guest/multiboot_elf.c: segments, entry point and section headers of an ELF file. NULL, or what is
 * wrong. */
must_check const char *multiboot_parse_elf(const struct multiboot_file *file, struct multiboot_image *image);

#endif
