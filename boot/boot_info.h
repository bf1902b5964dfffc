/* SPDX-License-Identifier: MIT */
/*
 * What the boot loader said, in one form whichever protocol it spoke. Pure: the parser touches memory only
 * through the reader handed in, copies all that it keeps, and uses no global. Nothing in here points into the
 * loader's memory.
 *
 * Sources: Multiboot Specification 0.6.96 ("Boot information format"), Multiboot2 Specification 2.0 ("Boot
 * information format"), UEFI Specification ("EFI_BOOT_SERVICES.GetMemoryMap()").
 */
#ifndef BOOT_BOOT_INFO_H
#define BOOT_BOOT_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What EAX holds at the entry point. */
#define BOOT_MAGIC_MULTIBOOT1 0x2badb002u
#define BOOT_MAGIC_MULTIBOOT2 0x36d76289u

#define BOOT_MEMORY_MAX       512
#define BOOT_MODULE_MAX       32
#define BOOT_STRING_MAX       256  /* of a module, with its NUL */
#define BOOT_COMMAND_LINE_MAX 1024 /* with its NUL */

enum boot_protocol { BOOT_PROTOCOL_NONE, BOOT_PROTOCOL_MULTIBOOT1, BOOT_PROTOCOL_MULTIBOOT2 };

/* The numbers are those of both multiboot memory maps. */
enum boot_memory_type {
    BOOT_MEMORY_AVAILABLE = 1,
    BOOT_MEMORY_RESERVED = 2,
    BOOT_MEMORY_ACPI_RECLAIMABLE = 3,
    BOOT_MEMORY_ACPI_NVS = 4,
    BOOT_MEMORY_BAD = 5,
};

/* Physical, in bytes; base and length are multiples of 4 KiB, and base + length is at most 2^52. */
struct boot_memory_range {
    uint64_t base, length;
    enum boot_memory_type type;
};

/* Physical, in bytes; the loader put `length` bytes at `base`, which need not be page-aligned. */
struct boot_module {
    uint64_t base, length;
    char string[BOOT_STRING_MAX];
};

#define BOOT_FRAMEBUFFER_INDEXED  0
#define BOOT_FRAMEBUFFER_RGB      1
#define BOOT_FRAMEBUFFER_EGA_TEXT 2

/* pitch in bytes; width and height in pixels, or in characters for EGA text; positions and sizes in bits, RGB
 * only. */
struct boot_framebuffer {
    bool present;
    uint64_t address;
    uint32_t pitch, width, height;
    uint8_t bits_per_pixel, type; /* BOOT_FRAMEBUFFER_... */
    uint8_t red_position, red_size, green_position, green_size, blue_position, blue_size;
};

/* Bits of boot_info.notes: what was left out or odd. None of them stops the boot; boot_note_text() says each
 * in words. */
#define BOOT_NOTE_MEMORY_TRUNCATED                                                                           \
    (1u << 0) /* more than BOOT_MEMORY_MAX ranges: available memory was given up */
#define BOOT_NOTE_MODULES_TRUNCATED      (1u << 1) /* more than BOOT_MODULE_MAX modules */
#define BOOT_NOTE_MODULE_BAD             (1u << 2) /* a module whose end lies before its start was left out */
#define BOOT_NOTE_STRING_TRUNCATED       (1u << 3) /* a string was longer than its place, or not terminated */
#define BOOT_NOTE_COMMAND_LINE_TRUNCATED (1u << 4) /* the same of the command line */
#define BOOT_NOTE_UNREADABLE             (1u << 5) /* something pointed to could not be read */
#define BOOT_NOTE_TAG_MALFORMED          (1u << 6) /* a tag of bad size: it, or all after it, left out */
#define BOOT_NOTE_NO_MAP                 (1u << 7) /* no memory map: made from mem_lower and mem_upper */
#define BOOT_NOTE_EFI_MAP_USELESS                                                                            \
    (1u << 8) /* the EFI map had no available memory; the other map was used                                 \
               */
#define BOOT_NOTE_EFI_SERVICES_ACTIVE                                                                        \
    (1u << 9) /* boot services were not ended: their memory is taken as reserved */
#define BOOT_NOTE_COUNT 10

struct boot_info {
    enum boot_protocol protocol;
    uint32_t notes; /* BOOT_NOTE_... */
    char command_line[BOOT_COMMAND_LINE_MAX];
    char loader_name[64];
    /* Sorted by base, disjoint, neighbours of one type merged. Where the loader's ranges overlap the more
     * restrictive type wins (bad > reserved > ACPI NVS > ACPI reclaimable > available). Available ranges are
     * shrunk to whole pages, all others grown. Gaps are memory that nobody described: not RAM. The image and
     * the modules lie inside available ranges: the allocator subtracts them. */
    struct boot_memory_range memory[BOOT_MEMORY_MAX];
    unsigned memory_count;
    struct boot_module modules[BOOT_MODULE_MAX];
    unsigned module_count;
    unsigned modules_dropped;
    struct boot_framebuffer framebuffer;
    uint8_t rsdp[36];          /* a copy of the ACPI RSDP; the ACPI 2.0 one is preferred */
    unsigned rsdp_length;      /* 0 (none given), 20 or 36 */
    uint64_t image_load_base;  /* physical address of the image's start if the loader said it; 0: as linked */
    bool from_efi;             /* an EFI system table or an EFI memory map was handed over */
    uint64_t efi_system_table; /* physical, 0 if none (64-bit firmware only) */
};

/* `at` returns a pointer to [physical, physical + length) that stays good until the parser returns, or NULL
 * when that range is not readable. length is at least 1; the pointer need not be aligned. */
struct boot_memory_reader {
    const void *(*at)(void *context, uint64_t physical, size_t length);
    void *context;
};

enum boot_status {
    BOOT_OK,
    BOOT_UNKNOWN_MAGIC,          /* not started by multiboot 1 or 2 */
    BOOT_INFORMATION_UNREADABLE, /* the structure itself lies outside readable memory */
    BOOT_INFORMATION_MALFORMED,  /* its size cannot be right */
    BOOT_NO_MEMORY,              /* no available memory anywhere: everything else in boot_info is valid */
};

/*
 * Fills *out from what the loader left at `information_physical` (EBX at the entry point); `magic` is EAX.
 * *out is always wholly initialised, and after an error it holds what could be read.
 */
enum boot_status boot_info_parse(struct boot_info *out, uint32_t magic, uint64_t information_physical,
                                 const struct boot_memory_reader *reader) __attribute__((warn_unused_result));

/* GRUB puts modules from 0x2000 on when UEFI has started it. Below this address, real-mode programs live. */
#define BOOT_MODULES_FLOOR UINT64_C(0x100000)

/*
 * boot_modules.c: where the modules are to be. places[i], page-aligned, for one that moves; the module's own
 * base for all others. One that begins below BOOT_MODULES_FLOOR moves up, as high as there is room below
 * `limit` in available memory, away from the image, from every module as it is now, and from the other
 * places. One for which there is no room stays. Returns how many move.
 */
unsigned boot_modules_plan(const struct boot_info *info, uint64_t image_base, uint64_t image_length,
                           uint64_t limit, uint64_t places[BOOT_MODULE_MAX]);

/* The status in words, for the console. Never NULL. */
const char *boot_status_text(enum boot_status status);

/* The note with bit number `bit` (0 .. BOOT_NOTE_COUNT - 1) in words. Never NULL. */
const char *boot_note_text(unsigned bit);

#endif
