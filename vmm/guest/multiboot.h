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
#include "vmm/vm/memory_map.h"

#define MULTIBOOT_SEGMENTS_MAX 64

/* `size` bytes from `offset` in the file go to guest-physical `gpa`; zeros follow up to memory_size. */
struct multiboot_segment {
    uint64_t offset, size;
    uint64_t gpa, memory_size; /* gpa + memory_size is at most 4 GiB; size <= memory_size */
};

/* The section header table of an ELF file. */
struct multiboot_sections {
    uint64_t offset;     /* in the file */
    uint32_t count;      /* 0: there is none */
    uint32_t entry_size; /* bytes */
    uint32_t names;      /* the number of the section with their names */
};

struct multiboot_image {
    const char *format; /* "ELF32", "ELF64", "address fields" */
    struct multiboot_segment segments[MULTIBOOT_SEGMENTS_MAX];
    unsigned segment_count; /* at least 1; none is empty */
    uint32_t entry;         /* physical */
    struct multiboot_sections sections;
};

/*
 * Reads the header and what it leads to. NULL, and *image filled, or what is wrong in words. Nothing outside
 * of bytes[0 .. length - 1] is read.
 */
must_check const char *guest_multiboot_parse(const uint8_t *bytes, uint64_t length,
                                             struct multiboot_image *image);

/*
 * What of a segment is to be loaded: without what lies between `hole` and 1 MiB, where a write goes nowhere.
 * Linkers put a file's own headers there, right below a kernel at 1 MiB, and GRUB starts such kernels.
 */
struct multiboot_segment guest_multiboot_loaded(const struct multiboot_segment *segment, uint64_t hole);

/* Copies bytes to guest-physical memory. false: not all of it is RAM. */
typedef bool multiboot_put(void *context, uint64_t gpa, const void *bytes, uint64_t length);

/*
 * Puts the section header table of a parsed image to `gpa`, and behind it each section that has bytes and no
 * address, as symbols and their names: its address in the table becomes that place. Returns the bytes used,
 * 0: there are no sections, or `put` has failed. With `put` NULL nothing is done but counting.
 */
uint64_t guest_multiboot_sections(const uint8_t *bytes, uint64_t length, const struct multiboot_image *image,
                                  uint32_t gpa, multiboot_put *put, void *context);

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
