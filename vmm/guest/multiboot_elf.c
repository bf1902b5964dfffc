/* SPDX-License-Identifier: MIT */
/* An ELF file as a multiboot kernel: its segments, its entry point, its sections. */
#include "vmm/guest/multiboot_file.h"

#include <stddef.h>

#define ELF_MAGIC          0x464c457fu
#define ELF_CLASS_32       1
#define ELF_CLASS_64       2
#define ELF_LITTLE         1
#define ELF_EXECUTABLE     2
#define ELF_DYNAMIC        3
#define ELF_MACHINE_386    3
#define ELF_MACHINE_X86_64 62
#define ELF_PT_LOAD        1
#define ELF_SHT_NULL       0
#define ELF_SHT_NOBITS     8

/* Where a section that is no part of a segment is put, at least. */
#define SECTION_ALIGNMENT 16u

/* Where the fields of an ELF file are, by its class. */
struct elf_layout {
    const char *name;
    unsigned word; /* bytes of an address */
    uint16_t machine;
    unsigned entry, program_headers, section_headers; /* in the file's header: three words */
    unsigned shorts; /* in it: sizes and numbers, six of 16 bits, that of the header itself first */
    unsigned offset, linear, physical, file_size, memory_size; /* in a program header */
    unsigned program_smallest;
    unsigned address, start, size; /* in a section header */
    unsigned section_smallest;
};

static const struct elf_layout elf32 = {
    "ELF32", 4, ELF_MACHINE_386, 24, 28, 32, 40, 4, 8, 12, 16, 20, 32, 12, 16, 20, 40};
static const struct elf_layout elf64 = {
    "ELF64", 8, ELF_MACHINE_X86_64, 24, 32, 40, 52, 8, 16, 24, 32, 40, 56, 16, 24, 32, 64};

static const struct elf_layout *layout_of(const struct multiboot_file *file)
{
    return multiboot_get(file, 4, 1) == ELF_CLASS_64 ? &elf64 : &elf32;
}

/* Number `which` of the header's 16-bit fields: 1 and 2 are the size of a program header and how many there
 * are, 3 and 4 the same of sections, 5 is the section with their names. */
static uint64_t short_field(const struct multiboot_file *file, const struct elf_layout *elf, unsigned which)
{
    return multiboot_get(file, elf->shorts + 2 * which, 2);
}

/* One program header. The first segment that holds the entry point by linear addresses moves it to its
 * physical ones. */
static const char *parse_program_header(const struct multiboot_file *file, const struct elf_layout *elf,
                                        uint64_t at, uint64_t entry, struct multiboot_image *image,
                                        bool *entered)
{
    uint64_t linear = multiboot_get(file, at + elf->linear, elf->word);
    struct multiboot_segment segment = {
        .offset = multiboot_get(file, at + elf->offset, elf->word),
        .gpa = multiboot_get(file, at + elf->physical, elf->word),
        .size = multiboot_get(file, at + elf->file_size, elf->word),
        .memory_size = multiboot_get(file, at + elf->memory_size, elf->word),
    };
    const char *wrong;

    if (multiboot_get(file, at, 4) != ELF_PT_LOAD)
        return NULL;
    wrong = multiboot_add_segment(file, image, &segment);
    if (wrong == NULL && !*entered && entry >= linear && entry - linear < segment.memory_size) {
        image->entry = (uint32_t)(segment.gpa + (entry - linear));
        *entered = true;
    }
    return wrong;
}

/* An entry point that no segment has as a linear address is meant as a physical one: a kernel that starts
 * without paging may be linked so. */
static bool enter_physical(uint64_t entry, struct multiboot_image *image)
{
    image->entry = (uint32_t)entry;
    for (unsigned i = 0; i < image->segment_count; i++)
        if (entry >= image->segments[i].gpa &&
            entry - image->segments[i].gpa < image->segments[i].memory_size)
            return true;
    return false;
}

