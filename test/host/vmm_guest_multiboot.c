/* SPDX-License-Identifier: MIT */
/* vmm/guest_multiboot.c: headers, ELF, places. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/guest_multiboot.h"

static uint8_t file[0x4000];
static struct multiboot_image image;

static void put(unsigned at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        file[at + i] = (uint8_t)(value >> (8 * i));
}

static void header(unsigned at, uint32_t flags)
{
    put(at, 0x1badb002, 4);
    put(at + 4, flags, 4);
    put(at + 8, 0 - 0x1badb002u - flags, 4);
}

static void addresses(unsigned at, uint32_t header_address, uint32_t load, uint32_t load_end,
                      uint32_t bss_end, uint32_t entry)
{
    header(at, 1u << 16);
    put(at + 12, header_address, 4);
    put(at + 16, load, 4);
    put(at + 20, load_end, 4);
    put(at + 24, bss_end, 4);
    put(at + 28, entry, 4);
}

/* Two segments; the second one's linear address is not its physical one, and the entry point lies in it. */
static void elf(bool wide)
{
    unsigned base = wide ? 64 : 52, size = wide ? 56 : 32, word = wide ? 8 : 4;

    memset(file, 0, sizeof(file));
    memcpy(file,
           "\x7f"
           "ELF",
           4);
    file[4] = wide ? 2 : 1;
    file[5] = 1;
    put(16, 2, 2);
    put(18, wide ? 62 : 3, 2);
    put(24, 0xc0200010, word);
    put(wide ? 32 : 28, base, word);
    put(wide ? 54 : 42, size, 2);
    put(wide ? 56 : 44, 3, 2);
    for (unsigned i = 0; i < 3; i++) {
        unsigned at = base + i * size;
        const uint32_t values[] = {0x1000 + i * 0x1000, i ? 0xc0200000 : 0x100000, i ? 0x200000 : 0x100000,
                                   0x800, 0x1800};

        put(at, i == 2 ? 4 : 1, 4); /* the third is a note, wherever it may lie */
        for (unsigned f = 0; f < 5; f++)
            put(at + (wide ? 8 + f * 8 : 4 + f * 4), values[f], word);
    }
    header(0x200, 3);
}

static const char *parse(uint64_t length)
{
    return guest_multiboot_parse(file, length, &image);
}

static void elf_files(void **state)
{
    (void)state;
    for (unsigned wide = 0; wide < 2; wide++) {
        elf(wide);
        assert_null(parse(sizeof(file)));
        assert_string_equal(image.format, wide ? "ELF64" : "ELF32");
        assert_int_equal(image.segment_count, 2);
        assert_int_equal(image.segments[0].gpa, 0x100000);
        assert_int_equal(image.segments[0].offset, 0x1000);
        assert_int_equal(image.segments[1].gpa, 0x200000);
        assert_int_equal(image.segments[1].size, 0x800);
        assert_int_equal(image.segments[1].memory_size, 0x1800);
        assert_int_equal(image.entry, 0x200010);
        assert_false(image.wants_video);
    }
}

static void bad_elf_files(void **state)
{
    (void)state;
    elf(false);
    assert_string_equal(parse(0x2700), "the file ends before one of its segments does");
    elf(false);
    put(52 + 20, 0x700, 4);
    assert_string_equal(parse(sizeof(file)), "a segment is larger in the file than in memory");
    elf(true);
    put(64 + 24, UINT64_C(0x100000000), 8);
    assert_string_equal(parse(sizeof(file)), "a segment lies above 4 GiB");
    elf(true);
    put(64 + 24, 0xfffff000, 8);
    assert_string_equal(parse(sizeof(file)), "a segment lies above 4 GiB");
    elf(false);
    put(24, 0x300000, 4);
    assert_string_equal(parse(sizeof(file)), "its entry point is in none of its segments");
    elf(false);
    put(18, 62, 2);
    assert_string_equal(parse(sizeof(file)), "it is no ELF program for x86");
    elf(false);
    put(44, 0xffff, 2);
    assert_string_equal(parse(sizeof(file)), "its ELF program headers are not in the file");
    elf(false);
    put(42, 8, 2);
    assert_string_equal(parse(sizeof(file)), "its ELF program headers are not in the file");
    elf(false);
    put(44, 0, 2);
    assert_string_equal(parse(sizeof(file)), "it has nothing to load");
    elf(false);
    file[0] = 0;
    assert_string_equal(parse(sizeof(file)), "it is no ELF file, and its header has no address fields");
}

