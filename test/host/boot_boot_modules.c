/* SPDX-License-Identifier: MIT */
/* boot/boot_modules.c: low modules go up, and nothing is in anything's way. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "boot/boot_info.h"

#define MIB  UINT64_C(0x100000)
#define GIB  UINT64_C(0x40000000)
#define PAGE UINT64_C(0x1000)

static struct boot_info info;
static uint64_t places[BOOT_MODULE_MAX];

static void memory(uint64_t base, uint64_t length, enum boot_memory_type type)
{
    info.memory[info.memory_count++] = (struct boot_memory_range){base, length, type};
}

static void module(uint64_t base, uint64_t length)
{
    info.modules[info.module_count].base = base;
    info.modules[info.module_count++].length = length;
}

/* As GRUB under UEFI in QEMU: 256 MiB. */
static int start(void **state)
{
    (void)state;
    memset(&info, 0, sizeof(info));
    memory(0, 0xa0000, BOOT_MEMORY_AVAILABLE);
    memory(MIB, 254 * MIB, BOOT_MEMORY_AVAILABLE);
    memory(255 * MIB, MIB, BOOT_MEMORY_RESERVED);
    return 0;
}

static unsigned plan(uint64_t limit)
{
    return boot_modules_plan(&info, 2 * MIB, 0xd6000, limit, places);
}

static void low_modules_go_up(void **state)
{
    (void)state;
    module(0x2000, 974);
    module(0x3000, 512);
    module(0x4000, 0x2001);
    assert_int_equal(plan(4 * GIB), 3);
    assert_int_equal(places[0], 255 * MIB - PAGE);
    assert_int_equal(places[1], 255 * MIB - 2 * PAGE);
    assert_int_equal(places[2], 255 * MIB - 5 * PAGE);
}

static void others_stay(void **state)
{
    (void)state;
    module(0x101000, 5000); /* as by BIOS */
    module(0x2000, 0);      /* empty */
    module(254 * MIB, MIB); /* where one would go */
    module(0xff000, 2 * PAGE);
    assert_int_equal(plan(4 * GIB), 1);
    assert_int_equal(places[0], 0x101000);
    assert_int_equal(places[1], 0x2000);
    assert_int_equal(places[2], 254 * MIB);
    assert_int_equal(places[3], 254 * MIB - 2 * PAGE);
}

static void limits(void **state)
{
    (void)state;
    memory(4 * GIB, GIB, BOOT_MEMORY_AVAILABLE);
    module(0x2000, 10);
    assert_int_equal(plan(4 * GIB), 1);
    assert_int_equal(places[0], 255 * MIB - PAGE); /* what is above cannot be reached yet */
    assert_int_equal(plan(128 * MIB + 1), 1);
    assert_int_equal(places[0], 128 * MIB - PAGE);
    info.memory[1].length = 2 * MIB - PAGE; /* up to 3 MiB less a page; the image is at 2 MiB */
    assert_int_equal(plan(4 * GIB), 1);
    assert_int_equal(places[0], 3 * MIB - 2 * PAGE);
    info.modules[0].length = MIB + PAGE; /* no place is large enough */
    assert_int_equal(plan(4 * GIB), 0);
    assert_int_equal(places[0], 0x2000);
    info.modules[0].length = UINT64_C(0xfffffffff000);
    assert_int_equal(plan(4 * GIB), 0);
}

/* Around the image, from above and below. */
static void the_image_is_in_the_way(void **state)
{
    (void)state;
    info.memory[1].length = MIB + 0xd6000; /* it ends with the image */
    module(0x8000, 100);
    module(0x9000, 0x90000);
    module(0x99000, 0x6f001);
    assert_int_equal(plan(4 * GIB), 2);
    assert_int_equal(places[0], 2 * MIB - PAGE);
    assert_int_equal(places[1], 2 * MIB - 0x91000);
    assert_int_equal(places[2], 0x99000); /* no room is left */
}

static uint64_t random_state = 1;

static uint64_t draw(uint64_t below)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (random_state >> 33) % below;
}

static int apart(uint64_t a, uint64_t a_length, uint64_t b, uint64_t b_length)
{
    return a >= b + b_length || b >= a + a_length;
}

static void check_place(unsigned i, uint64_t image, uint64_t limit)
{
    uint64_t at = places[i], length = (info.modules[i].length + PAGE - 1) & ~(PAGE - 1);
    unsigned inside = 0;

    assert_true(info.modules[i].base < BOOT_MODULES_FLOOR && at >= BOOT_MODULES_FLOOR && at % PAGE == 0);
    assert_true(at + length <= limit);
    assert_true(apart(at, length, image, 0xd6000));
    for (unsigned n = 0; n < info.memory_count; n++)
        inside += info.memory[n].type == BOOT_MEMORY_AVAILABLE && at >= info.memory[n].base &&
                  at + length <= info.memory[n].base + info.memory[n].length;
    assert_int_equal(inside, 1);
    for (unsigned n = 0; n < info.module_count; n++) {
        uint64_t other = (info.modules[n].length + PAGE - 1) & ~(PAGE - 1);

        assert_true(apart(at, length, info.modules[n].base, info.modules[n].length));
        assert_true(n == i || places[n] == info.modules[n].base || apart(at, length, places[n], other));
    }
}

static void any_layout(void **state)
{
    unsigned moves = 0;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        uint64_t at = 0, limit = draw(2) ? 4 * GIB : draw(64) * MIB + 1;

        memset(&info, 0, sizeof(info));
        for (unsigned n = 0, count = 1 + (unsigned)draw(8); n < count; n++) {
            uint64_t length = (1 + draw(n == 0 ? 160 : 3000)) * PAGE;

            memory(at, length, draw(4) ? BOOT_MEMORY_AVAILABLE : BOOT_MEMORY_RESERVED);
            at += length + draw(3) * draw(200) * PAGE;
        }
        for (unsigned n = (unsigned)draw(BOOT_MODULE_MAX + 1); n > 0; n--)
            module(draw(8) ? draw(MIB) : draw(16 * MIB), draw(4) ? draw(0x8000) : draw(4 * MIB));
        for (unsigned n = 0, moved = plan(limit); n < info.module_count; n++) {
            if (places[n] == info.modules[n].base)
                continue;
            check_place(n, 2 * MIB, limit);
            moves++;
            assert_in_range(moved, 1, info.module_count);
        }
    }
    assert_true(moves > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(low_modules_go_up, start),
        cmocka_unit_test_setup(others_stay, start),
        cmocka_unit_test_setup(limits, start),
        cmocka_unit_test_setup(the_image_is_in_the_way, start),
        cmocka_unit_test(any_layout),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
