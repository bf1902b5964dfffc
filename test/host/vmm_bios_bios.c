/* SPDX-License-Identifier: MIT */
/* vmm/bios/bios.c: vectors, data areas, booting, exceptions. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/simulated_bios.h"

static struct simulated_bios machine;

static uint16_t word(uint32_t at)
{
    return (uint16_t)(machine.memory[at] | machine.memory[at + 1] << 8);
}

static void vectors(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    for (unsigned i = 0; i < 256; i++) {
        uint16_t offset = word(i * 4), segment = word(i * 4 + 2);

        switch (i) {
        case 0x1e:
            assert_int_equal(offset, 0x3000);
            break;
        case 0x1f:
            assert_int_equal(offset, 0xe000 + 128 * 8);
            break;
        case 0x41:
            assert_int_equal(segment, EBDA_SEGMENT);
            continue;
        case 0x43:
            assert_int_equal(offset, 0xd000);
            break;
        default:
            assert_int_equal(offset, 0x1000 + i);
        }
        assert_int_equal(segment, 0xf000);
    }
}

static void data_areas(void **state)
{
    uint32_t table = (EBDA_SEGMENT << 4) + EBDA_DISK_PARAMETERS;

    (void)state;
    simulated_bios_start(&machine);
    assert_int_equal(word(BDA_MEMORY_KIB), 639);
    assert_int_equal(word(BDA_EBDA_SEGMENT), 0x9fc0);
    assert_int_equal(machine.memory[0x9fc00], 1);
    assert_int_equal(word(BDA_EQUIPMENT), 0x0622);
    assert_int_equal(machine.memory[BDA_DISK_COUNT], 1);
    assert_int_equal(word(BDA_KEYBOARD_HEAD), word(BDA_KEYBOARD_TAIL));
    assert_int_equal(word(BDA_VIDEO_COLUMNS), 80);
    assert_int_equal(word(table), machine.bios.disk.cylinders);
    assert_int_equal(machine.memory[table + 2], machine.bios.disk.heads);
    assert_int_equal(machine.memory[table + 14], machine.bios.disk.per_track);
    /* The screen is blank. */
    for (unsigned i = 0; i < 2000; i++)
        assert_int_equal(word(VIDEO_MEMORY + i * 2), 0x0720);
}

static void a_diskette_is_equipment(void **state)
{
    static uint8_t image[1440 * 1024];

    (void)state;
    simulated_bios_start(&machine);
    memset(machine.memory, 0, sizeof(machine.memory));
    assert_true(guest_disk_floppy(&machine.bios.disk, image, sizeof(image)));
    machine.bios.disk.bytes = image;
    bios_start(&machine.call);
    assert_int_equal(word(BDA_EQUIPMENT), 0x0623);
    assert_int_equal(machine.memory[BDA_DISK_COUNT], 0);
}

static void devices(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    assert_int_equal(machine.ports[0x21], 0xb8); /* timer, keyboard, cascade and diskette */
    assert_int_equal(machine.ports[0xa1], 0xff);
    assert_int_equal(machine.ports[0x43], 0x36);
    assert_int_equal(machine.ports[0x3ff], 0); /* scratch registers are as before */
    assert_int_equal(word(BDA_SERIAL_PORTS), 0x3f8);
    assert_int_equal(word(BDA_SERIAL_PORTS + 2), 0x2f8);
    assert_int_equal(word(BDA_SERIAL_PORTS + 4), 0x3e8);
    assert_int_equal(word(BDA_SERIAL_PORTS + 6), 0);
    /* 12:34:56 */
    assert_int_equal(word(BDA_TICKS) | (unsigned)word(BDA_TICKS + 2) << 16, 45296ull * 1193182 / 65536);
    assert_int_equal(machine.ports[0x70], 0x0d);
}

static void boots(void **state)
{
    struct bios_registers r = {.edx = 0x1234};

    (void)state;
    simulated_bios_start(&machine);
    machine.drive[0] = 0xab;
    machine.bios.entry_cs = 0x7c0;
    machine.bios.entry_ip = 5;
    assert_int_equal(simulated_interrupt(&machine, 0x19, &r), BIOS_RETURN);
    assert_int_equal(machine.memory[0x7c00], 0xab);
    assert_int_equal(r.ebx, 0x07c00005);
    assert_int_equal(r.edx, 0x80);
    assert_null(machine.ended);
    machine.bios.load_length = sizeof(machine.drive); /* 32 KiB: one part */
    machine.bios.load = 0x10000;
    r = (struct bios_registers){.progress = 0x7000};
    assert_int_equal(simulated_interrupt(&machine, 0x19, &r), BIOS_RETURN);
    assert_int_equal(machine.memory[0x10000 + 0x6e00], 0);
    assert_int_equal(machine.memory[0x10000 + 0x7000], 0x38);
    assert_int_equal(machine.memory[0x10000 + 0x7fff], 0x3f);
    machine.bios.has_disk = false;
    (void)simulated_interrupt(&machine, 0x19, &r);
    assert_string_equal(machine.ended, "no drive to boot from");
}

static void exceptions(void **state)
{
    struct bios_registers r = {.cs = 0x100, .ip = 0x20};

    (void)state;
    simulated_bios_start(&machine);
    machine.memory[0x101e] = 0xcd; /* int 6: a call */
    machine.memory[0x101f] = 0x06;
    (void)simulated_interrupt(&machine, 0x06, &r);
    assert_null(machine.ended);
    (void)simulated_interrupt(&machine, 0x0d, &r); /* the bytes are those of another */
    assert_string_equal(machine.ended, "exception without a handler");
    assert_int_equal(machine.ended_vector, 0x0d);
}

static void nothing_to_boot(void **state)
{
    struct bios_registers r = {0};

    (void)state;
    simulated_bios_start(&machine);
    (void)simulated_interrupt(&machine, 0x18, &r);
    assert_string_equal(machine.ended, "nothing to boot");
}

static void missing_functions_are_new_once(void **state)
{
    struct bios_registers r = {.eax = 0x4300};

    (void)state;
    simulated_bios_start(&machine);
    (void)simulated_interrupt(&machine, 0x15, &r);
    assert_true(machine.call.missing && machine.call.missing_first);
    assert_int_equal(r.eax, 0x8600);
    assert_true(r.flags & FLAGS_CF);
    r.eax = 0x4301;
    (void)simulated_interrupt(&machine, 0x15, &r);
    assert_true(machine.call.missing && !machine.call.missing_first);
    r.eax = 0x4300;
    (void)simulated_interrupt(&machine, 0x16, &r); /* another family */
    assert_true(machine.call.missing_first);
    r.eax = 0;
    (void)simulated_interrupt(&machine, 0x11, &r);
    assert_false(machine.call.missing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(data_areas),
        cmocka_unit_test(a_diskette_is_equipment),
        cmocka_unit_test(devices),
        cmocka_unit_test(boots),
        cmocka_unit_test(exceptions),
        cmocka_unit_test(nothing_to_boot),
        cmocka_unit_test(missing_functions_are_new_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
