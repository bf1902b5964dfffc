/* SPDX-License-Identifier: MIT */
/* vmm/guest/multiboot.c and vmm/guest/multiboot_elf.c: headers, ELF, places. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/guest/multiboot.h"

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
        assert_int_equal(image.sections.count, 0);
    }
}

/* `count` segments of 16 bytes: number i at linear[i] and physical[i]. */
static void elf_of(unsigned count, const uint32_t *linear, const uint32_t *physical, uint32_t size,
                   uint32_t entry)
{
    elf(false);
    memset(file + 52, 0, 0x200 - 52);
    header(0x1f00, 0);
    put(24, entry, 4);
    put(44, count, 2);
    for (unsigned i = 0; i < count; i++) {
        unsigned at = 52 + i * 32;
        const uint32_t values[] = {1, 0x3000, linear[i], physical[i], 16, size};

        for (unsigned f = 0; f < 6; f++)
            put(at + f * 4, values[f], 4);
    }
}

static void many_segments(void **state)
{
    uint32_t places[MULTIBOOT_SEGMENTS_MAX + 1];

    (void)state;
    for (unsigned i = 0; i <= MULTIBOOT_SEGMENTS_MAX; i++)
        places[i] = 0x100000 + i * 0x1000;
    elf_of(MULTIBOOT_SEGMENTS_MAX, places, places, 16, 0x100000);
    assert_null(parse(sizeof(file)));
    assert_int_equal(image.segment_count, 64);
    assert_int_equal(image.segments[63].gpa, 0x13f000);
    elf_of(MULTIBOOT_SEGMENTS_MAX + 1, places, places, 16, 0x100000);
    assert_string_equal(parse(sizeof(file)), "it has more than 64 segments");
}

/* Linear addresses first, and of several segments the first; then physical ones. */
static void entry_points(void **state)
{
    static const uint32_t linear[] = {0x100000, 0, 0xc0400000}, physical[] = {0x500000, 0x200000, 0x400000};

    (void)state;
    elf_of(3, linear, physical, 0x180000, 0x100008);
    assert_null(parse(sizeof(file)));
    assert_int_equal(image.entry, 0x500008);
    elf_of(3, linear, physical, 0x180000, 0xff008); /* of the second alone */
    assert_null(parse(sizeof(file)));
    assert_int_equal(image.entry, 0x2ff008);
    elf_of(3, linear, physical, 0x180000, 0xc0400008);
    assert_null(parse(sizeof(file)));
    assert_int_equal(image.entry, 0x400008);
    elf_of(3, linear, physical, 0x180000, 0x400008); /* nobody's linear address */
    assert_null(parse(sizeof(file)));
    assert_int_equal(image.entry, 0x400008);
    elf_of(3, linear, physical, 0x180000, 0x57ffff);
    assert_null(parse(sizeof(file)));
    assert_int_equal(image.entry, 0x57ffff);
    elf_of(3, linear, physical, 0x180000, 0x680000);
    assert_string_equal(parse(sizeof(file)), "its entry point is in none of its segments");
    elf_of(3, linear, physical, 0x180000, 0);
    put(52 + 20, 0, 4); /* an empty segment holds nothing */
    put(52 + 16, 0, 4);
    put(24, 0x100008, 4);
    assert_null(parse(sizeof(file)));
    assert_int_equal(image.entry, 0x300008);
}

static void elf_types(void **state)
{
    (void)state;
    for (unsigned wide = 0; wide < 2; wide++)
        for (unsigned type = 0; type < 6; type++) {
            elf(wide);
            put(16, type, 2);
            if (type == 2 || type == 3) /* ET_EXEC, ET_DYN */
                assert_null(parse(sizeof(file)));
            else
                assert_string_equal(parse(sizeof(file)), "it is no ELF program for x86");
        }
}

static uint8_t placed[0x2000];
static unsigned refuse_after;

static bool place(void *context, uint64_t gpa, const void *bytes, uint64_t length)
{
    assert_ptr_equal(context, placed);
    assert_true(gpa >= 0x300000 && gpa + length <= 0x300000 + sizeof(placed));
    if (refuse_after-- == 0)
        return false;
    memcpy(placed + (gpa - 0x300000), bytes, length);
    return true;
}

/* Section `index` of the table at 0x3000: type, address, offset, size. */
static void section(bool wide, unsigned index, uint32_t type, uint64_t address, uint64_t offset,
                    uint64_t size)
{
    unsigned at = 0x3000 + index * (wide ? 64 : 40), word = wide ? 8 : 4;

    put(at + 4, type, 4);
    put(at + (wide ? 16 : 12), address, word);
    put(at + (wide ? 24 : 16), offset, word);
    put(at + (wide ? 32 : 20), size, word);
}

