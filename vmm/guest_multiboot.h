/* SPDX-License-Identifier: MIT */
/*
 * A multiboot kernel: where its parts go and where it is entered. Pure. Multiboot Specification version
 * 0.6.96, "The layout of Multiboot header"; ELF as in the System V ABI.
 */
#ifndef VMM_GUEST_MULTIBOOT_H
#define VMM_GUEST_MULTIBOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "arch/x86/compiler.h"
#include "vmm/guest_memory_map.h"

#define MULTIBOOT_SEGMENTS_MAX 16

/* `size` bytes from `offset` in the file go to guest-physical `gpa`; zeros follow up to memory_size. */
struct multiboot_segment {
    uint64_t offset, size;
    uint64_t gpa, memory_size; /* gpa + memory_size is at most 4 GiB; size <= memory_size */
};

struct multiboot_image {
    const char *format; /* "ELF32", "ELF64", "address fields" */
    struct multiboot_segment segments[MULTIBOOT_SEGMENTS_MAX];
    unsigned segment_count; /* at least 1; none is empty */
    uint32_t entry;         /* physical */
    bool wants_video;       /* header flag 2: it wants to be told of a video mode */
};

/*
 * Reads the header and what it leads to. NULL, and *image filled, or what is wrong in words. Nothing outside
 * of bytes[0 .. length - 1] is read.
 */
must_check const char *guest_multiboot_parse(const uint8_t *bytes, uint64_t length,
                                             struct multiboot_image *image);

/*
 * A place for `size` bytes in usable memory, page-aligned, away from the image: below 640 KiB first, else
 * behind it. 0: there is none.
 */
uint32_t guest_multiboot_low_place(const struct multiboot_image *image, const struct guest_memory_map *map,
                                   uint64_t size);

/* The same above 1 MiB, behind the image and not below `from`. */
uint32_t guest_multiboot_high_place(const struct multiboot_image *image, const struct guest_memory_map *map,
                                    uint64_t from, uint64_t size);

#endif
