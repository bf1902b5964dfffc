/* SPDX-License-Identifier: MIT */
/* The information structure that a multiboot kernel is handed. Pure. Multiboot Specification version 0.6.96,
 * "Boot information format". */
#ifndef VMM_GUEST_MULTIBOOT_INFORMATION_H
#define VMM_GUEST_MULTIBOOT_INFORMATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/vm/memory_map.h"

#define MULTIBOOT_MODULES_MAX     32
#define MULTIBOOT_INFORMATION_MAX 16384u      /* bytes: enough for the most and longest modules */
#define MULTIBOOT_BOOTED          0x2badb002u /* EAX at the entry point */

struct multiboot_module {
    uint32_t start, end; /* guest-physical */
    const char *string;
};

/* Where an ELF kernel's section headers are. */
struct multiboot_section_headers {
    uint32_t count; /* 0: nowhere */
    uint32_t entry_size, gpa, names;
};

struct multiboot_boot {
    const char *command_line, *loader_name;
    const struct multiboot_module *modules;
    unsigned module_count;
    const struct guest_memory_map *map;
    struct multiboot_section_headers sections;
};

/*
 * Builds the structure and all that it points to, for a place at guest-physical `gpa`. Returns its bytes, 0
 * if they do not fit into `size`.
 */
size_t guest_multiboot_information(uint8_t *buffer, size_t size, uint32_t gpa,
                                   const struct multiboot_boot *boot);

#endif
