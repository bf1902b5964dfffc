/* SPDX-License-Identifier: MIT */
/* boot/multiboot1.c over a pretended physical memory. */
#include "test/host/boot_pretended_memory.h"

#define MAP_AT     (BASE + 0x400)
#define MODULES_AT (BASE + 0x800)
#define STRINGS_AT (BASE + 0x1000)

/* --- Multiboot 1 ------------------------------------------------------------------------------------------
 */

static void map_entry(unsigned index, uint32_t size, uint64_t base, uint64_t length, uint32_t type)
{
    uint32_t entry = MAP_AT + index * (size + 4);

    put32(entry, size);
    put64(entry + 4, base);
    put64(entry + 12, length);
    put32(entry + 20, type);
}

static void multiboot1_everything(void **state)
{
    (void)state;
    put32(BASE, 1u << 0 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9 | 1u << 12);
    put32(BASE + 16, STRINGS_AT);
    put_text(STRINGS_AT, "/boot/adept trace=all");
    put32(BASE + 20, 2);
    put32(BASE + 24, MODULES_AT);
    put32(MODULES_AT, 0x300000);
    put32(MODULES_AT + 4, 0x300200);
    put32(MODULES_AT + 8, STRINGS_AT + 64);
    put_text(STRINGS_AT + 64, "/boot/hello.bin name=a");
    put32(MODULES_AT + 16, 0x301000);
    put32(MODULES_AT + 20, 0x301000);
    put32(BASE + 44, 2 * 28);
    put32(BASE + 48, MAP_AT);
    map_entry(0, 24, 0, 0xa0000, 1);
    map_entry(1, 24, 0x100000, 0x7f00000, 1);
    put32(BASE + 64, STRINGS_AT + 128);
    put_text(STRINGS_AT + 128, "GRUB 2.06");
    put64(BASE + 88, 0xfd000000);
    put32(BASE + 96, 4096);
    put32(BASE + 100, 1024);
    put32(BASE + 104, 768);
    memcpy(memory + 108, "\x20\x01\x10\x08\x08\x07\x00\x06", 8);

    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT1), BOOT_OK);
    assert_int_equal(info.protocol, BOOT_PROTOCOL_MULTIBOOT1);
    assert_int_equal(info.notes, 0);
    assert_string_equal(info.command_line, "/boot/adept trace=all");
    assert_string_equal(info.loader_name, "GRUB 2.06");
    assert_int_equal(info.module_count, 2);
    assert_int_equal(info.modules[0].base, 0x300000);
    assert_int_equal(info.modules[0].length, 0x200);
    assert_string_equal(info.modules[0].string, "/boot/hello.bin name=a");
    assert_int_equal(info.modules[1].length, 0);
    assert_string_equal(info.modules[1].string, "");
    assert_int_equal(info.memory_count, 2);
    assert_range(1, 0x100000, 0x8000000, BOOT_MEMORY_AVAILABLE);
    assert_true(info.framebuffer.present);
    assert_int_equal(info.framebuffer.address, 0xfd000000);
    assert_int_equal(info.framebuffer.pitch, 4096);
    assert_int_equal(info.framebuffer.width, 1024);
    assert_int_equal(info.framebuffer.height, 768);
    assert_int_equal(info.framebuffer.bits_per_pixel, 32);
    assert_int_equal(info.framebuffer.type, BOOT_FRAMEBUFFER_RGB);
    assert_int_equal(info.framebuffer.red_position, 16);
    assert_int_equal(info.framebuffer.green_size, 7);
    assert_int_equal(info.framebuffer.blue_size, 6);
    assert_int_equal(info.rsdp_length, 0);
    assert_false(info.from_efi);

    /* The same as GRUB lays it out: two bytes of padding before the colours. */
    memcpy(memory + 110, "\0\0\x10\x08\x08\x07\x00\x06", 8);
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT1), BOOT_OK);
    assert_int_equal(info.framebuffer.red_position, 16);
    assert_int_equal(info.framebuffer.red_size, 8);
    assert_int_equal(info.framebuffer.green_size, 7);
    assert_int_equal(info.framebuffer.blue_size, 6);
}

static void multiboot1_without_a_map(void **state)
{
    (void)state;
    put32(BASE, 1);
    put32(BASE + 4, 639);
    put32(BASE + 8, 65536 - 1024);
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT1), BOOT_OK);
    assert_int_equal(info.notes, BOOT_NOTE_NO_MAP);
    assert_range(0, 0, 0x9f000, BOOT_MEMORY_AVAILABLE);
    assert_range(1, 0x100000, 0x4000000, BOOT_MEMORY_AVAILABLE);
    assert_false(info.framebuffer.present);
}

static void multiboot1_bad_pointers(void **state)
{
    (void)state;
    /* Nothing at all. */
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT1), BOOT_NO_MEMORY);
    assert_int_equal(info.notes, 0);
    /* Strings, modules and map outside of memory: what is good stays. */
    put32(BASE, 1u << 0 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9);
    put32(BASE + 8, 1024);
    put32(BASE + 16, 0xfffffff0);
    put32(BASE + 20, 0xffffffff);
    put32(BASE + 24, 0xfffffff8);
    put32(BASE + 44, 24);
    put32(BASE + 48, 0xffffffff);
    put32(BASE + 64, BASE + SIZE - 2);
    memory[SIZE - 2] = memory[SIZE - 1] = 'x';
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT1), BOOT_OK);
    assert_int_equal(info.notes, BOOT_NOTE_UNREADABLE | BOOT_NOTE_NO_MAP);
    assert_string_equal(info.command_line, "");
    assert_string_equal(info.loader_name, "xx");
    assert_int_equal(info.module_count, 0);
    assert_range(0, 0x100000, 0x200000, BOOT_MEMORY_AVAILABLE);
}

