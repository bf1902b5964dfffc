/* SPDX-License-Identifier: MIT */
/* What the two multiboot parsers and their dispatcher share; nobody else includes this. Pure. */
#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include "boot/boot_info.h"

/* Each fills *out, which is zeroed but for protocol; BOOT_OK does not yet mean that there is available
 * memory. */
enum boot_status multiboot1_parse(struct boot_info *out, uint64_t physical,
                                  const struct boot_memory_reader *reader);
enum boot_status multiboot2_parse(struct boot_info *out, uint64_t physical,
                                  const struct boot_memory_reader *reader);

/* Little-endian numbers at any alignment. */
uint32_t boot_read32(const uint8_t *bytes);
uint64_t boot_read64(const uint8_t *bytes);

/* Adds a range of bytes to the memory map and keeps it as boot_info.memory promises (boot/boot_memory.c). */
void boot_memory_add(struct boot_info *out, uint64_t base, uint64_t length, enum boot_memory_type type);

/* The type of a multiboot memory map's entry; unknown numbers are reserved. */
enum boot_memory_type boot_memory_type_of(uint32_t number);

/* The map from mem_lower and mem_upper (KiB from 0 and from 1 MiB), for want of a better one. */
void boot_memory_from_sizes(struct boot_info *out, uint32_t lower_kib, uint32_t upper_kib);

/* True if the map has available memory. */
bool boot_memory_any_available(const struct boot_info *out);

/* Copies up to `length` bytes and at most size - 1, up to a NUL; sets `note` if the text did not fit or had
 * no NUL. */
void boot_copy_string(struct boot_info *out, char *to, size_t size, const uint8_t *from, size_t length,
                      uint32_t note);

/* Adds a module [start, end) and returns where its string goes, or NULL if it was left out. */
char *boot_add_module(struct boot_info *out, uint64_t start, uint64_t end);

#endif
