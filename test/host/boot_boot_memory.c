/* SPDX-License-Identifier: MIT */
/* boot/boot_memory.c: what boot_info.memory promises, whatever order and overlaps the ranges come in. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "boot/multiboot.h"

static struct boot_info info;

static void assert_range(unsigned index, uint64_t base, uint64_t end, enum boot_memory_type type)
{
    assert_true(index < info.memory_count);
    assert_int_equal(info.memory[index].base, base);
    assert_int_equal(info.memory[index].base + info.memory[index].length, end);
    assert_int_equal(info.memory[index].type, type);
}

/* --- The memory map ---------------------------------------------------------------------------------------
 */

static void start_map(void)
{
    memset(&info, 0, sizeof(info));
}

static void map_rounds_to_pages(void **state)
{
    (void)state;
    start_map();
    boot_memory_add(&info, 0x0, 0x9fc00, BOOT_MEMORY_AVAILABLE);
    boot_memory_add(&info, 0x9fc00, 0x400, BOOT_MEMORY_RESERVED);
    boot_memory_add(&info, 0x100001, 0x1ffe, BOOT_MEMORY_AVAILABLE);
    boot_memory_add(&info, 0x200fff, 0x2, BOOT_MEMORY_ACPI_NVS);
    boot_memory_add(&info, 0x300001, 0xffe, BOOT_MEMORY_AVAILABLE);
    boot_memory_add(&info, 0x400000, 0, BOOT_MEMORY_RESERVED);
    assert_int_equal(info.memory_count, 3);
    assert_range(0, 0, 0x9f000, BOOT_MEMORY_AVAILABLE);
    assert_range(1, 0x9f000, 0xa0000, BOOT_MEMORY_RESERVED);
    assert_range(2, 0x200000, 0x202000, BOOT_MEMORY_ACPI_NVS);
}

static void map_lets_the_more_restrictive_win(void **state)
{
    static const enum boot_memory_type order[] = {BOOT_MEMORY_AVAILABLE, BOOT_MEMORY_ACPI_RECLAIMABLE,
                                                  BOOT_MEMORY_ACPI_NVS, BOOT_MEMORY_RESERVED,
                                                  BOOT_MEMORY_BAD};

    (void)state;
    for (unsigned low = 0; low < 5; low++) {
        for (unsigned high = low + 1; high < 5; high++) {
            for (unsigned swapped = 0; swapped < 2; swapped++) {
                start_map();
                if (swapped)
                    boot_memory_add(&info, 0x3000, 0x2000, order[high]);
                boot_memory_add(&info, 0x1000, 0x7000, order[low]);
                if (!swapped)
                    boot_memory_add(&info, 0x3000, 0x2000, order[high]);
                assert_int_equal(info.memory_count, 3);
                assert_range(0, 0x1000, 0x3000, order[low]);
                assert_range(1, 0x3000, 0x5000, order[high]);
                assert_range(2, 0x5000, 0x8000, order[low]);
            }
        }
    }
}

static void map_merges_and_sorts(void **state)
{
    (void)state;
    start_map();
    boot_memory_add(&info, 0x5000, 0x1000, BOOT_MEMORY_AVAILABLE);
    boot_memory_add(&info, 0x1000, 0x1000, BOOT_MEMORY_AVAILABLE);
    boot_memory_add(&info, 0x3000, 0x1000, BOOT_MEMORY_AVAILABLE);
    assert_int_equal(info.memory_count, 3);
    boot_memory_add(&info, 0x0, 0x10000, BOOT_MEMORY_AVAILABLE);
    assert_int_equal(info.memory_count, 1);
    assert_range(0, 0, 0x10000, BOOT_MEMORY_AVAILABLE);
}

static void map_ends_at_52_bits(void **state)
{
    (void)state;
    start_map();
    boot_memory_add(&info, 0x1000, UINT64_MAX, BOOT_MEMORY_AVAILABLE);
    boot_memory_add(&info, UINT64_MAX, UINT64_MAX, BOOT_MEMORY_BAD);
    boot_memory_add(&info, (1ull << 52) - 1, 5, BOOT_MEMORY_RESERVED);
    assert_int_equal(info.memory_count, 2);
    assert_range(0, 0x1000, (1ull << 52) - 0x1000, BOOT_MEMORY_AVAILABLE);
    assert_range(1, (1ull << 52) - 0x1000, 1ull << 52, BOOT_MEMORY_RESERVED);
}

/* When the table is full, memory may be lost, but none becomes available that a reserved range covers. */
static void a_full_map_is_still_safe(void **state)
{
    (void)state;
    start_map();
    boot_memory_add(&info, 0, 0x10000000, BOOT_MEMORY_AVAILABLE);
    for (uint64_t i = 0; i < 600; i++)
        boot_memory_add(&info, 0x10000 + i * 0x3000, 0x1000, BOOT_MEMORY_RESERVED);
    assert_true(info.memory_count <= BOOT_MEMORY_MAX);
    assert_true(info.notes & BOOT_NOTE_MEMORY_TRUNCATED);
    for (uint64_t i = 0; i < 600; i++) {
        uint64_t page = 0x10000 + i * 0x3000;

        for (unsigned r = 0; r < info.memory_count; r++) {
            if (info.memory[r].type == BOOT_MEMORY_AVAILABLE)
                assert_false(page >= info.memory[r].base &&
                             page < info.memory[r].base + info.memory[r].length);
        }
    }
}

/* Random ranges against a map of single pages that does the obvious. */
static void map_agrees_with_a_simple_model(void **state)
{
    static const enum boot_memory_type types[] = {BOOT_MEMORY_AVAILABLE, BOOT_MEMORY_ACPI_RECLAIMABLE,
                                                  BOOT_MEMORY_ACPI_NVS, BOOT_MEMORY_RESERVED,
                                                  BOOT_MEMORY_BAD};
    enum { PAGES = 64 };
    uint32_t random = 1;

    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        int model[PAGES]; /* index into types, -1: nothing */

        memset(model, 0xff, sizeof(model));
        start_map();
        for (unsigned i = 0; i < 12; i++) {
            random = random * 1664525 + 1013904223;
            unsigned base = (random >> 8) % PAGES, length = (random >> 16) % 16, type = (random >> 24) % 5;

            if (base + length > PAGES)
                length = PAGES - base;
            boot_memory_add(&info, base * 4096ull, length * 4096ull, types[type]);
            for (unsigned page = base; page < base + length; page++) {
                if ((int)type > model[page])
                    model[page] = (int)type;
            }
        }
        unsigned r = 0;

        for (unsigned page = 0; page < PAGES; page++) {
            while (r < info.memory_count && info.memory[r].base + info.memory[r].length <= page * 4096ull)
                r++;
            bool covered = r < info.memory_count && info.memory[r].base <= page * 4096ull;

            assert_int_equal(covered, model[page] >= 0);
            if (covered)
                assert_int_equal(info.memory[r].type, types[model[page]]);
        }
        for (unsigned i = 1; i < info.memory_count; i++) {
            uint64_t end = info.memory[i - 1].base + info.memory[i - 1].length;

            assert_true(info.memory[i].base >= end);
            assert_false(info.memory[i].base == end && info.memory[i].type == info.memory[i - 1].type);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_rounds_to_pages),      cmocka_unit_test(map_lets_the_more_restrictive_win),
        cmocka_unit_test(map_merges_and_sorts),     cmocka_unit_test(map_ends_at_52_bits),
        cmocka_unit_test(a_full_map_is_still_safe), cmocka_unit_test(map_agrees_with_a_simple_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
