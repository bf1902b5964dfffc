/* SPDX-License-Identifier: MIT */
/* Multiboot2 Specification 2.0, "Boot information format". */
#include "boot/multiboot.h"

#define TAG_END                 0
#define TAG_COMMAND_LINE        1
#define TAG_LOADER_NAME         2
#define TAG_MODULE              3
#define TAG_BASIC_MEMORY        4
#define TAG_MEMORY_MAP          6
#define TAG_FRAMEBUFFER         8
#define TAG_EFI32_SYSTEM_TABLE  11
#define TAG_EFI64_SYSTEM_TABLE  12
#define TAG_ACPI_OLD            14
#define TAG_ACPI_NEW            15
#define TAG_EFI_MEMORY_MAP      17
#define TAG_EFI_SERVICES_ACTIVE 18
#define TAG_IMAGE_LOAD_BASE     21

#define HEADER_LENGTH          8
#define INFORMATION_LENGTH_MAX (16u << 20)

/* UEFI Specification, "EFI_BOOT_SERVICES.AllocatePages()" (types) and "...GetMemoryMap()" (descriptor and
 * attributes). */
#define EFI_DESCRIPTOR_LENGTH       40
#define EFI_MEMORY_CACHEABILITY     0xfull /* UC, WC, WT, WB: what the memory can be */
#define EFI_MEMORY_WB               (1ull << 3)
#define EFI_MEMORY_SPECIFIC_PURPOSE (1ull << 18)
#define EFI_MEMORY_RUNTIME          (1ull << 63)

/* One tag; `bytes` starts at its type, `size` is at least HEADER_LENGTH and lies inside the information. */
struct tag {
    uint32_t type, size;
    const uint8_t *bytes;
};

/* Tags that are only looked at when all are known; NULL bytes if absent. */
struct late_tags {
    struct tag memory_map, efi_memory_map, basic_memory;
};

static enum boot_memory_type efi_type(uint32_t type, uint64_t attributes, bool services_active)
{
    switch (type) {
    case 3: /* boot-services code */
    case 4: /* boot-services data */
        if (services_active)
            return BOOT_MEMORY_RESERVED;
        break;
    case 1: /* loader code */
    case 2: /* loader data */
    case 7: /* conventional */
        break;
    case 8:
        return BOOT_MEMORY_BAD;
    case 9:
        return BOOT_MEMORY_ACPI_RECLAIMABLE;
    case 10:
        return BOOT_MEMORY_ACPI_NVS;
    default:
        return BOOT_MEMORY_RESERVED;
    }
    /* Ordinary memory that the firmware keeps, sets aside, or that cannot be cached, is nothing to allocate
     * from. */
    if (attributes & (EFI_MEMORY_RUNTIME | EFI_MEMORY_SPECIFIC_PURPOSE))
        return BOOT_MEMORY_RESERVED;
    if ((attributes & EFI_MEMORY_CACHEABILITY) && !(attributes & EFI_MEMORY_WB))
        return BOOT_MEMORY_RESERVED;
    return BOOT_MEMORY_AVAILABLE;
}

static void read_efi_memory_map(struct boot_info *out, const struct tag *tag)
{
    uint32_t step = tag->size >= 16 ? boot_read32(tag->bytes + 8) : 0;
    bool services_active = (out->notes & BOOT_NOTE_EFI_SERVICES_ACTIVE) != 0;

    if (step < EFI_DESCRIPTOR_LENGTH) {
        out->notes |= BOOT_NOTE_TAG_MALFORMED;
        return;
    }
    for (uint64_t at = 16; at + EFI_DESCRIPTOR_LENGTH <= tag->size; at += step) {
        const uint8_t *descriptor = tag->bytes + at;
        uint64_t pages = boot_read64(descriptor + 24);
        uint64_t length = pages > UINT64_MAX >> 12 ? UINT64_MAX : pages << 12;

        boot_memory_add(out, boot_read64(descriptor + 8), length,
                        efi_type(boot_read32(descriptor), boot_read64(descriptor + 32), services_active));
    }
}

static void read_memory_map(struct boot_info *out, const struct tag *tag)
{
    uint32_t step = tag->size >= 16 ? boot_read32(tag->bytes + 8) : 0;

    if (step < 24) {
        out->notes |= BOOT_NOTE_TAG_MALFORMED;
        return;
    }
    for (uint64_t at = 16; at + 24 <= tag->size; at += step) {
        const uint8_t *entry = tag->bytes + at;

        boot_memory_add(out, boot_read64(entry), boot_read64(entry + 8),
                        boot_memory_type_of(boot_read32(entry + 16)));
    }
}

static void read_module(struct boot_info *out, const struct tag *tag)
{
    if (tag->size < 16) {
        out->notes |= BOOT_NOTE_TAG_MALFORMED;
        return;
    }
    char *string = boot_add_module(out, boot_read32(tag->bytes + 8), boot_read32(tag->bytes + 12));

    if (string)
        boot_copy_string(out, string, BOOT_STRING_MAX, tag->bytes + 16, tag->size - 16,
                         BOOT_NOTE_STRING_TRUNCATED);
}

