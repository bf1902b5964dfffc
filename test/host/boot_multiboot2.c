/* SPDX-License-Identifier: MIT */
/* boot/multiboot2.c and the dispatcher boot/boot_info.c over a pretended physical memory. */
#include "test/host/boot_pretended_memory.h"

/* --- Multiboot 2 ------------------------------------------------------------------------------------------
 */

/* Starts a tag; its payload follows by the add functions, its size is kept right by them. */
static size_t tag_at;
static size_t used; /* bytes of the structure built so far */

static int start(void **state)
{
    used = 8;
    return clear(state);
}

static void begin_tag(uint32_t type)
{
    used = (used + 7) & ~(size_t)7;
    tag_at = used;
    put32(BASE + used, type);
    put32(BASE + used + 4, 8);
    used += 8;
}

static void add(const void *bytes, size_t length)
{
    memcpy(memory + used, bytes, length);
    used += length;
    put32(BASE + tag_at + 4, (uint32_t)(used - tag_at));
}

static void add32(uint32_t value)
{
    add(&value, sizeof(value));
}

static void add64(uint64_t value)
{
    add(&value, sizeof(value));
}

static void finish(void)
{
    begin_tag(0);
    put32(BASE, (uint32_t)used);
}

static void basic_memory(void)
{
    begin_tag(4);
    add32(640);
    add32(1024);
}

static void multiboot2_32_bit_efi(void **state)
{
    (void)state;
    begin_tag(11);
    add32(0x7e000000);
    basic_memory();
    finish();
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_OK);
    assert_true(info.from_efi);
    assert_int_equal(info.efi_system_table, 0);
}

static void efi_descriptor(uint32_t type, uint64_t base, uint64_t pages, uint64_t attributes)
{
    add32(type);
    add32(0);
    add64(base);
    add64(0);
    add64(pages);
    add64(attributes);
    add64(0x1111111111111111); /* what a later descriptor may have more */
}

static void multiboot2_everything(void **state)
{
    (void)state;
    begin_tag(1);
    add("trace=none", 11);
    begin_tag(2);
    add("GRUB 2.06", 10);
    begin_tag(3);
    add32(0x300000);
    add32(0x300200);
    add("name=a", 7);
    begin_tag(6);
    add32(24);
    add32(0);
    add64(0);
    add64(0x9fc00);
    add32(1);
    add32(0);
    add64(0x100000);
    add64(0x7ef0000);
    add32(1);
    add32(0);
    add64(0x7ff0000);
    add64(0x10000);
    add32(3);
    add32(0);
    basic_memory();
    begin_tag(8);
    add64(0x480000000000);
    add32(8192);
    add32(1920);
    add32(1080);
    add("\x20\x01\x00\x00\x10\x08\x08\x08\x00\x08", 10);
    begin_tag(12);
    add64(0x12345678);
    begin_tag(14);
    add("RSD PTR old-0123456789", 20);
    begin_tag(15);
    add("RSD PTR new-012345678901234567890123456789", 36);
    begin_tag(14);
    add("RSD PTR old-0123456789", 20);
    begin_tag(21);
    add32(0x400000);
    begin_tag(9999);
    add("??", 2);
    finish();

    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_OK);
    assert_int_equal(info.protocol, BOOT_PROTOCOL_MULTIBOOT2);
    assert_int_equal(info.notes, 0);
    assert_string_equal(info.command_line, "trace=none");
    assert_string_equal(info.loader_name, "GRUB 2.06");
    assert_int_equal(info.module_count, 1);
    assert_string_equal(info.modules[0].string, "name=a");
    assert_int_equal(info.memory_count, 3);
    assert_range(0, 0, 0x9f000, BOOT_MEMORY_AVAILABLE);
    assert_range(2, 0x7ff0000, 0x8000000, BOOT_MEMORY_ACPI_RECLAIMABLE);
    assert_int_equal(info.framebuffer.address, 0x480000000000);
    assert_int_equal(info.framebuffer.width, 1920);
    assert_int_equal(info.framebuffer.red_position, 16);
    assert_int_equal(info.framebuffer.green_position, 8);
    assert_int_equal(info.framebuffer.blue_size, 8);
    assert_true(info.from_efi);
    assert_int_equal(info.efi_system_table, 0x12345678);
    assert_int_equal(info.rsdp_length, 36);
    assert_memory_equal(info.rsdp, "RSD PTR new-012345678901234567890123456789", 36);
    assert_int_equal(info.image_load_base, 0x400000);
}