/* Section headers that are not in the file are none: nothing that is loaded depends on them. */
static void parse_sections(const struct multiboot_file *file, const struct elf_layout *elf,
                           struct multiboot_image *image)
{
    uint64_t at = multiboot_get(file, elf->section_headers, elf->word);
    uint64_t size = short_field(file, elf, 3), count = short_field(file, elf, 4);

    if (size < elf->section_smallest || !multiboot_within(file, at, size * count))
        return;
    image->sections = (struct multiboot_sections){.offset = at,
                                                  .count = (uint32_t)count,
                                                  .entry_size = (uint32_t)size,
                                                  .names = (uint32_t)short_field(file, elf, 5)};
}

must_check const char *multiboot_parse_elf(const struct multiboot_file *file, struct multiboot_image *image)
{
    const struct elf_layout *elf = layout_of(file);
    uint64_t entry = multiboot_get(file, elf->entry, elf->word), type = multiboot_get(file, 16, 2);
    uint64_t headers = multiboot_get(file, elf->program_headers, elf->word);
    uint64_t size = short_field(file, elf, 1), count = short_field(file, elf, 2);
    bool entered = false;

    if (multiboot_get(file, 0, 4) != ELF_MAGIC)
        return "it is no ELF file, and its header has no address fields";
    if ((multiboot_get(file, 4, 1) != ELF_CLASS_32 && elf == &elf32) ||
        multiboot_get(file, 5, 1) != ELF_LITTLE || (type != ELF_EXECUTABLE && type != ELF_DYNAMIC) ||
        multiboot_get(file, 18, 2) != elf->machine)
        return "it is no ELF program for x86";
    if (size < elf->program_smallest || !multiboot_within(file, headers, size * count))
        return "its ELF program headers are not in the file";
    image->format = elf->name;
    for (uint64_t i = 0; i < count; i++) {
        const char *wrong = parse_program_header(file, elf, headers + i * size, entry, image, &entered);

        if (wrong != NULL)
            return wrong;
    }
    parse_sections(file, elf, image);
    if (entered || image->segment_count == 0 || enter_physical(entry, image))
        return NULL;
    return "its entry point is in none of its segments";
}

/* Puts one section, if it has bytes and no address, at or behind gpa + *used, and its address into its header
 * there. */
static bool place_section(const struct multiboot_file *file, uint64_t header, uint64_t header_gpa,
                          uint64_t gpa, uint64_t *used, multiboot_put *put, void *context)
{
    const struct elf_layout *elf = layout_of(file);
    uint64_t type = multiboot_get(file, header + 4, 4);
    uint64_t start = multiboot_get(file, header + elf->start, elf->word);
    uint64_t size = multiboot_get(file, header + elf->size, elf->word), place;
    uint8_t address[8];

    if (type == ELF_SHT_NULL || type == ELF_SHT_NOBITS || size == 0 || !multiboot_within(file, start, size) ||
        multiboot_get(file, header + elf->address, elf->word) != 0)
        return true;
    *used = (*used + SECTION_ALIGNMENT - 1) & ~(uint64_t)(SECTION_ALIGNMENT - 1);
    place = gpa + *used;
    *used += size;
    if (put == NULL)
        return true;
    for (unsigned i = 0; i < elf->word; i++)
        address[i] = (uint8_t)(place >> (8 * i));
    return put(context, place, file->bytes + start, size) &&
           put(context, header_gpa + elf->address, address, elf->word);
}

uint64_t guest_multiboot_sections(const uint8_t *bytes, uint64_t length, const struct multiboot_image *image,
                                  uint32_t gpa, multiboot_put *put, void *context)
{
    const struct multiboot_file file = {bytes, length};
    const struct multiboot_sections *sections = &image->sections;
    uint64_t table = (uint64_t)sections->count * sections->entry_size, used = table;

    if (put != NULL && !put(context, gpa, bytes + sections->offset, table))
        return 0;
    for (uint64_t i = 0; i < sections->count; i++)
        if (!place_section(&file, sections->offset + i * sections->entry_size, gpa + i * sections->entry_size,
                           gpa, &used, put, context))
            return 0;
    return used;
}