static uint64_t placed_address(bool wide, unsigned index)
{
    uint64_t value = 0;

    memcpy(&value, placed + index * (wide ? 64 : 40) + (wide ? 16 : 12), wide ? 8 : 4);
    return value;
}

static void sections(void **state)
{
    (void)state;
    for (unsigned wide = 0; wide < 2; wide++) {
        unsigned entry = wide ? 64 : 40, table = 7 * entry;
        uint64_t used;

        elf(wide);
        put(wide ? 40 : 32, 0x3000, wide ? 8 : 4);
        put(wide ? 58 : 46, entry, 2);
        put(wide ? 60 : 48, 7, 2);
        put(wide ? 62 : 50, 4, 2);
        section(wide, 1, 1, 0x100000, 0x1000, 0x800);        /* a part of a segment */
        section(wide, 2, 2, 0, 0x3801, 33);                  /* symbols */
        section(wide, 3, 3, 0, 0x3900, 5);                   /* their names */
        section(wide, 4, 3, 0, sizeof(file) - 7, 8);         /* not in the file */
        section(wide, 5, 8, 0, 0, 0x1000);                   /* no bytes */
        section(wide, 6, 1, 0, UINT64_C(0xffffffff) - 7, 9); /* neither */
        memset(file + 0x3801, 0x77, 33);
        memset(file + 0x3900, 0x88, 5);
        assert_null(parse(sizeof(file)));
        assert_int_equal(image.sections.count, 7);
        assert_int_equal(image.sections.entry_size, entry);
        assert_int_equal(image.sections.names, 4);
        used = ((table + 15) & ~15u) + 48 + 5;
        assert_int_equal(guest_multiboot_sections(file, sizeof(file), &image, 0, NULL, NULL), used);
        memset(placed, 0xee, sizeof(placed));
        refuse_after = 100;
        assert_int_equal(guest_multiboot_sections(file, sizeof(file), &image, 0x300000, place, placed), used);
        assert_int_equal(placed_address(wide, 1), 0x100000);
        assert_int_equal(placed_address(wide, 2), 0x300000 + ((table + 15) & ~15u));
        assert_int_equal(placed_address(wide, 3), 0x300000 + ((table + 15) & ~15u) + 48);
        assert_int_equal(placed_address(wide, 4), 0);
        assert_int_equal(placed_address(wide, 5), 0);
        assert_int_equal(placed_address(wide, 6), 0);
        assert_memory_equal(placed + (placed_address(wide, 2) - 0x300000), file + 0x3801, 33);
        assert_memory_equal(placed + (placed_address(wide, 3) - 0x300000), file + 0x3900, 5);
        assert_int_equal(placed[used], 0xee);
        for (unsigned calls = 0; calls < 5; calls++) {
            refuse_after = calls;
            assert_int_equal(guest_multiboot_sections(file, sizeof(file), &image, 0x300000, place, placed),
                             0);
        }
        put(wide ? 60 : 48, 0xffff, 2); /* a table that is not all in the file is none */
        assert_null(parse(sizeof(file)));
        assert_int_equal(image.sections.count, 0);
        assert_int_equal(guest_multiboot_sections(file, sizeof(file), &image, 0, NULL, NULL), 0);
        put(wide ? 60 : 48, 7, 2);
        put(wide ? 58 : 46, entry - 1, 2);
        assert_null(parse(sizeof(file)));
        assert_int_equal(image.sections.count, 0);
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

/* Headers right below 1 MiB go nowhere; what goes on above is loaded. */
static void what_is_loaded(void **state)
{
    static const struct {
        struct multiboot_segment from, to;
    } all[] = {
        {{0x10, 0x74, 0xff000, 0x74}, {0x84, 0, 0xff074, 0}},
        {{0, 0x1055, 0xff000, 0x3000}, {0x1000, 0x55, 0x100000, 0x2000}},
        {{0, 0x800, 0xff000, 0x3000}, {0x800, 0, 0x100000, 0x2000}},
        {{0, 0x100, 0x100000, 0x200}, {0, 0x100, 0x100000, 0x200}},
        {{0, 0x100, 0x9f000, 0x2000}, {0, 0x100, 0x9f000, 0x2000}}, /* RAM is wanted, and not all of it is */
        {{0, 0x100, 0xfffff, 0x101}, {1, 0xff, 0x100000, 0x100}},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct multiboot_segment loaded = guest_multiboot_loaded(&all[i].from, 0xa0000);

        assert_memory_equal(&loaded, &all[i].to, sizeof(loaded));
    }
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
        cmocka_unit_test(address_fields), cmocka_unit_test(places),        cmocka_unit_test(many_segments),
        cmocka_unit_test(what_is_loaded), cmocka_unit_test(entry_points),  cmocka_unit_test(elf_types),
        cmocka_unit_test(sections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