static void read_framebuffer(struct boot_info *out, const struct tag *tag)
{
    struct boot_framebuffer *framebuffer = &out->framebuffer;
    const uint8_t *bytes = tag->bytes;

    /* The fixed part, and for RGB the six bytes that say where the colours are. */
    if (tag->size < 32 || (bytes[29] == BOOT_FRAMEBUFFER_RGB && tag->size < 38)) {
        out->notes |= BOOT_NOTE_TAG_MALFORMED;
        return;
    }
    *framebuffer = (struct boot_framebuffer){
        .present = true,
        .address = boot_read64(bytes + 8),
        .pitch = boot_read32(bytes + 16),
        .width = boot_read32(bytes + 20),
        .height = boot_read32(bytes + 24),
        .bits_per_pixel = bytes[28],
        .type = bytes[29],
    };
    if (framebuffer->type == BOOT_FRAMEBUFFER_RGB) {
        framebuffer->red_position = bytes[32];
        framebuffer->red_size = bytes[33];
        framebuffer->green_position = bytes[34];
        framebuffer->green_size = bytes[35];
        framebuffer->blue_position = bytes[36];
        framebuffer->blue_size = bytes[37];
    }
}

/* `length` is 20 for the ACPI 1.0 RSDP, 36 for a later one. A longer copy is kept if both tags are there. */
static void read_rsdp(struct boot_info *out, const struct tag *tag, unsigned length)
{
    if (tag->size - HEADER_LENGTH < length) {
        out->notes |= BOOT_NOTE_TAG_MALFORMED;
        return;
    }
    if (length > out->rsdp_length) {
        __builtin_memcpy(out->rsdp, tag->bytes + HEADER_LENGTH, length);
        out->rsdp_length = length;
    }
}

/* Reads a tag whose meaning does not depend on others. False if it is too short for its type. */
static bool read_tag(struct boot_info *out, const struct tag *tag, struct late_tags *late)
{
    uint32_t payload = tag->size - HEADER_LENGTH;

    switch (tag->type) {
    case TAG_COMMAND_LINE:
        boot_copy_string(out, out->command_line, sizeof(out->command_line), tag->bytes + HEADER_LENGTH,
                         payload, BOOT_NOTE_COMMAND_LINE_TRUNCATED);
        return true;
    case TAG_LOADER_NAME:
        boot_copy_string(out, out->loader_name, sizeof(out->loader_name), tag->bytes + HEADER_LENGTH, payload,
                         BOOT_NOTE_STRING_TRUNCATED);
        return true;
    case TAG_MODULE:
        read_module(out, tag);
        return true;
    case TAG_BASIC_MEMORY:
        late->basic_memory = *tag;
        return payload >= 8;
    case TAG_MEMORY_MAP:
        late->memory_map = *tag;
        return true;
    case TAG_EFI_MEMORY_MAP:
        late->efi_memory_map = *tag;
        out->from_efi = true;
        return true;
    case TAG_FRAMEBUFFER:
        read_framebuffer(out, tag);
        return true;
    case TAG_EFI32_SYSTEM_TABLE:
        out->from_efi = true;
        return true;
    case TAG_EFI64_SYSTEM_TABLE:
        out->from_efi = true;
        out->efi_system_table = payload >= 8 ? boot_read64(tag->bytes + HEADER_LENGTH) : 0;
        return payload >= 8;
    case TAG_EFI_SERVICES_ACTIVE:
        out->notes |= BOOT_NOTE_EFI_SERVICES_ACTIVE;
        return true;
    case TAG_ACPI_OLD:
        read_rsdp(out, tag, 20);
        return true;
    case TAG_ACPI_NEW:
        read_rsdp(out, tag, 36);
        return true;
    case TAG_IMAGE_LOAD_BASE:
        out->image_load_base = payload >= 4 ? boot_read32(tag->bytes + HEADER_LENGTH) : 0;
        return payload >= 4;
    default:
        return true;
    }
}

/* The EFI map was read last, when the firmware had done its last allocations: so it goes first. */
static void read_maps(struct boot_info *out, const struct late_tags *late)
{
    if (late->efi_memory_map.bytes) {
        read_efi_memory_map(out, &late->efi_memory_map);
        if (boot_memory_any_available(out))
            return;
        out->notes |= BOOT_NOTE_EFI_MAP_USELESS;
        out->memory_count = 0;
    }
    if (late->memory_map.bytes)
        read_memory_map(out, &late->memory_map);
    if (out->memory_count == 0 && late->basic_memory.bytes && late->basic_memory.size >= 16)
        boot_memory_from_sizes(out, boot_read32(late->basic_memory.bytes + 8),
                               boot_read32(late->basic_memory.bytes + 12));
}

enum boot_status multiboot2_parse(struct boot_info *out, uint64_t physical,
                                  const struct boot_memory_reader *reader)
{
    const uint8_t *header = reader->at(reader->context, physical, HEADER_LENGTH);

    if (!header)
        return BOOT_INFORMATION_UNREADABLE;
    uint32_t length = boot_read32(header);

    if (length < HEADER_LENGTH || length > INFORMATION_LENGTH_MAX)
        return BOOT_INFORMATION_MALFORMED;
    const uint8_t *information = reader->at(reader->context, physical, length);

    if (!information)
        return BOOT_INFORMATION_UNREADABLE;

    struct late_tags late = {0};
    bool ended = false;

    /* Tags start at multiples of 8; their size does not count the padding. */
    for (uint32_t at = HEADER_LENGTH; !ended && length - at >= HEADER_LENGTH;) {
        struct tag tag = {boot_read32(information + at), boot_read32(information + at + 4), information + at};

        if (tag.size < HEADER_LENGTH || tag.size > length - at)
            break;
        ended = tag.type == TAG_END;
        if (!read_tag(out, &tag, &late))
            out->notes |= BOOT_NOTE_TAG_MALFORMED;
        uint32_t step = (tag.size + 7) & ~7u;

        at = step > length - at ? length : at + step;
    }
    if (!ended)
        out->notes |= BOOT_NOTE_TAG_MALFORMED;
    read_maps(out, &late);
    return BOOT_OK;
}
