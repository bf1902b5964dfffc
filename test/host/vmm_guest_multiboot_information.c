/* SPDX-License-Identifier: MIT */
/* vmm/guest/multiboot_information.c: the structure, field by field. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "vmm/guest/multiboot_information.h"

#define PLACE 0x10000u

static uint8_t buffer[MULTIBOOT_INFORMATION_MAX];

static const struct guest_memory_map map = {
    .ranges = {{0, 0x9fc00, 1}, {0x9fc00, 0x400, 2}, {0x100000, 0x1f00000, 1}}, .count = 3};
static const struct multiboot_module modules[] = {{0x200000, 0x200123, "first"}, {0x201000, 0x201000, ""}};

static uint32_t at(uint32_t offset)
{
    uint32_t value;

    assert_true(offset + 4 <= sizeof(buffer));
    memcpy(&value, buffer + offset, 4);
    return value;
}

static const char *text(uint32_t gpa)
{
    assert_true(gpa >= PLACE + 116 && gpa < PLACE + sizeof(buffer));
    return (const char *)buffer + (gpa - PLACE);
}

static void everything(void **state)
{
    const struct multiboot_boot boot = {"kernel a=b", "Adept", modules, 2, &map, {0}};
    size_t length;
    uint32_t list;

    (void)state;
    memset(buffer, 0xa5, sizeof(buffer));
    length = guest_multiboot_information(buffer, sizeof(buffer), PLACE, &boot);
    assert_true(length > 116 && length < 400);
    assert_int_equal(at(0), 0x124f);
    assert_int_equal(at(4), 639);
    assert_int_equal(at(8), 31 << 10);
    assert_int_equal(at(12), 0x80ffffff);
    assert_string_equal(text(at(16)), "kernel a=b");
    assert_int_equal(at(20), 2);
    list = at(24) - PLACE;
    assert_int_equal(list % 4, 0);
    assert_int_equal(at(list), 0x200000);
    assert_int_equal(at(list + 4), 0x200123);
    assert_string_equal(text(at(list + 8)), "first");
    assert_int_equal(at(list + 12), 0);
    assert_int_equal(at(list + 16), 0x201000);
    assert_string_equal(text(at(list + 24)), "");
    assert_int_equal(at(44), 3 * 24);
    list = at(48) - PLACE;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(at(list + i * 24), 20);
        assert_int_equal(at(list + i * 24 + 4), map.ranges[i].base);
        assert_int_equal(at(list + i * 24 + 12), map.ranges[i].length);
        assert_int_equal(at(list + i * 24 + 20), map.ranges[i].type);
    }
    assert_string_equal(text(at(64)), "Adept");
    for (unsigned offset = 68; offset < 88; offset += 4) /* what no flag stands for */
        assert_int_equal(at(offset), 0);
    for (unsigned offset = 28; offset < 44; offset += 4)
        assert_int_equal(at(offset), 0);
}

static void sections_and_a_screen(void **state)
{
    const struct multiboot_boot boot = {
        "k", "Adept", NULL, 0, &map, {.count = 5, .entry_size = 40, .gpa = 0x345000, .names = 4}};

    (void)state;
    assert_true(guest_multiboot_information(buffer, sizeof(buffer), PLACE, &boot) > 0);
    assert_int_equal(at(0), 0x126f);
    assert_int_equal(at(20), 0);
    assert_int_equal(at(28), 5);
    assert_int_equal(at(32), 40);
    assert_int_equal(at(36), 0x345000);
    assert_int_equal(at(40), 4);
    assert_int_equal(at(88), 0xb8000);
    assert_int_equal(at(92), 0);
    assert_int_equal(at(96), 160);
    assert_int_equal(at(100), 80);
    assert_int_equal(at(104), 25);
    assert_int_equal(at(108), 0x0210);
}

/* However small the place: all of it, or nothing, and not a byte outside. */
static void sizes(void **state)
{
    const struct multiboot_boot boot = {"kernel a=b", "Adept", modules, 2, &map, {0}};
    size_t needed = guest_multiboot_information(buffer, sizeof(buffer), PLACE, &boot);

    (void)state;
    for (size_t size = 0; size < sizeof(buffer) && size < needed + 8; size++) {
        memset(buffer, 0xa5, sizeof(buffer));
        assert_int_equal(guest_multiboot_information(buffer, size, PLACE, &boot), size < needed ? 0 : needed);
        for (size_t i = size; i < size + 16; i++)
            assert_int_equal(buffer[i], 0xa5);
    }
}

/* The most that the hypervisor can have to say has room. */
static void the_most(void **state)
{
    static struct multiboot_module many[MULTIBOOT_MODULES_MAX];
    static char longest[256];
    struct guest_memory_map ranges = {.count = GUEST_MEMORY_MAP_MAX};
    const struct multiboot_boot boot = {longest, "Adept", many, MULTIBOOT_MODULES_MAX, &ranges, {0}};

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    for (unsigned i = 0; i < MULTIBOOT_MODULES_MAX; i++)
        many[i].string = longest;
    assert_true(guest_multiboot_information(buffer, sizeof(buffer), PLACE, &boot) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything),
        cmocka_unit_test(sections_and_a_screen),
        cmocka_unit_test(sizes),
        cmocka_unit_test(the_most),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
