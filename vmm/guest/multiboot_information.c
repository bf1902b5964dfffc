/* SPDX-License-Identifier: MIT */
/* The information structure that a multiboot kernel is handed. */
#include "vmm/guest/multiboot_information.h"

#define INFORMATION_SIZE 116u

/* Fields, by offset; the flag beside a field says that it is valid. */
#define FIELD_FLAGS        0u
#define FIELD_MEMORY_LOWER 4u /* flag 0; KiB */
#define FIELD_MEMORY_UPPER 8u
#define FIELD_BOOT_DEVICE  12u /* flag 1 */
#define FIELD_COMMAND_LINE 16u /* flag 2 */
#define FIELD_MODULE_COUNT 20u /* flag 3 */
#define FIELD_MODULES      24u
#define FIELD_SECTIONS     28u /* flag 5: four words */
#define FIELD_MAP_LENGTH   44u /* flag 6 */
#define FIELD_MAP          48u
#define FIELD_LOADER_NAME  64u /* flag 9 */
#define FIELD_FRAMEBUFFER  88u /* flag 12; 64 bits */
#define FIELD_PITCH        96u
#define FIELD_WIDTH        100u
#define FIELD_HEIGHT       104u
#define FIELD_DEPTH        108u /* a byte, as the next */
#define FIELD_KIND         109u

#define FLAGS_ALWAYS     (1u << 0 | 1u << 1 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9 | 1u << 12)
#define FLAG_SECTIONS    (1u << 5)
#define FRAMEBUFFER_TEXT 2

/* Drive 80h in bits 31:24, then partitions: none is named. */
#define BOOT_DEVICE 0x80ffffffu

#define MODULE_ENTRY_SIZE 16u
#define MAP_ENTRY_SIZE    24u /* with its size field, which does not count itself */

/* Grows from the fixed part on; once something did not fit, `full`. */
struct builder {
    uint8_t *buffer;
    size_t size, used;
    uint32_t gpa;
    bool full;
};

static void put(struct builder *builder, size_t at, uint64_t value, unsigned bytes)
{
    if (at > builder->size || bytes > builder->size - at)
        return;
    for (unsigned i = 0; i < bytes; i++)
        builder->buffer[at + i] = (uint8_t)(value >> (8 * i));
}

/* Room for `bytes`, at a multiple of 4; its offset. */
static size_t reserve(struct builder *builder, size_t bytes)
{
    size_t at = (builder->used + 3) & ~(size_t)3;

    if (at > builder->size || bytes > builder->size - at) {
        builder->full = true;
        return 0;
    }
    for (size_t i = builder->used; i < at + bytes; i++)
        builder->buffer[i] = 0;
    builder->used = at + bytes;
    return at;
}

/* The string's guest-physical address. */
static uint32_t string(struct builder *builder, const char *text)
{
    size_t length = 0, at;

    while (text[length] != '\0')
        length++;
    at = reserve(builder, length + 1);
    if (builder->full)
        return 0;
    for (size_t i = 0; i < length; i++)
        builder->buffer[at + i] = (uint8_t)text[i];
    return builder->gpa + (uint32_t)at;
}

static void add_modules(struct builder *builder, const struct multiboot_boot *boot)
{
    size_t list = reserve(builder, (size_t)boot->module_count * MODULE_ENTRY_SIZE);

    if (builder->full)
        return;
    put(builder, FIELD_MODULE_COUNT, boot->module_count, 4);
    put(builder, FIELD_MODULES, builder->gpa + list, 4);
    for (unsigned i = 0; i < boot->module_count; i++) {
        put(builder, list + i * MODULE_ENTRY_SIZE, boot->modules[i].start, 4);
        put(builder, list + i * MODULE_ENTRY_SIZE + 4, boot->modules[i].end, 4);
        put(builder, list + i * MODULE_ENTRY_SIZE + 8, string(builder, boot->modules[i].string), 4);
    }
}

static void add_map(struct builder *builder, const struct guest_memory_map *map)
{
    size_t list = reserve(builder, (size_t)map->count * MAP_ENTRY_SIZE);

    if (builder->full)
        return;
    put(builder, FIELD_MAP_LENGTH, map->count * MAP_ENTRY_SIZE, 4);
    put(builder, FIELD_MAP, builder->gpa + list, 4);
    for (unsigned i = 0; i < map->count; i++) {
        put(builder, list + i * MAP_ENTRY_SIZE, MAP_ENTRY_SIZE - 4, 4);
        put(builder, list + i * MAP_ENTRY_SIZE + 4, map->ranges[i].base, 8);
        put(builder, list + i * MAP_ENTRY_SIZE + 12, map->ranges[i].length, 8);
        put(builder, list + i * MAP_ENTRY_SIZE + 20, map->ranges[i].type, 4);
    }
}

static void add_sections(struct builder *builder, const struct multiboot_section_headers *sections)
{
    put(builder, FIELD_SECTIONS, sections->count, 4);
    put(builder, FIELD_SECTIONS + 4, sections->entry_size, 4);
    put(builder, FIELD_SECTIONS + 8, sections->gpa, 4);
    put(builder, FIELD_SECTIONS + 12, sections->names, 4);
}

/*
 * There is a text screen and nothing else, whatever mode the kernel would have liked. The specification wants
 * it told when header flag 2 asks; GRUB tells it always. There is no VBE, so flag 11 is clear.
 */
static void add_screen(struct builder *builder)
{
    put(builder, FIELD_FRAMEBUFFER, 0xb8000, 8);
    put(builder, FIELD_PITCH, 160, 4);
    put(builder, FIELD_WIDTH, 80, 4);
    put(builder, FIELD_HEIGHT, 25, 4);
    put(builder, FIELD_DEPTH, 16, 1);
    put(builder, FIELD_KIND, FRAMEBUFFER_TEXT, 1);
}

size_t guest_multiboot_information(uint8_t *buffer, size_t size, uint32_t gpa,
                                   const struct multiboot_boot *boot)
{
    struct builder builder = {.buffer = buffer, .size = size, .gpa = gpa};

    (void)reserve(&builder, INFORMATION_SIZE);
    if (builder.full)
        return 0;
    put(&builder, FIELD_FLAGS, FLAGS_ALWAYS | (boot->sections.count != 0 ? FLAG_SECTIONS : 0), 4);
    put(&builder, FIELD_MEMORY_LOWER, guest_memory_map_lower(boot->map), 4);
    put(&builder, FIELD_MEMORY_UPPER, guest_memory_map_upper(boot->map), 4);
    put(&builder, FIELD_BOOT_DEVICE, BOOT_DEVICE, 4);
    put(&builder, FIELD_COMMAND_LINE, string(&builder, boot->command_line), 4);
    put(&builder, FIELD_LOADER_NAME, string(&builder, boot->loader_name), 4);
    add_modules(&builder, boot);
    add_map(&builder, boot->map);
    if (boot->sections.count != 0)
        add_sections(&builder, &boot->sections);
    add_screen(&builder);
    return builder.full ? 0 : builder.used;
}