static void efi_map(uint64_t attributes_of_conventional)
{
    begin_tag(17);
    add32(48);
    add32(1);
    efi_descriptor(7, 0x0, 0x9f, attributes_of_conventional);
    efi_descriptor(3, 0x100000, 0x10, 0xf);
    efi_descriptor(4, 0x110000, 0x10, 0xf);
    efi_descriptor(1, 0x120000, 0x10, 0xf);
    efi_descriptor(2, 0x130000, 0x10, 0xf);
    efi_descriptor(5, 0x140000, 0x10, 0x800000000000000f);
    efi_descriptor(9, 0x150000, 0x10, 0xf);
    efi_descriptor(10, 0x160000, 0x10, 0xf);
    efi_descriptor(8, 0x170000, 0x10, 0xf);
    efi_descriptor(14, 0x180000, 0x10, 0xf);
    efi_descriptor(7, 0x190000, 0x10, 0x1);     /* cannot be cached */
    efi_descriptor(7, 0x1a0000, 0x10, 0x4000f); /* set aside for a specific purpose */
    efi_descriptor(7, 0x1b0000, UINT64_MAX, attributes_of_conventional);
}

static void multiboot2_prefers_the_efi_map(void **state)
{
    (void)state;
    begin_tag(6);
    add32(24);
    add32(0);
    add64(0);
    add64(0x100000000);
    add32(1);
    add32(0);
    efi_map(0xf);
    finish();
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_OK);
    assert_int_equal(info.notes, 0);
    assert_true(info.from_efi);
    assert_int_equal(info.memory_count, 8);
    assert_range(0, 0, 0x9f000, BOOT_MEMORY_AVAILABLE);
    assert_range(1, 0x100000, 0x140000, BOOT_MEMORY_AVAILABLE);
    assert_range(2, 0x140000, 0x150000, BOOT_MEMORY_RESERVED);
    assert_range(3, 0x150000, 0x160000, BOOT_MEMORY_ACPI_RECLAIMABLE);
    assert_range(4, 0x160000, 0x170000, BOOT_MEMORY_ACPI_NVS);
    assert_range(5, 0x170000, 0x180000, BOOT_MEMORY_BAD);
    assert_range(6, 0x180000, 0x1b0000, BOOT_MEMORY_RESERVED);
    assert_range(7, 0x1b0000, 1ull << 52, BOOT_MEMORY_AVAILABLE);
}

/* The map's last descriptor lacks a byte, and behind it comes the end of all: it is not used. */
static void multiboot2_cut_efi_map(void **state)
{
    (void)state;
    begin_tag(17);
    add32(40);
    add32(1);
    for (unsigned i = 0; i < 2; i++) {
        add32(7);
        add32(0);
        add64(i * 0x100000);
        add64(0);
        add64(0x10);
        add64(0xf);
    }
    put32(BASE + tag_at + 4, 16 + 79);
    finish();
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_OK);
    assert_int_equal(info.memory_count, 1);
    assert_range(0, 0, 0x10000, BOOT_MEMORY_AVAILABLE);
}

static void multiboot2_active_boot_services(void **state)
{
    (void)state;
    efi_map(0);
    begin_tag(18);
    finish();
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_OK);
    assert_int_equal(info.notes, BOOT_NOTE_EFI_SERVICES_ACTIVE);
    assert_range(1, 0x100000, 0x120000, BOOT_MEMORY_RESERVED);
    assert_range(2, 0x120000, 0x140000, BOOT_MEMORY_AVAILABLE);
}

static void multiboot2_useless_efi_map(void **state)
{
    (void)state;
    begin_tag(17);
    add32(48);
    add32(1);
    efi_descriptor(0, 0x200000, 0x10, 0xf);
    basic_memory();
    finish();
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_OK);
    assert_int_equal(info.notes, BOOT_NOTE_EFI_MAP_USELESS | BOOT_NOTE_NO_MAP);
    assert_int_equal(info.memory_count, 2);
    assert_range(1, 0x100000, 0x200000, BOOT_MEMORY_AVAILABLE);
}