static void multiboot1_at_the_end_of_memory(void **state)
{
    /* The structure's first 88 bytes can be read, the framebuffer's part cannot; and a map longer than any.
     */
    uint32_t place = BASE + SIZE - 100;

    (void)state;
    put32(place, 1u << 0 | 1u << 6 | 1u << 12);
    put32(place + 8, 1024);
    put32(place + 44, (1u << 20) + 1);
    put32(place + 48, MAP_AT);
    memset(&info, 0xa5, sizeof(info));
    assert_int_equal(boot_info_parse(&info, BOOT_MAGIC_MULTIBOOT1, place, &reader), BOOT_OK);
    assert_int_equal(info.notes, BOOT_NOTE_UNREADABLE | BOOT_NOTE_NO_MAP);
    assert_false(info.framebuffer.present);
    assert_int_equal(boot_info_parse(&info, BOOT_MAGIC_MULTIBOOT1, BASE + SIZE - 87, &reader),
                     BOOT_INFORMATION_UNREADABLE);
    assert_int_equal(boot_info_parse(&info, BOOT_MAGIC_MULTIBOOT2, BASE + SIZE - 7, &reader),
                     BOOT_INFORMATION_UNREADABLE);
    assert_int_equal(boot_info_parse(&info, BOOT_MAGIC_MULTIBOOT2, UINT64_MAX - 3, &reader),
                     BOOT_INFORMATION_UNREADABLE);
    while (block_count > 0)
        free(blocks[--block_count]);
}

static void multiboot1_odd_map_entries(void **state)
{
    (void)state;
    put32(BASE, 1u << 6);
    put32(BASE + 48, MAP_AT);
    put32(BASE + 44, 3 * 24);
    map_entry(0, 20, 0, 0x80000, 1);
    map_entry(1, 20, 0x100000, 0x100000, 77); /* unknown: reserved */
    map_entry(2, 20, 0x400000, 0x100000, 5);
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT1), BOOT_OK);
    assert_int_equal(info.notes, 0);
    assert_range(1, 0x100000, 0x200000, BOOT_MEMORY_RESERVED);
    assert_range(2, 0x400000, 0x500000, BOOT_MEMORY_BAD);
    /* An entry that claims to be shorter than it must be ends the map. */
    put32(MAP_AT + 24, 0);
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT1), BOOT_OK);
    assert_int_equal(info.notes, BOOT_NOTE_UNREADABLE);
    assert_int_equal(info.memory_count, 1);
    /* An entry cut off by the map's end is not used. */
    put32(MAP_AT + 24, 20);
    put32(BASE + 44, 2 * 24 - 1);
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT1), BOOT_OK);
    assert_int_equal(info.memory_count, 1);
}

static void long_strings_and_many_modules(void **state)
{
    (void)state;
    put32(BASE, 1u << 0 | 1u << 2 | 1u << 3 | 1u << 9);
    put32(BASE + 8, 1024);
    memset(memory + 0x1000, 'y', 2000);
    put32(BASE + 16, STRINGS_AT);
    put32(BASE + 64, STRINGS_AT);
    put32(BASE + 20, BOOT_MODULE_MAX + 5);
    put32(BASE + 24, MODULES_AT);
    for (unsigned i = 0; i < BOOT_MODULE_MAX + 5; i++) {
        put32(MODULES_AT + i * 16, 0x300000 + i * 0x1000);
        put32(MODULES_AT + i * 16 + 4, i == 1 ? 0 : 0x300001 + i * 0x1000);
    }
    put32(MODULES_AT + 8, STRINGS_AT);
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT1), BOOT_OK);
    assert_int_equal(info.notes, BOOT_NOTE_NO_MAP | BOOT_NOTE_COMMAND_LINE_TRUNCATED |
                                     BOOT_NOTE_STRING_TRUNCATED | BOOT_NOTE_MODULES_TRUNCATED |
                                     BOOT_NOTE_MODULE_BAD);
    assert_int_equal(strlen(info.command_line), BOOT_COMMAND_LINE_MAX - 1);
    assert_int_equal(strlen(info.loader_name), sizeof(info.loader_name) - 1);
    assert_int_equal(strlen(info.modules[0].string), BOOT_STRING_MAX - 1);
    assert_int_equal(info.module_count, BOOT_MODULE_MAX);
    assert_int_equal(info.modules_dropped, 4); /* the bad one took no place */
    assert_int_equal(info.modules[1].base, 0x302000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(multiboot1_everything, clear),
        cmocka_unit_test_setup(multiboot1_without_a_map, clear),
        cmocka_unit_test_setup(multiboot1_bad_pointers, clear),
        cmocka_unit_test_setup(multiboot1_at_the_end_of_memory, clear),
        cmocka_unit_test_setup(multiboot1_odd_map_entries, clear),
        cmocka_unit_test_setup(long_strings_and_many_modules, clear),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
