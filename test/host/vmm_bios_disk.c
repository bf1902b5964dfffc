/* SPDX-License-Identifier: MIT */
/* vmm/bios/disk.c and vmm/bios/disk_extended.c: INT 13h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/simulated_bios.h"
#include "vmm/bios/disk.h"

#define BUFFER 0x8000u
#define PACKET 0x9000u

static struct simulated_bios machine;
static struct bios_registers r;

/* Calls with AX, CX, DX; BX is the buffer. Gives AH; CF must agree. */
static unsigned call(uint16_t ax, uint16_t cx, uint16_t dx)
{
    unsigned status;

    r = (struct bios_registers){
        .eax = 0xdead0000u | ax, .ebx = BUFFER, .ecx = cx, .edx = dx, .esi = PACKET, .flags = 0x0246};
    assert_int_equal(simulated_interrupt(&machine, 0x13, &r), BIOS_RETURN);
    status = r.eax >> 8 & 0xff;
    assert_int_equal(r.eax >> 16, 0xdead);
    assert_int_equal(r.flags & ~FLAGS_CF, 0x0246);
    return status;
}

static unsigned carry(void)
{
    return r.flags & FLAGS_CF;
}

static void reads_and_writes(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    assert_int_equal(call(0x0203, 0x0005, 0x0080), 0);
    assert_false(carry());
    assert_int_equal(r.eax & 0xff, 3);
    assert_int_equal(machine.memory[BUFFER], 4);
    assert_int_equal(machine.memory[BUFFER + 3 * 512 - 1], 6);
    assert_int_equal(machine.memory[BUFFER + 3 * 512], 0);
    /* Over the end of a track: the next head's first sector follows. */
    assert_int_equal(call(0x0202, 0x003f, 0x0080), 0);
    assert_int_equal(machine.memory[BUFFER], 62);
    assert_int_equal(machine.memory[BUFFER + 512], 63);
    memset(machine.memory + BUFFER, 0x77, 512);
    assert_int_equal(call(0x0301, 0x0001, 0x0180), 0);
    assert_int_equal(machine.drive[63 * 512 + 511], 0x77);
    assert_int_equal(machine.drive[62 * 512 + 511], 62);
    assert_int_equal(call(0x0440, 0x0001, 0x0080), 0);
}

static void refuses(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    assert_int_equal(call(0x0200, 0x0001, 0x0080), DISK_BAD_COMMAND);
    assert_int_equal(carry(), FLAGS_CF);
    assert_int_equal(call(0x0201, 0x0000, 0x0080), DISK_BAD_COMMAND);
    assert_int_equal(call(0x0202, 0x0001, 0x0180), DISK_SECTOR_NOT_FOUND);
    assert_int_equal(r.eax & 0xff, 0);
    assert_int_equal(call(0x0201, 0x0001, 0x1080), DISK_SECTOR_NOT_FOUND); /* no such head */
    assert_int_equal(call(0x0201, 0x0101, 0x0080), DISK_SECTOR_NOT_FOUND); /* no such cylinder */
    assert_int_equal(call(0x0100, 0, 0x0080), DISK_SECTOR_NOT_FOUND);
    assert_int_equal(machine.memory[BDA_DISK_STATUS], DISK_SECTOR_NOT_FOUND);
    assert_int_equal(call(0x0201, 0x0001, 0x0081), DISK_BAD_COMMAND);
    assert_int_equal(call(0x0201, 0x0001, 0x0000), DISK_TIMEOUT);
    assert_int_equal(machine.memory[BDA_FLOPPY_STATUS], DISK_TIMEOUT);
    assert_int_equal(call(0x7700, 0x0001, 0x0080), DISK_BAD_COMMAND);
    assert_true(machine.call.missing);
    /* A buffer that is no memory. */
    r = (struct bios_registers){.eax = 0x0201, .ecx = 1, .edx = 0x80, .es_base = SIMULATED_MEMORY};
    (void)simulated_interrupt(&machine, 0x13, &r);
    assert_int_equal(r.eax, DISK_BOUNDARY << 8);
}

static void parameters(void **state)
{
    static uint8_t image[720 * 1024];

    (void)state;
    simulated_bios_start(&machine);
    assert_int_equal(call(0x0800, 0, 0x0080), 0);
    assert_int_equal(r.ecx, 63);
    assert_int_equal(r.edx, 0x0f01);
    assert_int_equal(call(0x0800, 0, 0x0081), DISK_BAD_PARAMETERS);
    assert_int_equal(call(0x0800, 0, 0x0000), 0); /* no diskette: zeros */
    assert_int_equal(r.ecx | r.edx, 0);
    assert_int_equal(call(0x1500, 0, 0x0080), 3);
    assert_int_equal(r.edx, SIMULATED_DRIVE);
    assert_int_equal(call(0x1500, 0, 0x0081), 0);
    assert_false(carry());

    assert_true(guest_disk_floppy(&machine.bios.disk, image, sizeof(image)));
    machine.bios.disk.bytes = image;
    assert_int_equal(call(0x0800, 0, 0x0000), 0);
    assert_int_equal(r.ecx, 79 << 8 | 9);
    assert_int_equal(r.edx, 0x0101);
    assert_int_equal(r.ebx, 3);
    assert_true(r.set_es);
    assert_int_equal(r.es, 0xf000);
    assert_int_equal(r.edi, 0x3000);
    assert_int_equal(call(0x1500, 0, 0x0000), 1);
    assert_int_equal(call(0x4100, 0, 0x0000), DISK_BAD_COMMAND);
}

