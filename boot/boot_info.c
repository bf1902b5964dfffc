/* SPDX-License-Identifier: MIT */
/* Hands the boot information to the parser of the protocol that was spoken. */
#include "boot/multiboot.h"

uint32_t boot_read32(const uint8_t *bytes)
{
    uint32_t value;

    __builtin_memcpy(&value, bytes, sizeof(value));
    return value;
}

uint64_t boot_read64(const uint8_t *bytes)
{
    uint64_t value;

    __builtin_memcpy(&value, bytes, sizeof(value));
    return value;
}

void boot_copy_string(struct boot_info *out, char *to, size_t size, const uint8_t *from, size_t length,
                      uint32_t note)
{
    size_t count = 0;

    while (count < length && count < size - 1 && from[count] != '\0') {
        to[count] = (char)from[count];
        count++;
    }
    to[count] = '\0';
    if (count == length || from[count] != '\0')
        out->notes |= note;
}

char *boot_add_module(struct boot_info *out, uint64_t start, uint64_t end)
{
    if (end < start) {
        out->notes |= BOOT_NOTE_MODULE_BAD;
        return NULL;
    }
    if (out->module_count >= BOOT_MODULE_MAX) {
        out->notes |= BOOT_NOTE_MODULES_TRUNCATED;
        out->modules_dropped++;
        return NULL;
    }
    struct boot_module *module = &out->modules[out->module_count++];

    module->base = start;
    module->length = end - start;
    return module->string;
}

enum boot_status boot_info_parse(struct boot_info *out, uint32_t magic, uint64_t information_physical,
                                 const struct boot_memory_reader *reader)
{
    enum boot_status status;

    __builtin_memset(out, 0, sizeof(*out));
    switch (magic) {
    case BOOT_MAGIC_MULTIBOOT1:
        out->protocol = BOOT_PROTOCOL_MULTIBOOT1;
        status = multiboot1_parse(out, information_physical, reader);
        break;
    case BOOT_MAGIC_MULTIBOOT2:
        out->protocol = BOOT_PROTOCOL_MULTIBOOT2;
        status = multiboot2_parse(out, information_physical, reader);
        break;
    default:
        return BOOT_UNKNOWN_MAGIC;
    }
    return status == BOOT_OK && !boot_memory_any_available(out) ? BOOT_NO_MEMORY : status;
}

const char *boot_status_text(enum boot_status status)
{
    switch (status) {
    case BOOT_OK:
        return "good";
    case BOOT_UNKNOWN_MAGIC:
        return "not started by a multiboot 1 or 2 loader";
    case BOOT_INFORMATION_UNREADABLE:
        return "the loader's boot information lies outside readable memory";
    case BOOT_INFORMATION_MALFORMED:
        return "the loader's boot information has an impossible size";
    case BOOT_NO_MEMORY:
        return "the loader names no available memory";
    }
    return "unknown status";
}

const char *boot_note_text(unsigned bit)
{
    static const char *const texts[BOOT_NOTE_COUNT] = {
        "more memory ranges than fit: some memory is not used",
        "more modules than fit: the last ones are left out",
        "a module that ends before its start is left out",
        "a string is cut",
        "the command line is cut",
        "something that the loader points to cannot be read",
        "a malformed tag is left out",
        "no memory map: made from the sizes of lower and upper memory",
        "the EFI memory map names no available memory: the other map is used",
        "EFI boot services are still active: their memory is left alone",
    };

    return bit < BOOT_NOTE_COUNT ? texts[bit] : "unknown note";
}
