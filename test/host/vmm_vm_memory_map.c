/* SPDX-License-Identifier: MIT */
/* vmm/vm/memory_map.c: E820h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "vmm/vm/memory_map.h"

static struct guest_memory_map map;

static void make(const struct ept_region *regions, unsigned count)
{
    struct ept_region storage[GUEST_MEMORY_MAP_MAX + 1];
    struct ept_region_list list = {.regions = storage, .count = count};

    for (unsigned i = 0; i < count; i++)
        storage[i] = regions[i];
    guest_memory_map_make(&map, &list, 0x9fc00);
}

static void range(unsigned i, uint64_t base, uint64_t length, unsigned type)
{
    assert_true(i < map.count);
    assert_int_equal(map.ranges[i].base, base);
    assert_int_equal(map.ranges[i].length, length);
    assert_int_equal(map.ranges[i].type, type);
}

static void a_private_guest(void **state)
{
    const struct ept_region regions[] = {{.gpa = 0, .size = 0xa0000, .kind = EPT_REGION_RAM},
                                         {.gpa = 0xb8000, .size = 0x8000, .kind = EPT_REGION_RAM}, /* text */
                                         {.gpa = 0xc0000, .size = 0x40000, .kind = EPT_REGION_ROM},
                                         {.gpa = 0x100000, .size = 0xf00000, .kind = EPT_REGION_RAM}};

    (void)state;
    make(regions, 4);
    assert_int_equal(map.count, 4);
    range(0, 0, 0x9fc00, GUEST_MEMORY_USABLE);
    range(1, 0x9fc00, 0x400, GUEST_MEMORY_RESERVED);
    range(2, 0xc0000, 0x40000, GUEST_MEMORY_RESERVED);
    range(3, 0x100000, 0xf00000, GUEST_MEMORY_USABLE);
    assert_int_equal(guest_memory_map_lower(&map), 639);
    assert_int_equal(guest_memory_map_upper(&map), 15 << 10);
    assert_int_equal(guest_memory_map_room(&map, 0x9fbff), 1);
    assert_int_equal(guest_memory_map_room(&map, 0x9fc00), 0);
    assert_int_equal(guest_memory_map_room(&map, 0xb8000), 0);
    assert_int_equal(guest_memory_map_room(&map, 0x200000), 0xe00000);
}

static void devices_and_holes(void **state)
{
    const struct ept_region regions[] = {
        {.gpa = 0x100000, .size = 0x1000, .kind = EPT_REGION_RAM},
        {.gpa = 0x101000, .size = 0x1000, .kind = EPT_REGION_RAM, .policy = 1},
        {.gpa = 0x102000, .size = 0x1000, .kind = EPT_REGION_MMIO},
        {.gpa = 0x103000, .size = 0x1000, .kind = EPT_REGION_HOLE},
        {.gpa = UINT64_C(1) << 32, .size = 0x1000, .kind = EPT_REGION_IDENTITY}};

    (void)state;
    make(regions, 5);
    assert_int_equal(map.count, 2);
    range(0, 0x100000, 0x2000, GUEST_MEMORY_USABLE); /* neighbours are one */
    range(1, UINT64_C(1) << 32, 0x1000, GUEST_MEMORY_USABLE);
    assert_int_equal(guest_memory_map_lower(&map), 0);
    assert_int_equal(guest_memory_map_upper(&map), 8);
}

static void too_many(void **state)
{
    struct ept_region regions[GUEST_MEMORY_MAP_MAX + 1];

    (void)state;
    for (unsigned i = 0; i <= GUEST_MEMORY_MAP_MAX; i++)
        regions[i] =
            (struct ept_region){.gpa = 0x100000 + i * 0x2000, .size = 0x1000, .kind = EPT_REGION_RAM};
    make(regions, GUEST_MEMORY_MAP_MAX + 1);
    assert_int_equal(map.count, GUEST_MEMORY_MAP_MAX);
}

static void more_than_4_gib(void **state)
{
    const struct ept_region region = {.gpa = 0x100000, .size = UINT64_C(0x300000000), .kind = EPT_REGION_RAM};

    (void)state;
    make(&region, 1);
    assert_int_equal(guest_memory_map_upper(&map), 4095 << 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_private_guest),
        cmocka_unit_test(devices_and_holes),
        cmocka_unit_test(too_many),
        cmocka_unit_test(more_than_4_gib),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