static void large_cylinders(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    machine.bios.disk.cylinders = 1024;
    assert_int_equal(call(0x0800, 0, 0x0080), 0);
    assert_int_equal(r.ecx, 0xff << 8 | 0xc0 | 63);
}

static void packet(uint8_t size, uint16_t count, uint32_t buffer, uint64_t lba)
{
    uint8_t *p = machine.memory + PACKET;

    p[0] = size;
    memcpy(p + 2, &count, 2);
    memcpy(p + 4, &buffer, 4);
    memcpy(p + 8, &lba, 8);
}

static void extended(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    r = (struct bios_registers){.eax = 0x4100, .ebx = 0x55aa, .edx = 0x80};
    (void)simulated_interrupt(&machine, 0x13, &r);
    assert_int_equal(r.eax, 0x2100);
    assert_int_equal(r.ebx, 0xaa55);
    assert_int_equal(r.ecx, 1);
    packet(16, 2, 0x08000000, 10); /* 0800:0000 */
    assert_int_equal(call(0x4200, 0, 0x0080), 0);
    assert_int_equal(machine.memory[0x8000], 10);
    assert_int_equal(machine.memory[0x83ff], 11);
    packet(16, 1, 0x0800fff0, 10); /* 0800:fff0: offsets do not wrap */
    assert_int_equal(call(0x4200, 0, 0x0080), 0);
    assert_int_equal(machine.memory[0x8000 + 0xfff0 + 511], 10);
    memset(machine.memory + 0x8000, 0x55, 512);
    packet(16, 1, 0x08000000, 20);
    assert_int_equal(call(0x4300, 0, 0x0080), 0);
    assert_int_equal(machine.drive[20 * 512], 0x55);
    assert_int_equal(call(0x4303, 0, 0x0080), DISK_BAD_COMMAND);
    packet(16, 1, 0x08000000, SIMULATED_DRIVE);
    assert_int_equal(call(0x4200, 0, 0x0080), DISK_SECTOR_NOT_FOUND);
    assert_int_equal(machine.memory[PACKET + 2], 0);
    packet(16, 1, 0x08000000, UINT64_MAX);
    assert_int_equal(call(0x4200, 0, 0x0080), DISK_SECTOR_NOT_FOUND);
    assert_int_equal(call(0x4700, 0, 0x0080), DISK_SECTOR_NOT_FOUND);
    packet(16, 128, 0x08000000, 0);
    assert_int_equal(call(0x4200, 0, 0x0080), DISK_BAD_COMMAND);
    packet(15, 1, 0x08000000, 0);
    assert_int_equal(call(0x4200, 0, 0x0080), DISK_BAD_COMMAND);
    packet(16, 1, 0x08000000, 0);
    assert_int_equal(call(0x4400, 0, 0x0080), 0);
    for (unsigned function = 0x42; function <= 0x44; function++) { /* no blocks: no transfer, no error */
        packet(16, 0, 0x08000000, 3);
        memset(machine.memory + BUFFER, 0x5a, 512);
        assert_int_equal(call(function << 8, 0, 0x0080), 0);
        assert_int_equal(carry(), 0);
        assert_int_equal(machine.memory[BUFFER], 0x5a);
        packet(16, 0, 0x08000000, SIMULATED_DRIVE + 1); /* and yet the drive must have the place */
        assert_int_equal(call(function << 8, 0, 0x0080), DISK_SECTOR_NOT_FOUND);
    }
}

static void extended_parameters(void **state)
{
    uint8_t *result = machine.memory + PACKET;

    (void)state;
    simulated_bios_start(&machine);
    result[0] = 30;
    assert_int_equal(call(0x4800, 0, 0x0080), 0);
    assert_int_equal(result[0], 26);
    assert_int_equal(result[16], SIMULATED_DRIVE);
    assert_int_equal(result[24] | result[25] << 8, 512);
    assert_int_equal(result[26], 0);
    result[0] = 25;
    assert_int_equal(call(0x4800, 0, 0x0080), DISK_BAD_COMMAND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes), cmocka_unit_test(refuses),  cmocka_unit_test(parameters),
        cmocka_unit_test(large_cylinders),  cmocka_unit_test(extended), cmocka_unit_test(extended_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
