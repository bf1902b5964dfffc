/* SPDX-License-Identifier: MIT */
/* vmm/bios/memory.c: INT 11h, 12h, 15h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "test/host/simulated_bios.h"

static struct simulated_bios machine;
static struct bios_registers r;

static void call(unsigned vector, uint32_t eax, uint32_t ebx, uint32_t ecx, uint32_t edx)
{
    r = (struct bios_registers){
        .eax = eax, .ebx = ebx, .ecx = ecx, .edx = edx, .edi = 0x8000, .esi = 0x9000, .flags = 0x0203};
    assert_int_equal(simulated_interrupt(&machine, vector, &r), BIOS_RETURN);
}

static uint64_t quad(uint32_t at)
{
    uint64_t value;

    memcpy(&value, machine.memory + at, 8);
    return value;
}

static void sizes(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    call(0x11, 0xffff0000, 0, 0, 0);
    assert_int_equal(r.eax, 0xffff0622);
    call(0x12, 0xffff0000, 0, 0, 0);
    assert_int_equal(r.eax, 0xffff027f);
    call(0x15, 0x8800, 0, 0, 0);
    assert_int_equal(r.eax, 63 << 10);
    assert_false(r.flags & FLAGS_CF);
    call(0x15, 0xe801, 0, 0, 0);
    assert_int_equal(r.eax, 15 << 10);
    assert_int_equal(r.ecx, 15 << 10);
    assert_int_equal(r.ebx, 48 * 16);
    assert_int_equal(r.edx, 48 * 16);
    machine.bios.map.ranges[3].length = 0x10000000;
    call(0x15, 0x8800, 0, 0, 0);
    assert_int_equal(r.eax, 0xffff);
}

static void memory_map(void **state)
{
    uint32_t index = 0;

    (void)state;
    simulated_bios_start(&machine);
    for (unsigned i = 0; i < 4; i++) {
        call(0x15, 0xe820, index, 24, 0x534d4150);
        assert_false(r.flags & FLAGS_CF);
        assert_int_equal(r.eax, 0x534d4150);
        assert_int_equal(r.ecx, 20);
        assert_int_equal(quad(0x8000), machine.bios.map.ranges[i].base);
        assert_int_equal(quad(0x8008), machine.bios.map.ranges[i].length);
        assert_int_equal(machine.memory[0x8010], machine.bios.map.ranges[i].type);
        assert_int_equal(r.ebx, (i + 1) % 4);
        index = r.ebx;
    }
    call(0x15, 0xe820, 4, 24, 0x534d4150);
    assert_true(r.flags & FLAGS_CF);
    call(0x15, 0xe820, 0xffffffff, 24, 0x534d4150);
    assert_true(r.flags & FLAGS_CF);
    call(0x15, 0xe820, 0, 19, 0x534d4150);
    assert_true(r.flags & FLAGS_CF);
    call(0x15, 0xe820, 0, 20, 0);
    assert_true(r.flags & FLAGS_CF);
}

static void descriptor(unsigned place, uint32_t base)
{
    uint8_t *p = machine.memory + 0x9000 + place;

    p[0] = p[1] = 0xff;
    p[2] = (uint8_t)base;
    p[3] = (uint8_t)(base >> 8);
    p[4] = (uint8_t)(base >> 16);
    p[7] = (uint8_t)(base >> 24);
}

static void blocks(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    for (unsigned i = 0; i < 3000; i++)
        machine.memory[0x20000 + i] = (uint8_t)(i * 7);
    descriptor(0x10, 0x20000);
    descriptor(0x18, 0x123456);
    call(0x15, 0x8700, 0, 1500, 0);
    assert_int_equal(r.eax, 0);
    assert_false(r.flags & FLAGS_CF);
    assert_memory_equal(machine.memory + 0x20000, machine.memory + 0x123456, 3000);
    assert_int_equal(machine.memory[0x123456 + 3000], 0);
    memset(machine.memory + 0x123456, 0, 3000);
    r.eax = 0x8700;
    for (unsigned n = 0; n < 5; n++) { /* 512 bytes at a time */
        machine.patience = 1;
        assert_int_equal(simulated_interrupt(&machine, 0x15, &r), BIOS_AGAIN);
        assert_int_equal(r.progress, (n + 1) * 512);
    }
    assert_int_equal(simulated_interrupt(&machine, 0x15, &r), BIOS_RETURN);
    assert_int_equal(r.progress, 0);
    assert_memory_equal(machine.memory + 0x20000, machine.memory + 0x123456, 3000);
    machine.patience = 0;
    call(0x15, 0x8700, 0, 0x8001, 0);
    assert_true(r.flags & FLAGS_CF);
    descriptor(0x18, 0xfee00000);
    call(0x15, 0x8700, 0, 1, 0);
    assert_int_equal(r.eax, 0x0200);
    assert_true(r.flags & FLAGS_CF);
}

static void a20(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    call(0x15, 0x2400, 0, 0, 0);
    assert_true(r.flags & FLAGS_CF);
    call(0x15, 0x2401, 0, 0, 0);
    assert_false(r.flags & FLAGS_CF);
    call(0x15, 0x2402, 0, 0, 0);
    assert_int_equal(r.eax, 1);
    call(0x15, 0x2403, 0, 0, 0);
    assert_int_equal(r.ebx, 3);
    call(0x15, 0x2404, 0, 0, 0);
    assert_int_equal(r.eax, 0x8604);
}

static void waiting(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    machine.call.time_us = 1000;
    r = (struct bios_registers){.eax = 0x8600, .ecx = 1, .edx = 5};
    assert_int_equal(simulated_interrupt(&machine, 0x15, &r), BIOS_AGAIN);
    machine.call.time_us = 1000 + 65536 + 5;
    assert_int_equal(simulated_interrupt(&machine, 0x15, &r), BIOS_AGAIN);
    machine.call.time_us++;
    assert_int_equal(simulated_interrupt(&machine, 0x15, &r), BIOS_RETURN);
    assert_int_equal(r.eax, 0);
    r.eax = 0x8600; /* a new one, that is given up */
    assert_int_equal(simulated_interrupt(&machine, 0x15, &r), BIOS_AGAIN);
    machine.call.time_us += 1000000;
    r.ip = 0x1234;
    assert_int_equal(simulated_interrupt(&machine, 0x15, &r), BIOS_AGAIN);
}

static void tables(void **state)
{
    (void)state;
    simulated_bios_start(&machine);
    call(0x15, 0xc000, 0, 0, 0);
    assert_int_equal(r.es, 0xf000);
    assert_int_equal(r.ebx, 0x3010);
    call(0x15, 0xc100, 0, 0, 0);
    assert_int_equal(r.es, 0x9fc0);
    call(0x15, 0x4f1e, 0, 0, 0);
    assert_int_equal(r.eax, 0x4f1e);
    assert_true(r.flags & FLAGS_CF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes), cmocka_unit_test(memory_map), cmocka_unit_test(blocks),
        cmocka_unit_test(a20),   cmocka_unit_test(waiting),    cmocka_unit_test(tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
