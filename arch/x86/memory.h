/* SPDX-License-Identifier: MIT */
/* Memory primitives: the direct map, page arithmetic and the few string functions a freestanding compiler
 * expects. */
#ifndef ARCH_X86_MEMORY_H
#define ARCH_X86_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE    UINT64_C(0x1000)
#define PAGE_MASK    (PAGE_SIZE - 1) /* an address's offset in its 4 KiB page */
#define PAGE_SIZE_2M UINT64_C(0x200000)
#define PAGE_SIZE_1G UINT64_C(0x40000000)
#define FOUR_GIB     UINT64_C(0x100000000)

/* DIRECT_MAP_BASE of boot/layout_abi.h; main.c asserts that they are equal. */
#define MEMORY_DIRECT_MAP_BASE UINT64_C(0xffff800000000000)
/* STACK_AREA_BASE of the same file. */
#define MEMORY_STACK_AREA_BASE UINT64_C(0xffffffffc0000000)
/* Length of the direct map: the rest of the upper half holds the image and the stacks. */
#define MEMORY_DIRECT_MAP_SIZE UINT64_C(0x00007f0000000000)

static inline uint64_t align_down(uint64_t value, uint64_t power_of_two)
{
    return value & ~(power_of_two - 1);
}

static inline uint64_t align_up(uint64_t value, uint64_t power_of_two)
{
    return (value + power_of_two - 1) & ~(power_of_two - 1);
}

/* The address under which a physical address is reachable; only valid for what paging_is_mapped() says is
 * mapped. */
static inline void *phys_to_virt(uint64_t physical)
{
    return (void *)(uintptr_t)(MEMORY_DIRECT_MAP_BASE + physical);
}

/*
 * The physical address of an address in the image (code, static data) or in the direct map. Not for stacks:
 * those have addresses of their own (STACK_AREA_BASE).
 */
uint64_t virt_to_phys(const void *address);
/* Whether an address lies in the image. */
bool virt_is_image(uint64_t address);
/* Says where the image begins in physical memory; before the first virt_to_phys() of an image address. */
void memory_set_image(uint64_t physical);

void *memcpy(void *restrict to, const void *restrict from, size_t length);
void *memmove(void *to, const void *from, size_t length);
void *memset(void *to, int byte, size_t length);
int memcmp(const void *left, const void *right, size_t length);
size_t strlen(const char *text);
int strcmp(const char *left, const char *right);
int strncmp(const char *left, const char *right, size_t length);

#endif