static void headers(void **state)
{
    (void)state;
    memset(file, 0, sizeof(file));
    assert_string_equal(parse(sizeof(file)), "no multiboot header is in its first 8 KiB");
    assert_string_equal(parse(0), "no multiboot header is in its first 8 KiB");
    addresses(8192 - 12, 0, 0, 0, 0, 0); /* the last place, though its address fields are behind it */
    put(8192 - 12 + 12, 0x100000 + 8192 - 12, 4);
    put(8192 - 12 + 16, 0x100000, 4);
    assert_null(parse(sizeof(file)));
    memset(file, 0, sizeof(file));
    header(8192 - 8, 0);
    assert_string_equal(parse(sizeof(file)), "no multiboot header is in its first 8 KiB");
    elf(false);
    header(0x202, 0); /* not at a multiple of 4 */
    assert_string_equal(parse(sizeof(file)), "no multiboot header is in its first 8 KiB");
    elf(false);
    header(0x200, 1u << 3);
    assert_string_equal(parse(sizeof(file)), "its header requires a feature that is not known");
    header(0x200, 4);
    assert_null(parse(sizeof(file)));
    assert_true(image.wants_video);
    put(0x208, 0, 4);
    assert_string_equal(parse(sizeof(file)), "no multiboot header is in its first 8 KiB");
}

static void address_fields(void **state)
{
    (void)state;
    elf(false); /* the fields go before the ELF header */
    addresses(0x200, 0x100100, 0x100000, 0x100800, 0x102000, 0x100010);
    assert_null(parse(sizeof(file)));
    assert_string_equal(image.format, "address fields");
    assert_int_equal(image.segment_count, 1);
    assert_int_equal(image.segments[0].offset, 0x100);
    assert_int_equal(image.segments[0].gpa, 0x100000);
    assert_int_equal(image.segments[0].size, 0x800);
    assert_int_equal(image.segments[0].memory_size, 0x2000);
    assert_int_equal(image.entry, 0x100010);
    addresses(0x200, 0x100100, 0x100000, 0, 0, 0x100010); /* all of the file, no more */
    assert_null(parse(sizeof(file)));
    assert_int_equal(image.segments[0].size, sizeof(file) - 0x100);
    assert_int_equal(image.segments[0].memory_size, sizeof(file) - 0x100);
    addresses(0x200, 0x100300, 0x100000, 0, 0, 0);
    assert_string_equal(parse(sizeof(file)), "its address fields want bytes from before the file's start");
    addresses(0x200, 0x100000, 0x100001, 0, 0, 0);
    assert_string_equal(parse(sizeof(file)), "its address fields want bytes from before the file's start");
    addresses(0x200, 0x100200, 0x100000, 0xfffff, 0, 0);
    assert_string_equal(parse(sizeof(file)), "load_end_addr lies below load_addr");
    addresses(0x200, 0x100200, 0x100000, 0x101000, 0x100fff, 0);
    assert_string_equal(parse(sizeof(file)), "bss_end_addr lies below load_end_addr");
    addresses(0x200, 0x100200, 0x100000, 0x105000, 0, 0);
    assert_string_equal(parse(sizeof(file)), "the file ends before one of its segments does");
    assert_string_equal(parse(0x21f), "the file ends within its address fields");
}

static const struct guest_memory_map map = {
    .ranges = {{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2}, {0xc0000, 0x40000, 2}, {0x100000, 0xf00000, 1}},
    .count = 4};

static void places(void **state)
{
    struct multiboot_image at_1m = {.segments = {{.gpa = 0x100000, .memory_size = 0x1801}},
                                    .segment_count = 1};
    struct multiboot_image low = {
        .segments = {{.gpa = 0xf000, .memory_size = 0x1001}, {.gpa = 0x14800, .memory_size = 1}},
        .segment_count = 2};
    struct multiboot_image all_low = {.segments = {{.gpa = 0x8000, .memory_size = 0x97000}},
                                      .segment_count = 1};

    (void)state;
    assert_int_equal(guest_multiboot_low_place(&at_1m, &map, 0x4000), 0x10000);
    assert_int_equal(guest_multiboot_low_place(&low, &map, 0x1000), 0x11000);
    assert_int_equal(guest_multiboot_low_place(&low, &map, 0x4000), 0x15000);
    assert_int_equal(guest_multiboot_low_place(&all_low, &map, 0x4000), 0x100000);
    assert_int_equal(guest_multiboot_high_place(&at_1m, &map, 0, 1), 0x102000);
    assert_int_equal(guest_multiboot_high_place(&at_1m, &map, 0x103001, 1), 0x104000);
    assert_int_equal(guest_multiboot_high_place(&at_1m, &map, 0, 0xf00000 - 0x2000), 0x102000);
    assert_int_equal(guest_multiboot_high_place(&at_1m, &map, 0, 0xf00000 - 0x1fff), 0);
    assert_int_equal(guest_multiboot_high_place(&at_1m, &map, UINT64_C(1) << 33, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elf_files),      cmocka_unit_test(bad_elf_files), cmocka_unit_test(headers),
        cmocka_unit_test(address_fields), cmocka_unit_test(places),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
