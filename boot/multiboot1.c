/* SPDX-License-Identifier: MIT */
/* Multiboot Specification 0.6.96, "Boot information format". */
#include "boot/multiboot.h"

#define FLAG_MEM          (1u << 0)
#define FLAG_COMMAND_LINE (1u << 2)
#define FLAG_MODULES      (1u << 3)
#define FLAG_MEMORY_MAP   (1u << 6)
#define FLAG_LOADER_NAME  (1u << 9)
#define FLAG_FRAMEBUFFER  (1u << 12)

/* Offsets in the structure. What a clear flag denotes is not read. */
#define AT_FLAGS                   0
#define AT_MEM_LOWER               4
#define AT_MEM_UPPER               8
#define AT_COMMAND_LINE            16
#define AT_MODULE_COUNT            20
#define AT_MODULES                 24
#define AT_MEMORY_MAP_LENGTH       44
#define AT_MEMORY_MAP              48
#define AT_LOADER_NAME             64
#define AT_FRAMEBUFFER             88
#define LENGTH_WITHOUT_FRAMEBUFFER 88
#define LENGTH                     118

#define MODULE_ENTRY_LENGTH 16
#define MEMORY_ENTRY_LENGTH 24 /* with the size field, which does not count itself */

/* A map or a module list beyond these is nonsense; the limits bound the time that one can take. */
#define MEMORY_MAP_LENGTH_MAX (1u << 20)
#define MODULES_LOOKED_AT     1024

/* Copies a NUL-terminated string whose length nobody knows, so a byte at a time. */
static void read_string(struct boot_info *out, const struct boot_memory_reader *reader, uint64_t physical,
                        char *to, size_t size, uint32_t note)
{
    size_t count = 0;

    if (physical == 0)
        return;
    for (;; count++) {
        const uint8_t *byte = reader->at(reader->context, physical + count, 1);

        if (!byte)
            out->notes |= BOOT_NOTE_UNREADABLE;
        else if (*byte != '\0' && count + 1 >= size)
            out->notes |= note;
        if (!byte || *byte == '\0' || count + 1 >= size)
            break;
        to[count] = (char)*byte;
    }
    to[count] = '\0';
}

static void read_modules(struct boot_info *out, const uint8_t *information,
                         const struct boot_memory_reader *reader)
{
    uint32_t count = boot_read32(information + AT_MODULE_COUNT);
    uint64_t address = boot_read32(information + AT_MODULES);

    for (uint32_t i = 0; i < count; i++, address += MODULE_ENTRY_LENGTH) {
        const uint8_t *entry = reader->at(reader->context, address, MODULE_ENTRY_LENGTH);

        if (!entry || i >= MODULES_LOOKED_AT) {
            out->notes |= BOOT_NOTE_UNREADABLE;
            return;
        }
        uint64_t string_address = boot_read32(entry + 8);
        char *string = boot_add_module(out, boot_read32(entry), boot_read32(entry + 4));

        if (string)
            read_string(out, reader, string_address, string, BOOT_STRING_MAX, BOOT_NOTE_STRING_TRUNCATED);
    }
}

static void read_memory_map(struct boot_info *out, const uint8_t *information,
                            const struct boot_memory_reader *reader)
{
    uint64_t at = boot_read32(information + AT_MEMORY_MAP);
    uint64_t end = at + boot_read32(information + AT_MEMORY_MAP_LENGTH);

    if (end - at > MEMORY_MAP_LENGTH_MAX) {
        out->notes |= BOOT_NOTE_UNREADABLE;
        return;
    }
    while (at < end) {
        const uint8_t *entry = NULL;

        if (end - at >= MEMORY_ENTRY_LENGTH)
            entry = reader->at(reader->context, at, MEMORY_ENTRY_LENGTH);
        if (!entry || boot_read32(entry) < MEMORY_ENTRY_LENGTH - 4) {
            out->notes |= BOOT_NOTE_UNREADABLE;
            return;
        }
        boot_memory_add(out, boot_read64(entry + 4), boot_read64(entry + 12),
                        boot_memory_type_of(boot_read32(entry + 20)));
        at += (uint64_t)boot_read32(entry) + 4;
    }
}

static void read_framebuffer(struct boot_framebuffer *framebuffer, const uint8_t *at)
{
    *framebuffer = (struct boot_framebuffer){
        .present = true,
        .address = boot_read64(at),
        .pitch = boot_read32(at + 8),
        .width = boot_read32(at + 12),
        .height = boot_read32(at + 16),
        .bits_per_pixel = at[20],
        .type = at[21],
    };
    if (framebuffer->type == BOOT_FRAMEBUFFER_RGB) {
        /* The specification puts the six colour bytes right behind the type; GRUB aligns them to 4 and leaves
         * two zero bytes. Red is never 0 bits wide. */
        const uint8_t *colours = at[23] != 0 ? at + 22 : at + 24;

        framebuffer->red_position = colours[0];
        framebuffer->red_size = colours[1];
        framebuffer->green_position = colours[2];
        framebuffer->green_size = colours[3];
        framebuffer->blue_position = colours[4];
        framebuffer->blue_size = colours[5];
    }
}

enum boot_status multiboot1_parse(struct boot_info *out, uint64_t physical,
                                  const struct boot_memory_reader *reader)
{
    const uint8_t *information = reader->at(reader->context, physical, LENGTH_WITHOUT_FRAMEBUFFER);

    if (!information)
        return BOOT_INFORMATION_UNREADABLE;
    uint32_t flags = boot_read32(information + AT_FLAGS);

    if (flags & FLAG_COMMAND_LINE)
        read_string(out, reader, boot_read32(information + AT_COMMAND_LINE), out->command_line,
                    sizeof(out->command_line), BOOT_NOTE_COMMAND_LINE_TRUNCATED);
    if (flags & FLAG_LOADER_NAME)
        read_string(out, reader, boot_read32(information + AT_LOADER_NAME), out->loader_name,
                    sizeof(out->loader_name), BOOT_NOTE_STRING_TRUNCATED);
    if (flags & FLAG_MODULES)
        read_modules(out, information, reader);
    if (flags & FLAG_MEMORY_MAP)
        read_memory_map(out, information, reader);
    if (out->memory_count == 0 && (flags & FLAG_MEM))
        boot_memory_from_sizes(out, boot_read32(information + AT_MEM_LOWER),
                               boot_read32(information + AT_MEM_UPPER));
    if (flags & FLAG_FRAMEBUFFER) {
        information = reader->at(reader->context, physical, LENGTH);
        if (information) {
            read_framebuffer(&out->framebuffer, information + AT_FRAMEBUFFER);
        } else {
            out->notes |= BOOT_NOTE_UNREADABLE;
        }
    }
    return BOOT_OK;
}