/* Tags that are too short for their type are left out, one at a time, and the rest is still read. */
static void multiboot2_short_tags(void **state)
{
    static const uint32_t types[] = {3, 6, 8, 12, 14, 15, 17, 21};

    for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        start(state);
        begin_tag(types[i]);
        add("\x01\x00", 2);
        basic_memory();
        begin_tag(1);
        add("unterminated", 12);
        finish();
        assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_OK);
        assert_true(info.notes & BOOT_NOTE_TAG_MALFORMED);
        assert_true(info.notes & BOOT_NOTE_COMMAND_LINE_TRUNCATED);
        assert_string_equal(info.command_line, "unterminated");
        assert_int_equal(info.module_count, 0);
        assert_int_equal(info.rsdp_length, 0);
        assert_false(info.framebuffer.present);
        assert_int_equal(info.memory_count, 2);
    }
    /* An RGB framebuffer without its colours. */
    start(state);
    begin_tag(8);
    add("01234567012345670123\x20\x01\x00\x00", 24);
    finish();
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_NO_MEMORY);
    assert_int_equal(info.notes, BOOT_NOTE_TAG_MALFORMED);
    assert_false(info.framebuffer.present);
}

static void multiboot2_bad_structure(void **state)
{
    (void)state;
    put32(BASE, 7);
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_INFORMATION_MALFORMED);
    put32(BASE, 0xffffffff);
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_INFORMATION_MALFORMED);
    put32(BASE, SIZE + 1);
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_INFORMATION_UNREADABLE);
    assert_int_equal(info.memory_count, 0);
    assert_string_equal(info.command_line, "");
    put32(BASE, 8);
    assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_NO_MEMORY);
    assert_int_equal(info.notes, BOOT_NOTE_TAG_MALFORMED); /* no end tag */

    /* A tag that reaches beyond the structure, by much or by a byte, or one of size 0: what came before
     * stays. */
    for (unsigned i = 0; i < 3; i++) {
        start(state);
        basic_memory();
        begin_tag(1);
        add("x", 2);
        finish();
        put32(BASE + tag_at - 16 + 4, i == 0 ? 0 : i == 1 ? 1000 : 25);
        assert_int_equal(parse(BOOT_MAGIC_MULTIBOOT2), BOOT_OK);
        assert_int_equal(info.notes, BOOT_NOTE_TAG_MALFORMED | BOOT_NOTE_NO_MAP);
        assert_string_equal(info.command_line, "");
    }
}

static void other_magic(void **state)
{
    (void)state;
    assert_int_equal(parse(0x12345678), BOOT_UNKNOWN_MAGIC);
    assert_int_equal(info.protocol, BOOT_PROTOCOL_NONE);
    assert_int_equal(info.memory_count, 0);
}

static void texts(void **state)
{
    (void)state;
    for (unsigned bit = 0; bit < BOOT_NOTE_COUNT; bit++)
        assert_string_not_equal(boot_note_text(bit), "unknown note");
    assert_string_equal(boot_note_text(BOOT_NOTE_COUNT), "unknown note");
    for (unsigned status = BOOT_OK; status <= BOOT_NO_MEMORY; status++)
        assert_string_not_equal(boot_status_text((enum boot_status)status), "unknown status");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(multiboot2_32_bit_efi, start),
        cmocka_unit_test_setup(multiboot2_everything, start),
        cmocka_unit_test_setup(multiboot2_prefers_the_efi_map, start),
        cmocka_unit_test_setup(multiboot2_cut_efi_map, start),
        cmocka_unit_test_setup(multiboot2_active_boot_services, start),
        cmocka_unit_test_setup(multiboot2_useless_efi_map, start),
        cmocka_unit_test_setup(multiboot2_short_tags, start),
        cmocka_unit_test_setup(multiboot2_bad_structure, start),
        cmocka_unit_test_setup(other_magic, start),
        cmocka_unit_test_setup(texts, start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
